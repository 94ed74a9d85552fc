#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/check.hpp"
#include "gateway/event_stream.hpp"
#include "gateway/http1.hpp"
#include "wire/streamed_text.hpp"

using namespace backstay;

namespace {

constexpr std::size_t kMost = 64;

struct Read {
  std::vector<std::string> events;
  std::uint64_t dropped = 0;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view stream, std::size_t piece) {
  gateway::EventStreamParser parser(kMost);
  Read out;
  while (!stream.empty()) {
    std::string_view bytes = stream.substr(0, piece);
    stream.remove_prefix(bytes.size());
    while (parser.next(bytes)) out.events.push_back(parser.data());
  }
  out.dropped = parser.dropped();
  return out;
}

/// The content of a chunked body that comes in pieces.
std::string content_of(std::string_view body, std::size_t piece, bool& complete) {
  gateway::http1::BodyScanner scanner(gateway::http1::Framing::kChunked, 0);
  std::string content;
  while (!body.empty() && !scanner.bad() && !scanner.complete()) {
    const std::string_view bytes = body.substr(0, piece);
    body.remove_prefix(bytes.size());
    scanner.feed(bytes, &content);
  }
  complete = scanner.complete();
  return content;
}

}  // namespace

// What a version streams, as the gateway and the examiners read it: the same events wherever the bytes are cut, none
// longer than allowed, and no more text than there were bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Read whole = read(stream, std::max<std::size_t>(size, 1));
  wire::StreamedText text;
  for (const std::string& event : whole.events) {
    CHECK(event.size() <= kMost);
    text.add(event);
  }
  CHECK(text.text().size() <= size);
  CHECK(read(stream, 1) == whole);
  CHECK(read(stream, 3) == whole);
  gateway::LastObjects last;
  last.feed(stream);
  for (std::size_t back = 0; back < last.size(); ++back) CHECK(last.newest(back).find('{') != std::string::npos);
  bool complete = false;
  bool complete_too = false;
  const std::string content = content_of(stream, std::max<std::size_t>(size, 1), complete);
  CHECK(content == content_of(stream, 1, complete_too));
  CHECK(complete == complete_too);
  if (complete) CHECK(content == gateway::http1::unchunked(stream));
  return 0;
}
