#include "tables/profile.hpp"

#include <charconv>
#include <cmath>

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxNumberBytes = 64;

}  // namespace

bool read_number(std::string_view text, double& number) {
  if (text.empty() || text.size() > kMaxNumberBytes) return false;
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
  if (cell.kind == Cell::Kind::kNumber || read_number(cell.text, number))
    return {Kind::kNumber, cell.text.find_first_of(".eE") == std::string_view::npos, number};
  return {Kind::kText, false, 0, cell.text};
}

void Profile::add(const Row& row) {
  values_.clear();
  for (const Cell& cell : row.cells) values_.push_back(value_of(cell));
  rows_.add(values_);
}

}  // namespace backstay::tables
