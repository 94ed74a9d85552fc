#include "tables/profile.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxNumberBytes = 64;

bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') <= 9;
}

/// The number that 8 digits are, the first of them in the lowest byte, if they are: pairs, then fours, then all of them
/// are put together at once (Lemire, "Quickly parsing eight digits", 2018).
bool read_eight_digits(std::uint64_t text, std::uint64_t& number) {
  const std::uint64_t above_nine = text + 0x0606060606060606ULL;
  if ((((text & 0xf0f0f0f0f0f0f0f0ULL) | ((above_nine & 0xf0f0f0f0f0f0f0f0ULL) >> 4))) != 0x3333333333333333ULL)
    return false;
  const std::uint64_t digits = text - 0x3030303030303030ULL;
  const std::uint64_t pairs = digits * 10 + (digits >> 8);
  constexpr std::uint64_t kFirst = 0x000000ff000000ffULL;
  number = ((pairs & kFirst) * (100 + (1'000'000ULL << 32)) + ((pairs >> 16) & kFirst) * (1 + (10'000ULL << 32))) >> 32;
  return true;
}

constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr std::uint64_t kWholePowers[] = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};

/// What most tables have: some digits, perhaps a point among them. Digits and power of ten are exact as doubles, so
/// their quotient is the nearest number (Clinger, "How to read floating point numbers accurately", 1990).
bool read_plain_decimal(std::string_view text, double& number, bool& whole) {
  constexpr std::size_t kExactDigits = 15;
  constexpr std::size_t kEight = sizeof(std::uint64_t);
  const bool negative = text.front() == '-';
  text.remove_prefix(negative ? 1 : 0);
  if (text.empty() || text.size() > kExactDigits + 1 || !is_digit(text.front()) || !is_digit(text.back())) return false;
  std::uint64_t digits = 0;
  std::size_t i = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) digits = 10 * digits + static_cast<std::uint64_t>(text[i] - '0');
  whole = i == text.size();
  if (whole ? i > kExactDigits : text[i] != '.') return false;
  const std::size_t after = whole ? 0 : text.size() - i - 1;
  if (after > 0 && after <= kEight && text.size() >= kEight && std::endian::native == std::endian::little) {
    std::uint64_t last = 0;
    std::memcpy(&last, text.data() + text.size() - kEight, kEight);
    const std::size_t before = 8 * (kEight - after);  // Bits of what is not behind the point; zeros instead.
    last = before == 0 ? last : (last >> before << before) | (0x3030303030303030ULL >> (64 - before));
    std::uint64_t fraction = 0;
    if (!read_eight_digits(last, fraction)) return false;
    digits = digits * kWholePowers[after] + fraction;
  } else {
    for (++i; i < text.size(); ++i) {
      if (!is_digit(text[i])) return false;
      digits = 10 * digits + static_cast<std::uint64_t>(text[i] - '0');
    }
  }
  // Signs come as they like: a branch on them would be foreseen wrongly half of the time.
  constexpr double kSigns[] = {1, -1};
  number = kSigns[negative ? 1 : 0] * static_cast<double>(digits) / kPowers[after];
  return true;
}

/// Whether a finite number may begin with it, as with no letter.
bool begins_number(char c) {
  return c >= '+' && c <= '9';
}

/// Whether a boolean may begin with it.
bool begins_boolean(char c) {
  return (c | 0x20) == 't' || (c | 0x20) == 'f';
}

/// What value_of() says of a text that is not empty, with less to do for most of them.
void put_text(std::size_t column, std::string_view text, drift::RowBlock& block, std::size_t ahead = 0) {
  if (begins_number(text.front())) {
    double number = 0;
    bool whole = false;
    if (read_plain_decimal(text, number, whole)) return block.put_number(column, number, whole, ahead);
  } else if (!begins_boolean(text.front())) {
    return block.put_text(column, text, ahead);
  }
  block.put(column, value_of({Cell::Kind::kText, text}), ahead);
}

}  // namespace

