#include "domain/search/cursor.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>

#include "base/digest.hpp"

namespace backstay::search {

namespace {

constexpr std::size_t kMarkDigits = 16;  // Tells queries apart; nobody gains by a collision.
constexpr std::size_t kNumberDigits = 16;
constexpr std::size_t kMaxKeyBytes = 2 * kMaxLiteralBytes;

std::string mark_of(const Query& query) {
  return sha256(print(query)).hex().substr(0, kMarkDigits);
}

std::string hex_of(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

Unexpected no_cursor(const char* why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The cursor {}.", why),
                    "Give what the page before gave as its next one, with the same filter; or start without a cursor.");
}

/// Reads from the front; what is not there makes it fail and stay so.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view digits = take(kNumberDigits);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    good_ = good_ && error == std::errc() && end == digits.data() + digits.size();
    return value;
  }
  char letter() {
    const std::string_view one = take(1);
    return one.empty() ? '\0' : one[0];
  }
  std::string text() {
    std::string out;
    while (good_ && !text_.empty()) {
      const std::string_view digits = take(2);
      unsigned value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      good_ = good_ && error == std::errc() && end == digits.data() + digits.size();
      out += static_cast<char>(value);
    }
    return out;
  }
  bool done() const { return good_ && text_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    good_ = good_ && text_.size() >= size;
    if (!good_) return {};
    const std::string_view taken = text_.substr(0, size);
    text_.remove_prefix(size);
    return taken;
  }
  std::string_view text_;
  bool good_ = true;
};

}  // namespace

std::string to_cursor(const Query& query, const Position& position) {
  std::string out = fmt::format("{}{:016x}{:016x}{}", mark_of(query),
                                static_cast<std::uint64_t>(position.now.time_since_epoch().count()), position.id,
                                position.valueless ? '1' : '0');
  if (const auto* number = std::get_if<double>(&position.key))
    return out + fmt::format("d{:016x}", std::bit_cast<std::uint64_t>(*number));
  if (const auto* text = std::get_if<std::string>(&position.key)) return out + "e" + hex_of(*text);
  return out + "0";
}

Result<Position> position_from(const Query& query, const std::string& cursor) {
  if (cursor.size() > 2 * kMaxKeyBytes) return no_cursor("is not one that Backstay made");
  if (cursor.substr(0, kMarkDigits) != mark_of(query)) return no_cursor("is of another filter, or none");
  Reader reader(std::string_view(cursor).substr(kMarkDigits));
  Position position;
  position.now = Timestamp(microseconds(static_cast<std::int64_t>(reader.number())));
  position.id = reader.number();
  const char tail = reader.letter();
  position.valueless = tail == '1';
  const char kind = reader.letter();
  if (kind == 'd') position.key = std::bit_cast<double>(reader.number());
  if (kind == 'e') position.key = reader.text();
  const auto* number = std::get_if<double>(&position.key);
  const bool by_number = query.order.by.kind == Field::Kind::kMetric || query.order.by.kind == Field::Kind::kOrdinal;
  const bool by_text = query.order.by.kind == Field::Kind::kModel || query.order.by.kind == Field::Kind::kVersion;
  const char wanted = position.valueless ? '0' : by_number ? 'd' : by_text ? 'e' : '0';
  if (!reader.done() || (tail != '0' && tail != '1') || kind != wanted ||
      (number != nullptr && !std::isfinite(*number)) || position.id > static_cast<std::uint64_t>(INT64_MAX))
    return no_cursor("is damaged");
  return position;
}

}  // namespace backstay::search
