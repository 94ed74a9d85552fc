#include "tables/jsonl_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tables/csv_reader.hpp"

namespace backstay::tables {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxRowBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxColumns = 1024;
constexpr int kMaxDepth = 64;
constexpr const char* kBlanks = " \t\r";

Cell::Kind kind_of(const json& value) {
  if (value.is_null()) return Cell::Kind::kMissing;
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? Cell::Kind::kMissing : Cell::Kind::kText;
  if (value.is_boolean()) return Cell::Kind::kBoolean;
  return value.is_number() ? Cell::Kind::kNumber : Cell::Kind::kNested;
}

/// The numbers of a list; nothing when it has something else, or is longer than is looked into.
void take_numbers(const json& list, std::vector<double>& out) {
  out.clear();
  if (list.size() > kMaxListItems) return;
  for (const json& item : list) {
    if (!item.is_number()) return out.clear();
    out.push_back(item.get<double>());
  }
}

}  // namespace

Result<void> JsonlReader::feed(std::span<const std::byte> bytes) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    text_.append(rest.substr(0, end));
    if (text_.size() > kMaxRowBytes)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} line {} is longer than 16 MiB.", name_, line_),
                        "Is it JSON Lines, with one object per line?");
    if (end == std::string_view::npos) break;
    TRY_DO(take_line());
    rest.remove_prefix(end + 1);
  }
  return {};
}

Result<void> JsonlReader::take_line() {
  const std::size_t first = text_.find_first_not_of(kBlanks);
  if (first == std::string::npos) {
    text_.clear();
    ++line_;
    return {};
  }
  text_.erase(text_.find_last_not_of(kBlanks) + 1);
  text_.erase(0, first);
  bool deep = false;
  json value = json::value_t::discarded;
  try {
    value = json::parse(text_, [&](int depth, json::parse_event_t, const json&) {
      deep = deep || depth > kMaxDepth;
      return !deep;
    });
  } catch (const json::out_of_range&) {
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} line {}: a number is larger than any 64-bit float.", name_, line_),
                      "Write it as a text, or leave it out.");
  } catch (const json::parse_error&) {
    value = json::value_t::discarded;  // Told below.
  }
  if (deep || !value.is_object())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} line {}: the line is no JSON object.", name_, line_),
                      "Write one object per line, nested at most 64 deep.");
  texts_.assign(columns_.size(), "");
  cells_.assign(columns_.size(), Cell{});
  for (const auto& [key, member] : value.items()) {
    auto found = indexes_.find(key);
    if (found == indexes_.end()) {
      if (columns_.size() >= kMaxColumns)
        return Unexpected(ErrorCode::kInvalidArgument,
                          fmt::format("{} line {}: there are more than {} keys.", name_, line_, kMaxColumns),
                          "Write what varies as values, not as keys.");
      found = indexes_.emplace(key, columns_.size()).first;
      columns_.push_back(key);
      texts_.emplace_back();
      cells_.emplace_back();
    }
    Cell& cell = cells_[found->second];
    cell.kind = kind_of(member);
    if (member.is_array()) {
      lists_.resize(std::max(lists_.size(), found->second + 1));
      take_numbers(member, lists_[found->second]);
      cell.list = lists_[found->second];
    }
    if (cell.kind == Cell::Kind::kMissing || cell.kind == Cell::Kind::kNested) continue;
    if (cell.kind == Cell::Kind::kNumber) cell.number = member.get<double>();
    if (cell.kind == Cell::Kind::kBoolean) cell.number = member.get<bool>() ? 1 : 0;
    texts_[found->second] = member.is_string() ? member.get<std::string>() : member.dump();
  }
  for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i].text = texts_[i];
  text_ += '\n';
  TRY_DO(on_row_({text_, cells_}));
  text_.clear();
  ++line_;
  return {};
}

Result<void> JsonlReader::end_file() {
  TRY_DO(take_line());
  line_ = 1;
  return {};
}

std::optional<Format> format_of(std::string_view name) {
  if (name.ends_with(".csv")) return Format::kCsv;
  if (name.ends_with(".tsv")) return Format::kTsv;
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return Format::kJsonl;
  return std::nullopt;
}

std::unique_ptr<RowReader> make_row_reader(Format format, const std::string& name, OnRow on_row, Canonical canonical) {
  if (format == Format::kJsonl) return std::make_unique<JsonlReader>(name, std::move(on_row));
  return std::make_unique<CsvReader>(format == Format::kTsv, name, std::move(on_row), canonical);
}

}  // namespace backstay::tables
