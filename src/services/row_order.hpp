#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace backstay::services {

/// Whether rows come in the order of their times, but for a few (1%) that are late by more than a fiftieth of the whole
/// stretch: what several threads log is in order, and a file that somebody sorted by something else is not. Of many
/// rows evenly spaced ones are looked at, 4,096 at most. A plain value.
class RowOrder {
 public:
  /// Of the next row; none: it can't be read, and tells nothing.
  void add(std::optional<Timestamp> time);
  bool in_order() const;

 private:
  static constexpr std::size_t kMost = 4'096;
  std::vector<Timestamp> times_;  ///< Of every `every_`th row.
  std::uint64_t every_ = 1;
  std::uint64_t rows_ = 0;
};

}  // namespace backstay::services
