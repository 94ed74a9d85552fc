#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/drift/co_moments.hpp"
#include "domain/drift/column_profile.hpp"
#include "domain/drift/row_block.hpp"
#include "domain/drift/sequential.hpp"

/// Rows as they come, from a file or from requests.
namespace backstay::drift {

/// Profiles rows whose columns are known by their place; later rows may have more. Not thread-safe.
class RowProfile {
 public:
  /// Columns from max_columns on are left out. `resolution` is that of the first kFineColumns, so that wide rows don't
  /// take much more than narrow ones; others have the usual one at most.
  explicit RowProfile(std::size_t max_columns = Profile::kMaxColumns, Resolution resolution = QuantileSketch::kUsual)
      : max_columns_(max_columns), resolution_(resolution), pending_(max_columns) {}
  static constexpr std::size_t kFineColumns = 256;
  void add(std::span<const Value> row);
  void add(const RowBlock& block);
  std::uint64_t rows() const { return rows_ + pending_.rows(); }
  /// With the columns' names (kept_name), but those in `without`; of two columns of one name the first is told.
  Profile named(const std::vector<std::string>& names, const std::set<std::string>& without = {}) const;

 private:
  void take(const RowBlock& block);

  std::size_t max_columns_;
  Resolution resolution_;
  std::vector<ColumnProfile> columns_;
  std::vector<FrequentTexts> frequent_;  ///< By column: what they were not told yet.
  CoMoments pairs_;
  std::uint64_t rows_ = 0;
  RowBlock pending_;  ///< Of add(row).
};

/// A ColumnWatch for every column that a stream of rows shares with the training profile. Not thread-safe.
class StreamWatch {
 public:
  struct Alarm {
    std::string column;
    ColumnWatch::Alarm alarm;
  };
  /// plan.alpha is for all columns together.
  StreamWatch(const Profile& training, const WatchPlan& plan, const std::set<std::string>& ignored);
  /// Says which column is where in the rows to come; again whenever there are more.
  void set_columns(const std::vector<std::string>& names);
  void observe(const RowBlock& block);
  /// Those given so far, by the row in which they most likely began.
  std::vector<Alarm> alarms() const;
  std::size_t watched() const { return placed_; }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  struct Watched {
    std::string name;
    std::size_t place = kNowhere;
    ColumnWatch watch;
  };
  std::vector<Watched> columns_;
  std::size_t placed_ = 0;
};

}  // namespace backstay::drift
