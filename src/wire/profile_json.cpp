#include "wire/profile_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "wire/profile_parts.hpp"
#include "wire/strict_json.hpp"

namespace backstay::wire {

using drift::CategorySketch;
using drift::ColumnProfile;
using nlohmann::json;

namespace {

using Reader = ProfileReader;
using wire::json_of;

/// `compared`: shared categories of the column, ascending.
json json_of(const CategorySketch& sketch, const drift::SharedCategories& shared,
             const std::vector<std::uint32_t>& compared) {
  std::vector<CategorySketch::Entry> told;
  std::uint64_t floor = sketch.floor();
  for (const CategorySketch::Entry& entry : sketch.entries()) {
    if (entry.certain() >= drift::kLeastShared || shared.contains(entry.hash)) {
      told.push_back(entry);
    } else {
      floor = std::max(floor, entry.count);
    }
  }
  if (floor > 0 && sketch.exact()) {
    const auto by_hash = [](const CategorySketch::Entry& a, const CategorySketch::Entry& b) { return a.hash < b.hash; };
    const auto size = static_cast<std::ptrdiff_t>(told.size());
    for (const std::uint32_t hash : compared) {
      const CategorySketch::Entry none{hash, 0, 0};
      const bool is_told = std::binary_search(told.begin(), told.begin() + size, none, by_hash);
      if (!is_told && told.size() < 2 * CategorySketch::kKept) told.push_back(none);
    }
    std::inplace_merge(told.begin(), told.begin() + size, told.end(), by_hash);
  }
  json entries = json::array();
  for (const CategorySketch::Entry& entry : told)
    entries.push_back({fmt::format("{:08x}", entry.hash), entry.count, entry.error});
  return {{"floor", floor}, {"entries", std::move(entries)}};
}

json json_of(const drift::TextProfile& text) {
  json scripts = json::object();
  for (std::size_t i = 0; i < drift::kScripts; ++i)
    if (text.scripts[i] > 0) scripts[drift::to_string(static_cast<drift::Script>(i))] = text.scripts[i];
  return {{"lengths", json_of(text.lengths)}, {"scripts", std::move(scripts)}, {"words", text.words}};
}

json json_of(const std::string& name, const ColumnProfile& c, const drift::SharedCategories& shared) {
  json out{{"name", drift::kept_name(name)}, {"type", c.type()}, {"missing", c.missing}};
  if (c.present() > 0) {
    json kinds = json::object();
    for (const auto& [key, value] : {std::pair{"integers", c.integers},
                                     {"numbers", c.numbers},
                                     {"booleans", c.booleans},
                                     {"texts", c.texts},
                                     {"nested", c.nested}})
      if (value > 0) kinds[key] = value;
    out["kinds"] = std::move(kinds);
  }
  if (c.nested < c.present()) out["distinct"] = c.distinct();
  if (c.numbers > 0) {
    if (std::isfinite(c.min) && std::isfinite(c.max)) {
      out["min"] = c.min;
      out["max"] = c.max;
    }
    if (std::isfinite(c.mean())) out["mean"] = c.mean();
  }
  if (c.quantiles.count() > 0) out["quantiles"] = json_of(c.quantiles);
  if (!c.categories.entries().empty() || c.categories.floor() > 0)
    out["categories"] = json_of(c.categories, shared, shared.compared(name));
  if (c.many_numbers) out["many_numbers"] = true;
  const std::vector<std::uint8_t>& registers = c.distinct_values.registers();
  if (!registers.empty())
    out["registers"] = to_base64({reinterpret_cast<const char*>(registers.data()), registers.size()});
  if (c.texts > 0 && c.text.lengths.count() > 0) out["text"] = json_of(c.text);
  if (c.vectors.count() > 0) out["vectors"] = json_of(c.vectors);
  return out;
}

CategorySketch read_categories(Reader& read, const json& value) {
  std::vector<CategorySketch::Entry> entries;
  const json* list = read.member(value, "entries", true);
  if (list == nullptr || !list->is_array()) {
    read.fail("entries is no list");
    return {};
  }
  for (const json& item : *list) {
    CategorySketch::Entry& entry = entries.emplace_back();
    if (!item.is_array() || item.size() != 3 || !item[0].is_string()) {
      read.fail("a category is not [hash, count, error]");
      return {};
    }
    const auto& hash = item[0].get_ref<const std::string&>();
    const auto [end, wrong] = std::from_chars(hash.data(), hash.data() + hash.size(), entry.hash, 16);
    if (hash.size() != 8 || wrong != std::errc{} || end != hash.data() + hash.size())
      read.fail("a category's hash is not 8 hexadecimal digits");
    entry.count = read.count(&item[1], "a category's count");
    entry.error = read.count(&item[2], "a category's error");
  }
  auto out = CategorySketch::from_entries(std::move(entries), read.count(read.member(value, "floor", true), "floor"));
  if (!out) read.fail("categories are no sketch");
  return out ? *std::move(out) : CategorySketch();
}

drift::DistinctCounter read_registers(Reader& read, const json& value) {
  const auto bytes = value.is_string() ? from_base64(value.get_ref<const std::string&>())
                                       : Result<std::string>(Unexpected(ErrorCode::kInvalidArgument, ""));
  auto out = bytes ? drift::DistinctCounter::from_registers({bytes->begin(), bytes->end()}) : std::nullopt;
  if (!out) read.fail("registers are none");
  return out ? *std::move(out) : drift::DistinctCounter();
}

drift::TextProfile read_text(Reader& read, const json& value) {
  drift::TextProfile out;
  if (const json* lengths = read.member(value, "lengths", true); lengths != nullptr)
    out.lengths = read.quantiles(*lengths);
  const json* scripts = read.member(value, "scripts", true);
  if (scripts == nullptr || !scripts->is_object()) {
    read.fail("scripts is no object");
    return out;
  }
  std::size_t known = 0;
  for (std::size_t i = 0; i < drift::kScripts; ++i) {
    const json* part = read.member(*scripts, drift::to_string(static_cast<drift::Script>(i)));
    out.scripts[i] = read.count(part, "a script's count");
    if (part != nullptr) ++known;
  }
  if (known != scripts->size()) read.fail("scripts has one that is not known");
  const json* words = read.member(value, "words", true);
  if (words == nullptr || !words->is_array() || words->size() != out.words.size()) {
    read.fail("words is not a list of 64 counts");
    return out;
  }
  for (std::size_t i = 0; i < out.words.size(); ++i) out.words[i] = read.count(&(*words)[i], "a word's count");
  return out;
}

void read_sketches(Reader& read, const json& value, ColumnProfile& out) {
  if (const json* kinds = read.member(value, "kinds"); kinds != nullptr) {
    out.integers = read.count(read.member(*kinds, "integers"), "integers");
    out.numbers = read.count(read.member(*kinds, "numbers"), "numbers");
    out.booleans = read.count(read.member(*kinds, "booleans"), "booleans");
    out.texts = read.count(read.member(*kinds, "texts"), "texts");
    out.nested = read.count(read.member(*kinds, "nested"), "nested");
  }
  if (const json* part = read.member(value, "quantiles"); part != nullptr) out.quantiles = read.quantiles(*part);
  if (const json* part = read.member(value, "categories"); part != nullptr)
    out.categories = read_categories(read, *part);
  if (const json* part = read.member(value, "registers"); part != nullptr)
    out.distinct_values = read_registers(read, *part);
  if (const json* part = read.member(value, "text"); part != nullptr) out.text = read_text(read, *part);
  if (const json* part = read.member(value, "vectors"); part != nullptr) out.vectors = read_vectors(read, *part);
  if (const json* part = read.member(value, "many_numbers"); part != nullptr) out.many_numbers = *part == json(true);
  double certain = 0;
  for (const CategorySketch::Entry& entry : out.categories.entries()) certain += static_cast<double>(entry.certain());
  if (out.quantiles.count() > out.numbers || out.text.lengths.count() > out.texts || out.integers > out.numbers ||
      out.vectors.count() + out.vectors.others() > out.nested || certain > static_cast<double>(out.present()))
    read.fail("a sketch has more values than the column");
}

/// What /1 says of kinds. "mixed" does not tell how many of each: one of each, so that none of them is news.
void assume_kinds(const std::string& type, std::uint64_t present, ColumnProfile& out) {
  if (type == "integer") out.integers = present;
  if (type == "integer" || type == "number") out.numbers = present;
  if (type == "boolean") out.booleans = present;
  if (type == "text") out.texts = present;
  if (type == "nested" || type == "other") out.nested = present;
  if (type != "mixed") return;
  out.booleans = present > 1 ? 1 : 0;
  out.nested = present > 2 ? 1 : 0;
  out.texts = present > 3 ? 1 : 0;
  out.numbers = present - out.booleans - out.nested - out.texts;
}

/// Before /3, True and False of a text table were texts.
void read_booleans_of_texts(ColumnProfile& column) {
  static constexpr struct {
    std::string_view text;
    bool value;
  } kSpelled[] = {{"True", true}, {"False", false}, {"TRUE", true}, {"FALSE", false}};
  std::vector<CategorySketch::Entry> booleans;
  std::uint64_t known = 0;
  for (const CategorySketch::Entry& entry : column.categories.entries()) {
    const auto* const found = std::find_if(std::begin(kSpelled), std::end(kSpelled), [&](const auto& spelled) {
      return drift::category_of(drift::hash_of_text(spelled.text)) == entry.hash;
    });
    if (found == std::end(kSpelled)) return;
    known += entry.count;
    booleans.push_back({drift::category_of(drift::hash_of_boolean(found->value)), entry.count, entry.error});
  }
  if (column.texts == 0 || known != column.texts || column.present() != column.texts) return;
  std::sort(booleans.begin(), booleans.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
  auto categories = CategorySketch::from_entries(std::move(booleans), column.categories.floor());
  if (!categories) return;
  column.categories = *std::move(categories);
  column.booleans = column.texts;
  column.texts = 0;
  column.text = drift::TextProfile();
}

drift::Profile::Named read_column(Reader& read, const json& value, std::uint64_t rows, bool has_sketches,
                                  bool before_booleans) {
  drift::Profile::Named out;
  const json* name = read.member(value, "name", true);
  const json* type = read.member(value, "type", true);
  if (name == nullptr || !name->is_string() || type == nullptr || !type->is_string()) {
    read.fail("a column has no name or type");
    return out;
  }
  out.name = name->get<std::string>();
  if (!has_sketches) out.name = drift::kept_name(out.name);
  if (drift::kept_name(out.name) != out.name) read.fail("a column's name is too long");
  ColumnProfile& column = out.column;
  column.missing = read.count(read.member(value, "missing"), "missing");
  if (column.missing > rows) read.fail("more values are missing than there are rows");
  if (!read.ok()) return out;
  if (has_sketches) {
    read_sketches(read, value, column);
    if (before_booleans && read.ok()) read_booleans_of_texts(column);
  } else {
    assume_kinds(type->get<std::string>(), rows - column.missing, column);
  }
  // Of a data set whose slices have other columns, a column has the rows of those that have it.
  if (read.ok() && (has_sketches ? column.rows() > rows : column.rows() != rows))
    read.fail("a column's counts are not those of its rows");
  column.distinct_counted = read.count(read.member(value, "distinct"), "distinct");
  const json* min = read.member(value, "min");
  const json* max = read.member(value, "max");
  column.min = read.number(min, "min");
  column.max = read.number(max, "max");
  if (column.min > column.max) read.fail("min is above max");
  // Without extremes (a Parquet footer need not have them) there is no range that anything could leave.
  if (min == nullptr || max == nullptr) {
    column.min = -std::numeric_limits<double>::infinity();
    column.max = std::numeric_limits<double>::infinity();
  }
  column.sum = read.number(read.member(value, "mean"), "mean") * static_cast<double>(column.numbers);
  if (!std::isfinite(column.sum)) read.fail("mean is too large");
  return out;
}

}  // namespace

std::string to_json(const drift::Profile& profile, const drift::SharedCategories& shared) {
  json columns = json::array();
  for (const drift::Profile::Named& each : profile.columns) columns.push_back(json_of(each.name, each.column, shared));
  json root{{"profile", "backstay-profile/4"}, {"rows", profile.rows}, {"columns", std::move(columns)}};
  if (profile.left_out > 0) root["left_out"] = profile.left_out;
  if (profile.pairs.columns().size() > 1) root["pairs"] = json_of(profile.pairs);
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<drift::Profile> profile_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  Reader read;
  drift::Profile out;
  const json* format = read.member(root, "profile", true);
  const bool second = format != nullptr && *format == json("backstay-profile/2");
  const bool has_sketches =
      second || (format != nullptr && (*format == json("backstay-profile/3") || *format == json("backstay-profile/4")));
  if (format != nullptr && !has_sketches && *format != json("backstay-profile/1"))
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is a profile of a form that is not known.", name),
                      "A newer backstay wrote it; read it with that.");
  out.rows = read.count(read.member(root, "rows", true), "rows");
  out.left_out = read.count(read.member(root, "left_out"), "left_out");
  const json* columns = read.member(root, "columns", true);
  if (columns != nullptr && columns->is_array() && columns->size() <= drift::Profile::kMaxColumns) {
    for (const json& each : *columns) {
      if (!read.ok()) break;
      out.columns.push_back(read_column(read, each, out.rows, has_sketches, second));
      if (!read.ok() || out.find(out.columns.back().name) == &out.columns.back().column) continue;
      if (has_sketches) read.fail("a column is there twice");
      out.columns.pop_back();  // Footers of Parquet files may name two alike.
    }
  } else {
    read.fail(fmt::format("columns is no list of at most {}", drift::Profile::kMaxColumns));
  }
  const json* pairs = read.ok() && has_sketches ? read.member(root, "pairs") : nullptr;
  if (pairs != nullptr) out.pairs = read_pairs(read, *pairs, out);
  if (!read.ok())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is no profile: {}.", name, read.problem()),
                      "Run backstay fsck when it came from the registry.");
  return out;
}

}  // namespace backstay::wire