bool read_number(std::string_view text, double& number) {
  if (text.empty() || text.size() > kMaxNumberBytes || !begins_number(text.front())) return false;
  if (bool whole = false; read_plain_decimal(text, number, whole)) return true;
  const char* begin = text.data() + (text.front() == '+' && text.size() > 1 && text[1] != '-' ? 1 : 0);
  const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), number);
  return problem == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
}

std::optional<bool> read_boolean(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

drift::Value value_of(const Cell& cell) {
  using Kind = drift::Value::Kind;
  if (cell.kind == Cell::Kind::kMissing) return {};
  if (cell.kind == Cell::Kind::kNested) return {Kind::kNested, false, 0, {}, cell.list};
  if (cell.kind == Cell::Kind::kBoolean) return {Kind::kBoolean, false, cell.text == "true" ? 1.0 : 0.0};
  if (const std::optional<bool> boolean = read_boolean(cell.text)) return {Kind::kBoolean, false, *boolean ? 1.0 : 0.0};
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

// What value_of() says of each, with less to do for most cells of most tables.
void put_row(std::span<const Cell> cells, drift::RowBlock& block) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (cell.kind == Cell::Kind::kText && !cell.text.empty()) {
      put_text(i, cell.text, block);
    } else {
      block.put(i, value_of(cell));
    }
  }
  block.end_row();
}

namespace {

/// Whether all that it has are numbers of which every text has a point, an exponent, or none of them has.
bool is_plain_number(const ColumnValues& column) {
  using As = ValueForm::As;
  if (column.kept == ColumnValues::Kept::kDoubles) return true;
  return column.kept == ColumnValues::Kept::kIntegers && column.type == ColumnType::kInteger &&
         (column.form.as == As::kPlain || column.form.as == As::kUnsigned);
}

/// Has the values fetched that come next: so many columns at once are more than a processor foresees.
template <class Value>
void fetch(const std::vector<Value>& values, std::size_t first, std::size_t count) {
  constexpr std::size_t kInALine = 64 / sizeof(Value);
  for (std::size_t i = first; i < std::min(first + count, values.size()); i += kInALine) __builtin_prefetch(&values[i]);
}

void put_column(const ColumnValues& column, std::size_t first, std::size_t count, std::size_t place,
                drift::RowBlock& block) {
  if (is_plain_number(column)) {
    const bool whole = column.kept == ColumnValues::Kept::kIntegers;
    if (!whole && column.present.empty()) {
      fetch(column.doubles, first + count, count);
      return block.put_numbers(place, std::span(column.doubles).subspan(first, count), false);
    }
    std::array<double, drift::RowBlock::kRows> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers[i] = column.number(first + i);
    return block.put_numbers(place, std::span(numbers).first(count), whole);
  }
  if (column.kept == ColumnValues::Kept::kTexts && column.type == ColumnType::kText &&
      column.form.as == ValueForm::As::kPlain) {
    block.put(place, {});  // All may be missing.
    fetch(column.texts, first + count, count);
    for (std::size_t i = 0; i < count; ++i)
      if (!column.missing(first + i)) put_text(place, column.texts[first + i], block, i);
    return;
  }
  std::string scratch;
  for (std::size_t i = 0; i < count; ++i) {
    const Cell cell = column.cell(first + i, scratch);
    if (cell.kind == Cell::Kind::kText && !cell.text.empty()) {
      put_text(place, cell.text, block, i);
    } else {
      block.put(place, value_of(cell), i);
    }
  }
}

}  // namespace

void put_rows(const ColumnBatch& batch, std::size_t first, std::size_t count, drift::RowBlock& block) {
  for (std::size_t i = 0; i < batch.columns.size(); ++i) put_column(batch.columns[i], first, count, i, block);
  block.end_rows(count);
}

void Profile::add(const Row& row) {
  put_row(row.cells, block_);
  if (block_.full()) take_block();
}

void Profile::add(const ColumnBatch& batch) {
  std::size_t count = 0;
  for (std::size_t first = 0; first < batch.rows; first += count) {
    count = std::min(batch.rows - first, block_.room());
    put_rows(batch, first, count, block_);
    if (block_.full()) take_block();
  }
}

void Profile::take_block() {
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
