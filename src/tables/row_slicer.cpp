#include "tables/row_slicer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tables/value_text.hpp"

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxValueBytes = 512;
/// Sketches of many slices at once stay within about a GiB: what one slice may have, up to a number of them.
struct Room {
  std::size_t slices;
  std::size_t columns;
  drift::Resolution resolution;
};
constexpr Room kRooms[] = {{32, drift::Profile::kMaxColumns, drift::QuantileSketch::kFine},
                           {256, 256, drift::QuantileSketch::kUsual},
                           {SIZE_MAX, 64, drift::QuantileSketch::kUsual}};

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

}  // namespace

RowSlicer::RowSlicer(const std::string& name, Partition partition) : name_(name), partition_(std::move(partition)) {
  const bool whole = partition_.column.empty() && partition_.ranges.empty();
  for (std::size_t i = 0; i < (whole ? 1 : partition_.ranges.size()); ++i) by_range_.push_back(open());
  for (std::size_t i = 0; i < partition_.ranges.size(); ++i) waiting_.push_back(i);
  std::stable_sort(waiting_.begin(), waiting_.end(), [this](std::size_t a, std::size_t b) {
    return partition_.ranges[a].first > partition_.ranges[b].first;
  });
}

RowSlicer::RowSlicer(Format format, const std::string& name, Partition partition)
    : RowSlicer(name, std::move(partition)) {
  const bool whole = partition_.column.empty() && partition_.ranges.empty();
  reader_ = make_row_reader(
      format, name, [this](const Row& row) { return take(row); },
      whole || !partition_.digest ? Canonical::kLeftOut : Canonical::kWanted);
}

Result<void> RowSlicer::check_columns(const std::vector<ColumnInfo>& found, const std::string& file) {
  if (head_.empty()) {
    infos_ = found;
    head_ = "[";
    for (const ColumnInfo& column : infos_) {
      if (!names_.empty()) head_ += ',';
      append_json(head_, column.name);
      names_.push_back(column.name);
    }
    head_ += "]\n";
  } else if (infos_ != found) {
    return invalid(fmt::format("{} has other columns than the files before it.", file),
                   "Files of one data set have the same columns, of the same types, in the same order.");
  }
  if (!partition_.digest || (partition_.column.empty() && partition_.ranges.empty())) return {};
  for (const ColumnInfo& column : infos_)
    if (column.type == ColumnType::kNested)
      return Unexpected(
          ErrorCode::kUnsupported,
          fmt::format("The rows of {} have no digest, because its column '{}' is nested.", file, column.name),
          "Begin and end slices with row groups (row_groups: true), use folders like site=a, or name it as one slice.");
  return {};
}

Result<void> RowSlicer::read(TableReader& table, const std::string& file) {
  TRY_DO(check_columns(table.columns(), file));
  if (!partition_.column.empty()) TRY_DO(partition_column());
  while (true) {
    TRY(const ColumnBatch* batch, table.next());
    if (batch == nullptr) return {};
    TRY_DO(take_batch(*batch));
  }
}

Result<void> RowSlicer::take_batch(const ColumnBatch& batch) {
  const bool by_value = !partition_.column.empty();
  const bool has_digest = partition_.digest && (by_value || !partition_.ranges.empty());
  if (!by_value && partition_.ranges.empty()) {
    by_range_[0].rows += batch.rows;
    row_ += batch.rows;
    if (by_range_[0].profile) by_range_[0].profile->add(batch);
    return {};
  }
  std::size_t asked = batch.columns.size();
  if (by_value) {
    TRY(asked, partition_column());
  }
  texts_.resize(batch.columns.size());
  cells_.assign(batch.columns.size(), Cell{});
  for (std::size_t row = 0; row < batch.rows; ++row) {
    begin_ranges();
    if (!partition_.ranges.empty() && under_way_.empty()) {
      ++row_;
      continue;
    }
    for (std::size_t i = 0; i < cells_.size(); ++i)
      if (partition_.profile || i == asked) cells_[i] = batch.columns[i].cell(row, texts_[i]);
    if (has_digest) {
      canonical_ = "[";
      for (const ColumnValues& column : batch.columns) {
        if (canonical_.size() > 1) canonical_ += ',';
        column.append_canonical(row, canonical_);
      }
      canonical_ += "]\n";
    }
    TRY_DO(take({canonical_, cells_}));
  }
  return {};
}

/// Ranges that have the next row are under way, others are not.
void RowSlicer::begin_ranges() {
  while (!waiting_.empty() && partition_.ranges[waiting_.back()].first <= row_) {
    under_way_.push_back(waiting_.back());
    waiting_.pop_back();
  }
  std::erase_if(under_way_, [this](std::size_t i) { return partition_.ranges[i].second < row_; });
}

