#include "tables/profile.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxDistinct = 100;
constexpr std::size_t kMaxColumns = 256;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxNumberBytes = 64;

// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

bool read_number(std::string_view text, double& number) {
  if (text.empty() || text.size() > kMaxNumberBytes) return false;
  const char* begin = text.data() + (text.front() == '+' && text.size() > 1 && text[1] != '-' ? 1 : 0);
  const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), number);
  return problem == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
}

}  // namespace

void Profile::Column::see(std::string_view text) {
  if (more) return;
  const std::uint64_t hash = hash_of(text);
  const auto place = std::lower_bound(seen.begin(), seen.end(), hash);
  if (place != seen.end() && *place == hash) return;
  if (seen.size() == kMaxDistinct) {
    more = true;
  } else {
    seen.insert(place, hash);
  }
}

void Profile::Column::add_number(double number, bool integer) {
  min = numbers == 0 ? number : std::min(min, number);
  max = numbers == 0 ? number : std::max(max, number);
  ++numbers;
  if (integer) ++integers;
  const double total = sum + number;
  compensation += std::abs(sum) >= std::abs(number) ? (sum - total) + number : (number - total) + sum;
  sum = total;
}

void Profile::Column::add(const Cell& cell) {
  if (cell.kind == Cell::Kind::kMissing) return;
  ++present;
  if (cell.kind == Cell::Kind::kNested) {
    ++nested;
    return;
  }
  see(cell.text);
  double number = 0;
  if (cell.kind == Cell::Kind::kBoolean || cell.text == "true" || cell.text == "false") {
    ++booleans;
  } else if (read_number(cell.text, number)) {
    add_number(number, cell.text.find_first_of(".eE") == std::string_view::npos);
  } else {
    ++texts;
  }
}

void Profile::add(const Row& row) {
  ++rows_;
  const std::size_t count = std::min(row.cells.size(), kMaxColumns);
  if (columns_.size() < count) columns_.resize(count);
  for (std::size_t i = 0; i < count; ++i) columns_[i].add(row.cells[i]);
}

std::string Profile::json(const std::vector<std::string>& names) const {
  using nlohmann::json;
  json list = json::array();
  for (std::size_t i = 0; i < columns_.size() && i < names.size(); ++i) {
    const Column& c = columns_[i];
    const int kinds = (c.numbers > 0) + (c.booleans > 0) + (c.texts > 0) + (c.nested > 0);
    const char* type = kinds == 0                                 ? "empty"
                       : kinds > 1                                ? "mixed"
                       : c.numbers > 0 && c.integers == c.numbers ? "integer"
                       : c.numbers > 0                            ? "number"
                       : c.booleans > 0                           ? "boolean"
                       : c.texts > 0                              ? "text"
                                                                  : "nested";
    json column{{"name", names[i].substr(0, kMaxNameBytes)}, {"type", type}, {"missing", rows_ - c.present}};
    if (c.nested < c.present) column["distinct"] = c.seen.size();
    if (c.more) column["distinct_more"] = true;
    const double mean = (c.sum + c.compensation) / static_cast<double>(c.numbers);
    if (c.numbers > 0) {
      column["min"] = c.min;
      column["max"] = c.max;
      if (std::isfinite(mean)) column["mean"] = mean;
    }
    list.push_back(std::move(column));
  }
  const json root{{"profile", "backstay-profile/1"}, {"rows", rows_}, {"columns", std::move(list)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace backstay::tables
