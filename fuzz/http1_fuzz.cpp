#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "gateway/http1.hpp"

using namespace backstay::gateway::http1;

namespace {

/// Whatever was taken is taken again when it arrives in two pieces.
void feed_twice(const Head& head, std::string_view body) {
  BodyScanner whole(head.framing, head.content_length);
  const std::size_t taken = whole.feed(body);
  CHECK(taken <= body.size());
  BodyScanner pieces(head.framing, head.content_length);
  std::size_t part = pieces.feed(body.substr(0, body.size() / 2));
  if (part == body.size() / 2 && !pieces.complete() && !pieces.bad()) part += pieces.feed(body.substr(body.size() / 2));
  CHECK(whole.bad() == pieces.bad());
  CHECK(whole.bad() || (part == taken && whole.complete() == pieces.complete()));
  if (whole.complete() && head.framing == Framing::kChunked) CHECK(unchunked(body.substr(0, taken)).size() <= taken);
}

void scan_as_request(std::string_view bytes) {
  RequestHead head;
  std::string why;
  const Scan scan = scan_request(bytes, head, why);
  if (scan != Scan::kOk) return;
  CHECK(head.size <= bytes.size() && head.field_count <= kMaxFields && !head.method.empty() && !head.target.empty());
  CHECK(head.framing != Framing::kUntilClose);
  // A head that is forwarded must be read the same way by whoever gets it.
  std::string forwarded = std::string(head.method) + " " + std::string(head.target) + " HTTP/1.1\r\n";
  append_end_to_end_fields(head, forwarded);
  forwarded += "\r\n";
  RequestHead again;
  CHECK(scan_request(forwarded, again, why) == Scan::kOk || head.minor == 0);
  for (std::size_t i = 0; i < again.field_count; ++i)
    CHECK(!equals_ignoring_case(again.fields[i].name.substr(0, 9), "Backstay-"));
  feed_twice(head, bytes.substr(head.size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  scan_as_request(bytes);
  for (const bool to_head_request : {false, true}) {
    ResponseHead head;
    if (scan_response(bytes, to_head_request, head) != Scan::kOk) continue;
    CHECK(head.size <= bytes.size() && head.status >= 100 && head.status <= 999);
    feed_twice(head, bytes.substr(head.size));
  }
  return 0;
}
