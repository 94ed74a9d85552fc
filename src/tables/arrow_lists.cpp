#include "tables/arrow_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace backstay::tables {

namespace {

constexpr std::uint64_t kItems = 256 * 1024;  ///< That are read at once.

}  // namespace

Unexpected ArrowLists::broken(const char* what) const {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}, column '{}': {}.", file_, field_.info.name, what),
                    "Write the table again.");
}

Result<void> ArrowLists::open(std::uint64_t rows, std::uint64_t missing, std::uint64_t items,
                              std::uint64_t missing_items, const std::vector<ArrowBuffer::Place>& buffers,
                              std::uint64_t& held) {
  at_ = 0;
  item_count_ = items;
  const bool fixed = field_.bytes == 0;
  if (buffers.size() != (fixed ? 3U : 4U)) return broken("it has other buffers than lists of numbers have");
  TRY_DO(present_.open(source_, buffers[0], held));
  if (!fixed) TRY_DO(places_.open(source_, buffers[1], held));
  const std::vector<ArrowBuffer::Place> own(buffers.end() - 2, buffers.end());
  has_missing_ = missing > 0;
  if (missing > rows || (has_missing_ && present_.size() < (rows + 7) / 8))
    return broken("what says which values are missing is too short");
  const auto size = static_cast<std::uint64_t>(field_.list_size);
  if (fixed && size > 0 && items / size < rows) return broken("it has fewer items than its lists");
  return items_.open(items, missing_items, own, held);
}

Result<void> ArrowLists::read_offsets(std::size_t rows) {
  offsets_.resize(rows + 1);
  if (field_.bytes == 0) {
    for (std::size_t i = 0; i <= rows; ++i) offsets_[i] = static_cast<std::int64_t>(at_ + i) * field_.list_size;
    return {};
  }
  const auto width = static_cast<std::uint64_t>(field_.bytes);
  TRY(const std::string_view bytes, places_.read(at_ * width, (rows + 1) * width));
  for (std::size_t i = 0; i <= rows; ++i) {
    std::int32_t narrow = 0;
    if (field_.bytes == 4) {
      std::memcpy(&narrow, bytes.data() + i * sizeof narrow, sizeof narrow);
      offsets_[i] = narrow;
    } else {
      std::memcpy(&offsets_[i], bytes.data() + i * sizeof(std::int64_t), sizeof(std::int64_t));
    }
  }
  if (offsets_[0] < 0 || !std::is_sorted(offsets_.begin(), offsets_.end()) ||
      static_cast<std::uint64_t>(offsets_.back()) > item_count_)
    return broken("its lists overlap, or go beyond their items");
  return {};
}

Result<std::size_t> ArrowLists::available(std::size_t rows) {
  TRY_DO(read_offsets(rows));
  const auto last =
      std::upper_bound(offsets_.begin() + 1, offsets_.end(), offsets_[0] + static_cast<std::int64_t>(kItems));
  return std::max<std::size_t>(1, static_cast<std::size_t>(last - offsets_.begin()) - 1);
}

Result<void> ArrowLists::read(std::size_t rows, ColumnValues& out) {
  out.kept = ColumnValues::Kept::kNested;
  out.type = ColumnType::kNested;
  out.rows = rows;
  out.items.clear();
  out.ends.assign(rows, 0);
  out.present.clear();
  TRY_DO(read_offsets(rows));
  const auto begin = static_cast<std::uint64_t>(offsets_[0]);
  const std::uint64_t count = static_cast<std::uint64_t>(offsets_[rows]) - begin;
  doubles_.clear();
  if (count > 0 && count <= kItems) {  // More is one row's: too long to be looked into.
    items_.go_to(begin);
    TRY_DO(items_.read(static_cast<std::size_t>(count), numbers_));
    numbers_.numbers(doubles_);  // Not a number where an item is missing.
  }
  if (has_missing_) {
    TRY(const std::string_view bits, present_.read(at_ / 8, (at_ % 8 + rows + 7) / 8));
    out.present.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t bit = at_ % 8 + i;
      out.present[i] = (static_cast<unsigned char>(bits[bit / 8]) >> (bit % 8)) & 1;
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const auto from = doubles_.begin() + (offsets_[i] - offsets_[0]);
    const auto size = static_cast<std::size_t>(offsets_[i + 1] - offsets_[i]);
    const bool sound =
        !doubles_.empty() && size <= kMaxListItems && (out.present.empty() || out.present[i] != 0) &&
        std::none_of(from, from + static_cast<std::ptrdiff_t>(size), [](double number) { return std::isnan(number); });
    if (sound) out.items.insert(out.items.end(), from, from + static_cast<std::ptrdiff_t>(size));
    out.ends[i] = out.items.size();
  }
  at_ += rows;
  return {};
}

}  // namespace backstay::tables