RowSlicer::Open RowSlicer::open() const {
  Open out;
  if (!partition_.profile) return out;
  const Room* room = kRooms;
  while (by_value_.size() + by_range_.size() >= room->slices) ++room;
  out.profile.emplace(room->columns, room->resolution);
  return out;
}

void RowSlicer::add(Open& slice, const Row& row) {
  if (slice.rows++ == 0 && partition_.digest) slice.hash.update(head());
  if (partition_.digest) slice.hash.update(row.canonical);
  if (slice.profile) slice.profile->add(row);
}

Result<std::size_t> RowSlicer::partition_column() const {
  const std::vector<std::string>& names = columns();
  const auto found = std::find(names.begin(), names.end(), partition_.column);
  // Rows of JSON Lines may lack a key that later ones have: finish() asks again.
  if (found == names.end() && (done_ || !head().empty()))
    return invalid(
        fmt::format("{} has no column '{}'.", name_, partition_.column),
        fmt::format("Its columns: {}.",
                    fmt::join(names.begin(), names.begin() + std::min<std::ptrdiff_t>(20, std::ssize(names)), ", ")));
  return static_cast<std::size_t>(found - names.begin());
}

Result<void> RowSlicer::take(const Row& row) {
  if (!partition_.column.empty()) {
    TRY(const std::size_t column, partition_column());
    const std::string_view value = column < row.cells.size() ? row.cells[column].text : std::string_view();
    auto found = by_value_.find(value);
    if (found == by_value_.end()) {
      const std::size_t limit = max_slices(partition_.profile);
      if (by_value_.size() >= limit || value.size() > kMaxValueBytes)
        return invalid(
            fmt::format("{} has more than {} values in '{}', or one longer than {} bytes.", name_, limit,
                        partition_.column, kMaxValueBytes),
            "Partition by a column with few values, such as a site or a month. With profile: false 10000 are allowed.");
      found = by_value_.emplace(std::string(value), open()).first;
    }
    add(found->second, row);
  } else if (partition_.ranges.empty()) {
    ++by_range_[0].rows;
    if (by_range_[0].profile) by_range_[0].profile->add(row);
  } else {
    begin_ranges();
    for (const std::size_t i : under_way_) add(by_range_[i], row);
  }
  ++row_;
  return {};
}

std::vector<std::string> RowSlicer::warnings_of(const drift::Profile& profile) const {
  std::vector<std::string> out;
  std::vector<std::string> names = columns();
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    out.push_back(
        fmt::format("{} has two columns '{}': profiles tell the first. Give each a name of its own.", name_, *twice));
  if (profile.left_out == 0) return out;
  const std::size_t profiled = names.size() - profile.left_out;
  const Room* room =
      std::find_if(std::begin(kRooms), std::end(kRooms), [&](const Room& each) { return each.columns == profiled; });
  if (room == std::begin(kRooms) || room == std::end(kRooms)) {
    out.push_back(
        fmt::format("{} has {} columns, and the first {} are profiled: drift is not looked for in the others. "
                    "Leave out columns that are no inputs, or keep vectors as lists of numbers.",
                    name_, names.size(), profiled));
  } else {
    const std::size_t most = std::prev(room)->slices;
    out.push_back(fmt::format(
        "{} is cut into {} slices, and of those beyond {} only the first {} of its {} columns are profiled: "
        "drift is not looked for in the others. Cut it into at most {} slices, such as months instead of "
        "days, or leave out columns that are no inputs.",
        name_, by_value_.size() + by_range_.size(), most, profiled, names.size(), most));
  }
  return out;
}

RowSlice RowSlicer::closed(Open& slice) const {
  RowSlice out;
  out.rows = slice.rows;
  if (slice.profile) {
    out.profile = slice.profile->named(columns());
    out.warnings = warnings_of(*out.profile);
    slice.profile.reset();  // Of many slices one of the two is in memory.
  }
  out.sha256 = slice.hash.finish();
  return out;
}

Result<std::vector<RowSlice>> RowSlicer::finish() {
  done_ = true;
  if (!partition_.column.empty()) TRY_DO(partition_column());
  std::vector<RowSlice> out;
  for (auto& [value, slice] : by_value_) {
    out.push_back(closed(slice));
    out.back().value = value;
  }
  for (std::size_t i = 0; i < by_range_.size(); ++i) {
    if (partition_.ranges.empty()) {
      out.push_back(closed(by_range_[i]));
      continue;
    }
    const auto [first, last] = partition_.ranges[i];
    if (last >= row_)
      return invalid(fmt::format("{} has {} rows, so there is no range {}-{}.", name_, row_, first, last),
                     "Rows are counted from 0, without the head.");
    out.push_back(closed(by_range_[i]));
    out.back().first = first;
    out.back().last = last;
  }
  return out;
}

}  // namespace backstay::tables
