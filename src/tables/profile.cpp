#include "tables/profile.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxNumberBytes = 64;

/// What most tables have: some digits, perhaps a point among them. Digits and power of ten are exact as doubles, so
/// their quotient is the nearest number (Clinger, "How to read floating point numbers accurately", 1990).
bool read_plain_decimal(std::string_view text, double& number, bool& whole) {
  constexpr std::size_t kExactDigits = 15;
  constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kExactDigits + 1 || text.front() == '.' || text.back() == '.') return false;
  std::uint64_t digits = 0;
  std::size_t point = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = static_cast<unsigned char>(text[i] - '0');
    if (digit <= 9) {
      digits = 10 * digits + digit;
    } else if (text[i] == '.' && point == text.size()) {
      point = i;
    } else {
      return false;
    }
  }
  const std::size_t after = point == text.size() ? 0 : text.size() - point - 1;
  if (text.size() - (after > 0 ? 1 : 0) > kExactDigits) return false;
  whole = after == 0;
  number = static_cast<double>(digits) / kPowers[after];
  if (negative) number = -number;
  return true;
}

}  // namespace

bool read_number(std::string_view text, double& number) {
  if (text.empty() || text.size() > kMaxNumberBytes) return false;
  if (bool whole = false; read_plain_decimal(text, number, whole)) return true;
  const char* begin = text.data() + (text.front() == '+' && text.size() > 1 && text[1] != '-' ? 1 : 0);
  const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), number);
  return problem == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
}

drift::Value value_of(const Cell& cell) {
  using Kind = drift::Value::Kind;
  if (cell.kind == Cell::Kind::kMissing) return {};
  if (cell.kind == Cell::Kind::kNested) return {Kind::kNested, false, 0, {}, cell.list};
  if (cell.kind == Cell::Kind::kBoolean || cell.text == "true" || cell.text == "false")
    return {Kind::kBoolean, false, cell.text == "true" ? 1.0 : 0.0};
  double number = cell.number;
  if (cell.kind == Cell::Kind::kNumber && !std::isfinite(number)) return {};  // NaN is how such tables say missing.
  if (cell.kind == Cell::Kind::kNumber || read_number(cell.text, number)) {
    const bool whole = std::trunc(number) == number && std::none_of(cell.text.begin(), cell.text.end(), [](char c) {
                         return c == '.' || (c | 0x20) == 'e';
                       });
    return {Kind::kNumber, whole, number};
  }
  return {Kind::kText, false, 0, cell.text};
}

void put_row(std::span<const Cell> cells, drift::RowBlock& block) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    double number = 0;
    bool whole = false;
    if (cell.kind == Cell::Kind::kText && !cell.text.empty() && read_plain_decimal(cell.text, number, whole)) {
      block.put_number(i, number, whole);  // What value_of() says, of most cells of most tables.
    } else {
      block.put(i, value_of(cell));
    }
  }
  block.end_row();
}

void Profile::add(const Row& row) {
  put_row(row.cells, block_);
  if (!block_.full()) return;
  rows_.add(block_);
  block_.clear();
}

drift::Profile Profile::named(const std::vector<std::string>& columns) const {
  if (block_.rows() == 0) return rows_.named(columns);
  drift::RowProfile all = rows_;
  all.add(block_);
  return all.named(columns);
}

}  // namespace backstay::tables
