#include "tables/choose_columns.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::tables {

Result<std::vector<std::size_t>> choose_columns(const std::vector<ColumnInfo>& all, const TableOptions& options) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; options.columns.empty() && i < all.size(); ++i) out.push_back(i);
  for (const std::string& name : options.columns) {
    const auto has_name = [&](const ColumnInfo& each) { return each.name == name; };
    const auto found = std::find_if(all.begin(), all.end(), has_name);
    if (found == all.end()) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < std::min<std::size_t>(all.size(), 20); ++i) names.push_back(all[i].name);
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} has no column '{}'.", options.name, name),
                        fmt::format("Its columns: {}{}.", fmt::join(names, ", "), all.size() > 20 ? ", ..." : ""));
    }
    if (std::find_if(std::next(found), all.end(), has_name) != all.end())
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} has two columns '{}'.", options.name, name),
                        "Give the columns of a table different names.");
    out.push_back(static_cast<std::size_t>(found - all.begin()));
  }
  return out;
}

std::size_t rows_of_a_batch(std::size_t columns) {
  constexpr std::size_t kCells = 4'000'000;
  return std::clamp<std::size_t>(kCells / std::max<std::size_t>(columns, 1), 16, 8192);
}

}  // namespace backstay::tables
