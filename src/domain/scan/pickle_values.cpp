#include "domain/scan/pickle_values.hpp"

#include <array>

namespace backstay::scan {

namespace {

constexpr std::size_t kMostScattered = 1'000'000;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Reads `digits` hexadecimal digits at `at`; -1 when they are not there.
std::int64_t hex(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  std::int64_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | ((point >> 18) & 0x07));
    tail(12);
    tail(6);
    tail(0);
  }
}

constexpr std::array<std::pair<char, char>, 10> kEscapes{{{'\\', '\\'},
                                                          {'\'', '\''},
                                                          {'"', '"'},
                                                          {'a', '\a'},
                                                          {'b', '\b'},
                                                          {'f', '\f'},
                                                          {'n', '\n'},
                                                          {'r', '\r'},
                                                          {'t', '\t'},
                                                          {'v', '\v'}}};

/// One escape of a byte string, from its letter on; returns how much it took.
std::size_t escape(std::string_view text, std::size_t at, std::string& out) {
  for (const auto& [letter, meaning] : kEscapes) {
    if (text[at] != letter) continue;
    out += meaning;
    return 1;
  }
  if (text[at] == 'x') {
    const std::int64_t value = hex(text, at + 1, 2);
    if (value >= 0) out += static_cast<char>(value);
    return value >= 0 ? 3 : 1;
  }
  std::size_t digits = 0;
  unsigned value = 0;
  while (digits < 3 && at + digits < text.size() && text[at + digits] >= '0' && text[at + digits] <= '7')
    value = value * 8 + static_cast<unsigned>(text[at + digits++] - '0');
  if (digits > 0) {
    out += static_cast<char>(value & 0xFF);
    return digits;
  }
  out += '\\';
  out += text[at];
  return 1;
}

}  // namespace

std::string unquoted(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  if (line.size() >= 2 && (line.front() == '\'' || line.front() == '"')) line = line.substr(1, line.size() - 2);
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '\\' || at + 1 >= line.size()) {
      out += line[at++];
      continue;
    }
    at += 1 + escape(line, at + 1, out);
  }
  return out;
}

std::string raw_unicode(std::string_view line) {
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] != '\\') {
      const auto byte = static_cast<std::uint8_t>(line[at++]);
      append_utf8(out, byte);  // Raw bytes are Latin-1.
      continue;
    }
    std::size_t slashes = 0;
    while (at + slashes < line.size() && line[at + slashes] == '\\') ++slashes;
    at += slashes;
    const char letter = at < line.size() ? line[at] : '\0';
    const std::size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    const std::int64_t point = slashes % 2 == 1 && digits > 0 ? hex(line, at + 1, digits) : -1;
    out.append(point >= 0 ? slashes - 1 : slashes, '\\');
    if (point < 0) continue;
    append_utf8(out, static_cast<std::uint32_t>(point));
    at += 1 + digits;
  }
  return out;
}

Value Texts::add(const std::string& text) {
  if (text.size() > kLongest) return {Value::Kind::kLost, 0, {}};
  const auto known = ids_.find(text);
  if (known != ids_.end()) return {Value::Kind::kText, known->second, {}};
  constexpr std::size_t kOverhead = 64;
  if (bytes_ + text.size() + kOverhead > most_bytes_) return {Value::Kind::kLost, 0, {}};
  bytes_ += text.size() + kOverhead;
  const auto id = static_cast<std::int64_t>(by_id_.size());
  by_id_.push_back(&ids_.emplace(text, id).first->first);
  return {Value::Kind::kText, id, {}};
}

bool Memo::put(std::uint64_t key, Value value) {
  if (key == next_) {
    ++next_;
    while (!scattered_.empty() && *scattered_.begin() == next_) {
      scattered_.erase(scattered_.begin());
      ++next_;
    }
  } else if (key > next_) {
    if (scattered_.size() >= kMostScattered) return false;
    scattered_.insert(key);
  }
  if (value.kind == Value::Kind::kPlain || value.kind == Value::Kind::kNone || value.kind == Value::Kind::kInt) {
    values_.erase(key);  // Looks the same as what isn't remembered.
    return true;
  }
  // Imports are few and matter most: there is room for them when texts have filled the rest.
  constexpr std::size_t kForImports = 100'000;
  const bool is_import = value.kind == Value::Kind::kImport;
  if (values_.size() >= most_ + (is_import ? kForImports : 0) && !values_.contains(key)) {
    full_ = true;
    return true;
  }
  values_[key] = std::move(value);
  return true;
}

std::optional<Value> Memo::get(std::uint64_t key) const {
  const auto found = values_.find(key);
  if (found != values_.end()) return found->second;
  if (key >= next_ && !scattered_.contains(key)) return std::nullopt;
  return Value{full_ ? Value::Kind::kLost : Value::Kind::kPlain, 0, {}};
}

}  // namespace backstay::scan
