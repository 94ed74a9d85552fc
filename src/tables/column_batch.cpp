#include "tables/column_batch.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "base/text.hpp"
#include "tables/value_text.hpp"

namespace backstay::tables {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMaxNumberBytes = 96;  ///< A decimal of 256 bits has 77 digits.

}  // namespace

double number_of(const Cell& cell) {
  if (cell.kind == Cell::Kind::kNumber || cell.kind == Cell::Kind::kBoolean) return cell.number;
  const std::string_view text = cell.text;
  if (cell.kind != Cell::Kind::kText || text.size() > kMaxNumberBytes) return kNone;
  const char* begin = text.data() + (text.front() == '+' && text.size() > 1 && text[1] != '-' ? 1 : 0);
  double number = 0;
  const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), number);
  return problem == std::errc{} && end == text.data() + text.size() && std::isfinite(number) ? number : kNone;
}

const char* to_string(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean: return "boolean";
    case ColumnType::kInteger: return "integer";
    case ColumnType::kNumber: return "number";
    case ColumnType::kText: return "text";
    case ColumnType::kNested: return "nested";
    case ColumnType::kMixed: return "mixed";
  }
  return "mixed";
}

std::span<const double> ColumnValues::list(std::size_t row) const {
  if (row >= ends.size()) return {};
  const std::size_t begin = row == 0 ? 0 : ends[row - 1];
  return std::span(items).subspan(begin, ends[row] - begin);
}

bool ColumnValues::missing(std::size_t row) const {
  if (kept == Kept::kCells) return cells[row].kind == Cell::Kind::kMissing;
  return (!present.empty() && present[row] == 0) || (kept == Kept::kTexts && texts[row].empty());
}

double ColumnValues::number(std::size_t row) const {
  if (kept == Kept::kCells) return number_of(cells[row]);
  if (kept == Kept::kNested || missing(row)) return kNone;
  if (kept == Kept::kDoubles) return doubles[row];
  if (kept == Kept::kTexts)
    return form.as == ValueForm::As::kBytes ? kNone : number_of({Cell::Kind::kText, texts[row]});
  switch (form.as) {
    case ValueForm::As::kPlain: return static_cast<double>(integers[row]);
    case ValueForm::As::kUnsigned: return static_cast<double>(static_cast<std::uint64_t>(integers[row]));
    case ValueForm::As::kDecimal: {
      // The nearest number to the text, which a division of two rounded numbers is not always.
      constexpr std::int64_t kExact = std::int64_t{1} << 53;
      constexpr double kPowers[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
      const std::int64_t unscaled = integers[row];
      if (form.scale >= 0 && form.scale <= 18 && unscaled < kExact && unscaled > -kExact)
        return static_cast<double>(unscaled) / kPowers[form.scale];
      std::string text;
      append_decimal(text, unscaled, form.scale);
      return number_of({Cell::Kind::kText, text});
    }
    default: return kNone;  // A point in time is a text.
  }
}

void ColumnValues::numbers(std::vector<double>& out) const {
  if (kept == Kept::kDoubles) {
    out = doubles;
  } else if (kept == Kept::kIntegers && form.as == ValueForm::As::kPlain) {
    out.assign(integers.begin(), integers.end());
  } else {
    out.resize(rows);
    for (std::size_t row = 0; row < rows; ++row) out[row] = number(row);
    return;
  }
  for (std::size_t row = 0; row < present.size(); ++row)
    if (present[row] == 0) out[row] = kNone;
}

void ColumnValues::append_text(std::size_t row, std::string& out) const {
  if (kept == Kept::kDoubles) return append_double(out, doubles[row]);
  if (kept == Kept::kTexts) {
    if (form.as == ValueForm::As::kBytes && !is_utf8(texts[row])) return append_hex(out, texts[row]);
    out += texts[row];
    return;
  }
  const std::int64_t value = integers[row];
  if (type == ColumnType::kBoolean) {
    out += value != 0 ? "true" : "false";
    return;
  }
  switch (form.as) {
    case ValueForm::As::kDate: return append_date(out, value);
    case ValueForm::As::kTime: return append_time(out, value, form.scale);
    case ValueForm::As::kTimestamp: return append_timestamp(out, value, form.scale, form.utc);
    case ValueForm::As::kDecimal: return append_decimal(out, value, form.scale);
    case ValueForm::As::kUnsigned:
      fmt::format_to(std::back_inserter(out), "{}", static_cast<std::uint64_t>(value));
      return;
    default: fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

Cell ColumnValues::cell(std::size_t row, std::string& scratch) const {
  if (kept == Kept::kCells) return cells[row];
  if (missing(row)) return {};
  if (kept == Kept::kNested) return {.kind = Cell::Kind::kNested, .text = {}, .list = list(row)};
  Cell out;
  out.kind = type == ColumnType::kBoolean                                  ? Cell::Kind::kBoolean
             : type == ColumnType::kInteger || type == ColumnType::kNumber ? Cell::Kind::kNumber
                                                                           : Cell::Kind::kText;
  if (kept == Kept::kTexts && (form.as != ValueForm::As::kBytes || is_utf8(texts[row]))) {
    out.text = texts[row];
  } else {
    scratch.clear();
    append_text(row, scratch);
    out.text = scratch;
  }
  if (out.kind != Cell::Kind::kText) out.number = number(row);
  return out;
}

void ColumnValues::append_canonical(std::size_t row, std::string& out) const {
  if (!present.empty() && present[row] == 0) {
    out += "null";
  } else if (kept == Kept::kTexts && form.as == ValueForm::As::kBytes && !is_utf8(texts[row])) {
    // No text has this form, so bytes are never taken for one.
    out += "{\"hex\":\"";
    std::string hex;
    append_hex(hex, texts[row]);
    out.append(hex, 2);
    out += "\"}";
  } else if (kept == Kept::kTexts) {
    append_json(out, texts[row]);
  } else if (kept == Kept::kDoubles && !std::isfinite(doubles[row])) {
    out += std::isnan(doubles[row]) ? "NaN" : doubles[row] > 0 ? "Infinity" : "-Infinity";
  } else if (type == ColumnType::kText || form.as == ValueForm::As::kDecimal) {
    out += '"';
    append_text(row, out);
    out += '"';
  } else {
    append_text(row, out);
  }
}

}  // namespace backstay::tables
