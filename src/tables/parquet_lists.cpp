#include "tables/parquet_lists.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::tables {

namespace {

constexpr std::size_t kEntries = 4096;      ///< That are read at once.
constexpr std::size_t kItems = 256 * 1024;  ///< That are gathered before rows are given.
constexpr std::size_t kRows = 8192;

}  // namespace

Unexpected ParquetLists::broken(const char* what) const {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}, column '{}': {}.", file_, column_.info.name, what),
                    "Write the table again.");
}

Result<void> ParquetLists::open(const ParquetLayout::Chunk& chunk) {
  items_.clear();
  ends_.clear();
  present_.clear();
  open_ = false;
  looks_ = !chunk.encrypted && is_known(chunk.codec);
  left_ = looks_ ? chunk.values : 0;
  if (!looks_) return {};
  if (chunk.type != column_.type) return broken("a row group does not fit its schema");
  return entries_.open(chunk);
}

void ParquetLists::close_row() {
  const std::size_t begin = ends_.empty() ? 0 : ends_.back();
  if (!open_sound_) items_.resize(begin);
  ends_.push_back(items_.size());
  present_.push_back(open_there_ ? 1 : 0);
  open_ = false;
}

Result<void> ParquetLists::take_entries() {
  TRY(const std::size_t available, entries_.available());
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({available, left_, kEntries}));
  TRY_DO(entries_.read_entries(count, repeats_, levels_, numbers_));
  left_ -= count;
  std::size_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (repeats_[i] == 0) {
      if (open_) close_row();
      open_ = true;
      open_there_ = levels_[i] >= column_.list->there;
      open_sound_ = true;
      open_has_items_ = levels_[i] >= column_.list->item;
    } else if (!open_ || !open_has_items_ || levels_[i] < column_.list->item) {
      return broken("a list goes on that did not begin");
    }
    if (levels_[i] < column_.list->item) continue;
    const bool is_value = levels_[i] == column_.list->value;
    const std::size_t size = items_.size() - (ends_.empty() ? 0 : ends_.back());
    open_sound_ = open_sound_ && is_value && size < kMaxListItems;
    if (open_sound_) items_.push_back(numbers_[next]);
    if (is_value) ++next;
  }
  if (left_ == 0 && open_) close_row();
  return {};
}

Result<std::size_t> ParquetLists::available() {
  if (!looks_) return kRows;
  while (left_ > 0 && (ends_.empty() || (items_.size() < kItems && ends_.size() < kRows))) TRY_DO(take_entries());
  if (ends_.empty()) return broken("it has fewer lists than its row group has rows");
  return ends_.size();
}

void ParquetLists::read(std::size_t rows, ColumnValues& out) {
  out.kept = ColumnValues::Kept::kNested;
  out.type = ColumnType::kNested;
  out.rows = rows;
  out.present.clear();
  out.items.clear();
  out.ends.clear();
  if (!looks_) return;
  const auto count = static_cast<std::ptrdiff_t>(rows);
  out.ends.assign(ends_.begin(), ends_.begin() + count);
  out.present.assign(present_.begin(), present_.begin() + count);
  const std::size_t end = out.ends.back();
  out.items.assign(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(end));
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(end));
  ends_.erase(ends_.begin(), ends_.begin() + count);
  present_.erase(present_.begin(), present_.begin() + count);
  for (std::size_t& each : ends_) each -= end;
}

}  // namespace backstay::tables
