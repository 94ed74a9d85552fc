#include "tables/row_slicer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/profile_json.hpp"

namespace backstay::tables {

namespace {

constexpr std::size_t kMaxValueBytes = 512;
constexpr std::size_t kWideSlices = 256;
constexpr std::size_t kNarrow = 64;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

}  // namespace

RowSlicer::RowSlicer(Format format, const std::string& name, Partition partition)
    : name_(name),
      partition_(std::move(partition)),
      reader_(make_row_reader(format, name, [this](const Row& row) { return take(row); })) {
  const bool whole = partition_.column.empty() && partition_.ranges.empty();
  for (std::size_t i = 0; i < (whole ? 1 : partition_.ranges.size()); ++i) by_range_.push_back(open());
}

RowSlicer::Open RowSlicer::open() const {
  Open out;
  // Sketches of many slices at once stay within about a GiB.
  if (partition_.profile)
    out.profile.emplace(by_value_.size() + by_range_.size() < kWideSlices ? drift::Profile::kMaxColumns : kNarrow);
  return out;
}

void RowSlicer::add(Open& slice, const Row& row) {
  if (slice.rows++ == 0) slice.hash.update(reader_->canonical_head());
  slice.hash.update(row.canonical);
  if (slice.profile) slice.profile->add(row);
}

Result<std::size_t> RowSlicer::partition_column() const {
  const std::vector<std::string>& columns = reader_->columns();
  const auto found = std::find(columns.begin(), columns.end(), partition_.column);
  // Rows of JSON Lines may lack a key that later ones have: finish() asks again.
  if (found == columns.end() && (done_ || !reader_->canonical_head().empty()))
    return invalid(fmt::format("{} has no column '{}'.", name_, partition_.column),
                   fmt::format("Its columns: {}.",
                               fmt::join(columns.begin(),
                                         columns.begin() + std::min<std::ptrdiff_t>(20, std::ssize(columns)), ", ")));
  return static_cast<std::size_t>(found - columns.begin());
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
    for (std::size_t i = 0; i < by_range_.size(); ++i)
      if (partition_.ranges[i].first <= row_ && row_ <= partition_.ranges[i].second) add(by_range_[i], row);
  }
  ++row_;
  return {};
}

RowSlice RowSlicer::closed(Open& slice) const {
  RowSlice out;
  out.rows = slice.rows;
  if (slice.profile) out.profile = wire::to_json(slice.profile->named(reader_->columns()));
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
