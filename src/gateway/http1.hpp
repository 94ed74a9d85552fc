#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Strict HTTP/1.1 message heads and body framing (RFC 9112). Anything that two parsers could read differently is
/// refused: it is how requests are smuggled. Nothing here allocates but the functions that append to a string.
namespace backstay::gateway::http1 {

inline constexpr std::size_t kMaxHeadBytes = 32 * 1024;
inline constexpr std::size_t kMaxFields = 128;

struct Field {
  std::string_view name;
  std::string_view value;  ///< Without the white space around it.
};

/// How the end of a body is found.
enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

/// The part that requests and responses share. Views point into the scanned bytes.
struct Head {
  std::size_t size = 0;  ///< Bytes up to and including the empty line.
  int minor = 1;         ///< HTTP/1.minor
  std::size_t field_count = 0;
  std::array<Field, kMaxFields> fields;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = true;

  std::string_view find(std::string_view name) const;  ///< First value; empty when absent. Any letter case.
};

struct RequestHead : Head {
  std::string_view method;
  std::string_view target;
  bool expect_continue = false;
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

/// kMore: the head is not complete yet. Everything else but kOk is a refusal.
enum class Scan : std::uint8_t { kOk, kMore, kBad, kTooLarge, kUnsupported, kExpectationFailed };

/// Scans a request head; `why` gets a sentence when it is refused.
Scan scan_request(std::string_view bytes, RequestHead& head, std::string& why);
/// Scans a response head. `to_head_request`: the body is absent whatever the fields say.
Scan scan_response(std::string_view bytes, bool to_head_request, ResponseHead& head);

/// Appends the fields that may pass a proxy: all but the hop-by-hop ones (RFC 9110 section 7.6.1), those that
/// Connection names, Expect, and any Backstay-* field (only the gateway speaks with that name). `but`: one more that
/// does not; in lower case.
void append_end_to_end_fields(const Head& head, std::string& out, std::string_view but = "");

bool equals_ignoring_case(std::string_view a, std::string_view b);

/// Finds the end of a body while its bytes go by.
class BodyScanner {
 public:
  BodyScanner() = default;
  BodyScanner(Framing framing, std::uint64_t content_length);

  /// Takes the next bytes; returns how many of them belong to the body. Check bad() and complete() after. `content`
  /// gets what they hold of it, without any chunks.
  std::size_t feed(std::string_view bytes, std::string* content = nullptr);
  bool complete() const { return complete_; }
  bool bad() const { return bad_; }
  /// Of the body so far, without any chunks.
  std::uint64_t content_bytes() const { return content_bytes_; }
  /// The connection was closed: completes a body that ends so, and no other.
  void on_close();

 private:
  enum class State : std::uint8_t {
    kSize,
    kExtension,
    kSizeEnd,
    kData,
    kDataEnd,
    kDataLineFeed,
    kTrailerStart,
    kTrailer,
    kTrailerEnd,
    kLastLineFeed
  };
  std::size_t feed_chunked(std::string_view bytes, std::string* content);

  Framing framing_ = Framing::kNone;
  bool complete_ = true;
  bool bad_ = false;
  State state_ = State::kSize;
  std::uint32_t digits_ = 0;
  std::uint32_t overhead_ = 0;  ///< Bytes of extension or trailer so far; bounded.
  std::uint64_t left_ = 0;
  std::uint64_t content_bytes_ = 0;
};

/// The content of a complete chunked body, for looking into it; empty when it is malformed.
std::string unchunked(std::string_view body);

}  // namespace backstay::gateway::http1
