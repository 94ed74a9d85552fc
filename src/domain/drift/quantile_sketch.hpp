#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace backstay::drift {

/// A value of a sample and how many rows it stands for.
struct Weighted {
  double value = 0;
  double weight = 0;
};

/// How much a sketch keeps.
struct Resolution {
  std::uint32_t k = 200;      ///< Of KLL: a rank is wrong by a standard deviation of 0.9 / k.
  std::size_t exact = 1'024;  ///< Up to so many values all of them.
  bool operator==(const Resolution&) const = default;
};

/// Quantiles of a stream in bounded memory: KLL (Karnin, Lang, Liberty, "Optimal quantile approximation in streams",
/// 2016). Level h holds values that stand for 2^h rows each; a level that is full is sorted and every second value goes
/// one level up; of single values, every 2^j-th of a thousand goes up j levels, four in the end. Up to a number of rows
/// it is exact: all of them are there. Two sketches merge into the sketch of both streams, in any order with the same
/// bounds on the error; what is exact stays so while all fits into the larger of the two. With k = 200 a rank is wrong
/// by a standard deviation of 0.45% (measured by this folder's tests). Which half goes up follows from a counter, not
/// from chance: the same rows in the same order give the same sketch, and so the same profile. A plain value. Not
/// thread-safe.
class QuantileSketch {
 public:
  static constexpr Resolution kUsual{};
  /// Of what is kept for good and compared with again and again.
  static constexpr Resolution kFine{800, 4'096};

  explicit QuantileSketch(Resolution resolution = kUsual) : k_(resolution.k), exact_(resolution.exact) {}

  /// Finite numbers, none of them -0.
  void add(std::span<const double> values);
  void add(double value, std::uint64_t times = 1);
  void merge(const QuantileSketch& other);
  /// Leaves few single values, unless it is exact: for what is stored.
  void settle();

  std::uint64_t count() const { return count_; }
  std::uint32_t k() const { return k_; }
  /// No value was left out: the sketch is the sample.
  bool exact() const { return levels_.size() <= 1; }
  /// As many rows as a sample without a sketch's error would need to tell the whole distribution as well:
  /// 1/(1/n + 3 (2 sd)^2), so that tests that count rows are not surer than they may be.
  double effective_count() const;
  /// Ascending; the weights add up to count().
  std::vector<Weighted> sorted() const;

  /// For storing it: values by level, ascending in all but the lowest.
  std::vector<std::vector<double>> levels() const;
  /// Nothing when the levels can't be those of a sketch: too many, too full, values that are not finite. It is exact as
  /// long as one of kFine.
  static std::optional<QuantileSketch> from_levels(std::uint32_t k, std::vector<std::vector<double>> levels);

 private:
  struct Coin {
    std::uint32_t tosses = 0;
    std::size_t offset = 0;  ///< Which of each pair, or of each 2^j, goes up.
  };
  void add_level();
  /// `fits` single values were added.
  void count_singles(std::size_t fits);
  void compress();
  void compact(std::size_t level);
  void compact_singles();
  std::size_t jump() const;
  std::size_t capacity(std::size_t level) const;
  void set_limit();

  std::uint32_t k_;
  std::size_t exact_;
  std::uint64_t count_ = 0;
  std::size_t held_ = 0;
  std::size_t limit_ = 0;
  std::vector<std::vector<double>> levels_;  ///< Values as they come; they are sorted when somebody asks.
  std::vector<Coin> coins_;
};

/// The smallest value whose rank is at least `q` of all weight; `sample` ascending and not empty.
double quantile(std::span<const Weighted> sample, double q);
/// The share of weight at or below `value`.
double rank(std::span<const Weighted> sample, double value);

}  // namespace backstay::drift
