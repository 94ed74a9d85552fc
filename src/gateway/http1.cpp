#include "gateway/http1.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace backstay::gateway::http1 {

namespace {

// RFC 9110 section 5.6.2: the characters of a token.
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kToken = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool is_value_byte(unsigned char c) {
  return (c >= 0x20 && c != 0x7f) || c == '\t';
}

// Eight bytes at a time: is any of them below 0x20 or 0x7f? (Mycroft's test; see "Bit Twiddling Hacks", haszero.)
bool has_control_byte(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const std::uint64_t below = (word - kOnes * 0x20) & ~word & kHighs;
  const std::uint64_t flipped = word ^ (kOnes * 0x7f);
  const std::uint64_t del = (flipped - kOnes) & ~flipped & kHighs;
  return (below | del) != 0;
}

bool is_field_value(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    if (has_control_byte(word) &&
        !std::all_of(at, at + 8, [](char c) { return is_value_byte(static_cast<unsigned char>(c)); }))
      return false;
  }
  return std::all_of(at, end, [](char c) { return is_value_byte(static_cast<unsigned char>(c)); });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Visit>
void for_each_member(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view member = trim(list.substr(0, comma));
    if (!member.empty()) visit(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// "HTTP/1.0" or "HTTP/1.1": the minor number.
std::optional<int> parse_protocol(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  return std::nullopt;
}

// One line without its CR LF. nullopt: a bare LF, or none within the bytes.
std::optional<std::string_view> take_line(std::string_view bytes, std::size_t& at) {
  const std::size_t feed = bytes.find('\n', at);
  if (feed == std::string_view::npos || feed == at || bytes[feed - 1] != '\r') return std::nullopt;
  const std::string_view line = bytes.substr(at, feed - 1 - at);
  at = feed + 1;
  return line;
}

struct Framings {
  bool length = false;
  bool chunked = false;
  int hosts = 0;
};

const char* take_field(std::string_view line, Head& head, Framings& seen) {
  if (line.front() == ' ' || line.front() == '\t') return "A header is folded over two lines.";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return "A header has no proper name.";
  const Field field{line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!is_field_value(field.value)) return "A header's value holds a control character.";
  head.fields[head.field_count++] = field;

  switch (field.name.size()) {
    case 4:
      if (equals_ignoring_case(field.name, "host")) ++seen.hosts;
      break;
    case 10:
      if (equals_ignoring_case(field.name, "connection")) {
        for_each_member(field.value, [&](std::string_view option) {
          if (equals_ignoring_case(option, "close")) head.keep_alive = false;
          if (head.minor == 0 && equals_ignoring_case(option, "keep-alive")) head.keep_alive = true;
        });
      }
      break;
    case 14:
      if (equals_ignoring_case(field.name, "content-length")) {
        const auto length = parse_length(field.value);
        if (!length) return "Content-Length is not a number.";
        if (seen.length) return "Content-Length is given twice.";
        seen.length = true;
        head.content_length = *length;
      }
      break;
    case 17:
      if (equals_ignoring_case(field.name, "transfer-encoding")) {
        if (seen.chunked || !equals_ignoring_case(field.value, "chunked"))
          return "Transfer-Encoding is something other than one 'chunked'.";
        seen.chunked = true;
      }
      break;
    default: break;
  }
  return nullptr;
}

const char* take_fields(std::string_view bytes, std::size_t at, Head& head, Framings& seen, Scan& scan) {
  scan = Scan::kBad;
  head.field_count = 0;
  head.keep_alive = head.minor == 1;
  while (true) {
    const auto line = take_line(bytes, at);
    if (!line) return "A header line does not end in CR LF.";
    if (line->empty()) break;
    if (head.field_count == kMaxFields) {
      scan = Scan::kTooLarge;
      return "There are more than 128 headers.";
    }
    if (const char* why = take_field(*line, head, seen)) return why;
  }
  if (seen.length && seen.chunked) return "Content-Length and Transfer-Encoding are both given.";
  if (seen.chunked && head.minor == 0) return "HTTP/1.0 has no Transfer-Encoding.";
  scan = Scan::kOk;
  return nullptr;
}

// The head's bytes, or how far the search came.
Scan find_head(std::string_view bytes, std::size_t& size) {
  const std::size_t end = bytes.substr(0, kMaxHeadBytes).find("\r\n\r\n");
  if (end != std::string_view::npos) {
    size = end + 4;
    return Scan::kOk;
  }
  return bytes.size() >= kMaxHeadBytes ? Scan::kTooLarge : Scan::kMore;
}

bool is_target(std::string_view target) {
  return !target.empty() && std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view Head::find(std::string_view name) const {
  for (std::size_t i = 0; i < field_count; ++i)
    if (equals_ignoring_case(fields[i].name, name)) return fields[i].value;
  return {};
}

Scan scan_request(std::string_view bytes, RequestHead& head, std::string& why) {
  const Scan found = find_head(bytes, head.size);
  if (found == Scan::kTooLarge) why = "The head of the request is larger than 32 KiB.";
  if (found != Scan::kOk) return found;
  const std::string_view text = bytes.substr(0, head.size);

  std::size_t at = 0;
  const auto line = take_line(text, at);
  const std::size_t first = line ? line->find(' ') : std::string_view::npos;
  const std::size_t last = line ? line->rfind(' ') : std::string_view::npos;
  if (first == std::string_view::npos || first == last) {
    why = "The request line is not 'METHOD target HTTP/1.1'.";
    return Scan::kBad;
  }
  head.method = line->substr(0, first);
  head.target = line->substr(first + 1, last - first - 1);
  const auto minor = parse_protocol(line->substr(last + 1));
  if (!is_token(head.method) || !is_target(head.target) || !minor) {
    why = "The request line is not 'METHOD target HTTP/1.1'.";
    return Scan::kBad;
  }
  head.minor = *minor;
  if (head.method == "CONNECT") {
    why = "CONNECT is not served here.";
    return Scan::kUnsupported;
  }

  Framings seen;
  Scan scan = Scan::kOk;
  if (const char* problem = take_fields(text, at, head, seen, scan)) {
    why = problem;
    return scan;
  }
  if (head.minor == 1 && seen.hosts != 1) {
    why = "There is not exactly one Host header.";
    return Scan::kBad;
  }
  head.framing =
      seen.chunked ? Framing::kChunked : (seen.length && head.content_length > 0 ? Framing::kLength : Framing::kNone);
  const std::string_view expect = head.find("expect");
  head.expect_continue = head.minor == 1 && equals_ignoring_case(expect, "100-continue");
  if (!expect.empty() && !equals_ignoring_case(expect, "100-continue")) {
    why = "The only expectation that is understood is 100-continue.";
    return Scan::kExpectationFailed;
  }
  return Scan::kOk;
}

Scan scan_response(std::string_view bytes, bool to_head_request, ResponseHead& head) {
  const Scan found = find_head(bytes, head.size);
  if (found != Scan::kOk) return found;
  const std::string_view text = bytes.substr(0, head.size);

  std::size_t at = 0;
  const auto line = take_line(text, at);
  // "HTTP/1.1 200" and, after a space, a reason that may be empty; some servers leave the space out as well.
  if (!line || line->size() < 12 || (line->size() > 12 && (*line)[12] != ' ') || (*line)[8] != ' ') return Scan::kBad;
  const auto minor = parse_protocol(line->substr(0, 8));
  const auto status = parse_length(line->substr(9, 3));
  if (!minor || !status || *status < 100 || *status > 599) return Scan::kBad;
  head.minor = *minor;
  head.status = static_cast<int>(*status);
  head.reason = line->size() > 13 ? line->substr(13) : std::string_view();
  if (!is_field_value(head.reason)) return Scan::kBad;

  Framings seen;
  Scan scan = Scan::kOk;
  if (take_fields(text, at, head, seen, scan) != nullptr) return scan;
  if (to_head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    head.framing = Framing::kNone;
  } else if (seen.chunked) {
    head.framing = Framing::kChunked;
  } else if (seen.length) {
    head.framing = head.content_length > 0 ? Framing::kLength : Framing::kNone;
  } else {
    head.framing = Framing::kUntilClose;
    head.keep_alive = false;
  }
  return Scan::kOk;
}

void append_end_to_end_fields(const Head& head, std::string& out, std::string_view but) {
  std::array<std::string_view, 8> named{};
  std::size_t named_count = 0;
  bool names_any = false;
  for (std::size_t i = 0; i < head.field_count; ++i) {
    if (!equals_ignoring_case(head.fields[i].name, "connection")) continue;
    for_each_member(head.fields[i].value, [&](std::string_view option) {
      names_any = true;
      if (named_count < named.size()) named[named_count++] = option;
    });
  }
  const auto stays = [&](std::string_view name) {
    if (name.size() > 9 && equals_ignoring_case(name.substr(0, 9), "backstay-")) return false;
    switch (name.size()) {
      case 2: return !equals_ignoring_case(name, "te");
      case 6: return !equals_ignoring_case(name, "expect");
      case 7: return !equals_ignoring_case(name, "upgrade");
      case 10: return !equals_ignoring_case(name, "connection") && !equals_ignoring_case(name, "keep-alive");
      case 16: return !equals_ignoring_case(name, "proxy-connection");
      default: return true;
    }
  };
  // What frames the body is never dropped, whatever Connection says.
  const auto is_nominated = [&](std::string_view name) {
    if (!names_any || equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "transfer-encoding") ||
        equals_ignoring_case(name, "host"))
      return false;
    return std::any_of(named.begin(), named.begin() + static_cast<std::ptrdiff_t>(named_count),
                       [&](std::string_view option) { return equals_ignoring_case(option, name); });
  };
  for (std::size_t i = 0; i < head.field_count; ++i) {
    const Field& field = head.fields[i];
    if (!stays(field.name) || is_nominated(field.name)) continue;
    if (!but.empty() && equals_ignoring_case(field.name, but)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
}

BodyScanner::BodyScanner(Framing framing, std::uint64_t content_length)
    : framing_(framing),
      complete_(framing == Framing::kNone),
      left_(framing == Framing::kLength ? content_length : 0) {}

std::size_t BodyScanner::feed(std::string_view bytes, std::string* content) {
  if (complete_ || bad_) return 0;
  switch (framing_) {
    case Framing::kNone: return 0;
    case Framing::kUntilClose:
      if (content != nullptr) content->append(bytes);
      content_bytes_ += bytes.size();
      return bytes.size();
    case Framing::kLength: {
      const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      if (content != nullptr) content->append(bytes.substr(0, taken));
      content_bytes_ += taken;
      left_ -= taken;
      complete_ = left_ == 0;
      return taken;
    }
    case Framing::kChunked: return feed_chunked(bytes, content);
  }
  return 0;
}

void BodyScanner::on_close() {
  if (framing_ == Framing::kUntilClose) complete_ = true;
  if (!complete_) bad_ = true;
}

std::size_t BodyScanner::feed_chunked(std::string_view bytes, std::string* content) {
  constexpr std::uint32_t kMaxOverhead = 16 * 1024;
  const auto hex = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
  };
  std::size_t at = 0;
  while (at < bytes.size() && !complete_ && !bad_) {
    const char c = bytes[at];
    switch (state_) {
      case State::kSize: {
        const int digit = hex(c);
        if (digit >= 0 && digits_ < 15) {
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
          ++digits_;
        } else if (digits_ > 0 && c == ';') {
          state_ = State::kExtension;
        } else if (digits_ > 0 && c == '\r') {
          state_ = State::kSizeEnd;
        } else {
          bad_ = true;
        }
        break;
      }
      case State::kExtension:
        if (c == '\r') {
          state_ = State::kSizeEnd;
        } else if (!is_value_byte(static_cast<unsigned char>(c)) || ++overhead_ > kMaxOverhead) {
          bad_ = true;
        }
        break;
      case State::kSizeEnd:
        bad_ = c != '\n';
        digits_ = 0;
        state_ = left_ == 0 ? State::kTrailerStart : State::kData;
        break;
      case State::kData: {
        const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
        if (content != nullptr) content->append(bytes.substr(at, taken));
        content_bytes_ += taken;
        left_ -= taken;
        at += taken;
        if (left_ == 0) state_ = State::kDataEnd;
        continue;
      }
      case State::kDataEnd:
        bad_ = c != '\r';
        state_ = State::kDataLineFeed;
        break;
      case State::kDataLineFeed:
        bad_ = c != '\n';
        state_ = State::kSize;
        break;
      case State::kTrailerStart: state_ = c == '\r' ? State::kLastLineFeed : State::kTrailer; [[fallthrough]];
      case State::kTrailer:
        if (state_ == State::kLastLineFeed) break;
        if (c == '\r') {
          state_ = State::kTrailerEnd;
        } else if (!is_value_byte(static_cast<unsigned char>(c)) || ++overhead_ > kMaxOverhead) {
          bad_ = true;
        }
        break;
      case State::kTrailerEnd:
        bad_ = c != '\n';
        state_ = State::kTrailerStart;
        break;
      case State::kLastLineFeed:
        bad_ = c != '\n';
        complete_ = !bad_;
        break;
    }
    ++at;
  }
  return at;
}

std::string unchunked(std::string_view body) {
  std::string out;
  while (true) {
    const std::size_t line_end = body.find("\r\n");
    if (line_end == std::string_view::npos) return {};
    std::uint64_t size = 0;
    for (char c : body.substr(0, line_end)) {
      if (c == ';') break;
      const char l = lower(c);
      const bool digit = l >= '0' && l <= '9';
      if (!digit && (l < 'a' || l > 'f')) return {};
      size = size * 16 + static_cast<std::uint64_t>(digit ? l - '0' : l - 'a' + 10);
      if (size > body.size()) return {};
    }
    body.remove_prefix(line_end + 2);
    if (size == 0) return out;
    if (body.size() < size + 2) return {};
    out.append(body.substr(0, static_cast<std::size_t>(size)));
    body.remove_prefix(static_cast<std::size_t>(size) + 2);
  }
}

}  // namespace backstay::gateway::http1
