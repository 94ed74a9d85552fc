#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/drift/bins.hpp"
#include "domain/guardrails/rate_tests.hpp"

/// Drift of a stream that is looked at after every row.
namespace backstay::drift {

struct WatchPlan {
  /// How far a share may move before it is drift at all: a point null against finite training data always rejects in
  /// the end.
  double tolerance = 0.02;
  /// Chance that the training shares themselves are further off than is allowed for (Dvoretzky, Kiefer, Wolfowitz).
  double delta = 0.01;
  /// Chance of an alarm, ever, while nothing drifts. Several watches divide it among them (Bonferroni): alarms latch.
  double alpha = 0.01;
  guardrails::RestartPlan restarts = guardrails::kUsualRestarts;
};

/// One column of a stream against its training profile, by an e-process that may be looked at at any time. Per tenth of
/// the training rows and direction (per category: more and less of it) one test of a rate (guardrails/rate_tests.hpp)
/// against the training share plus eps,
///     eps = tolerance + sqrt(ln(2 / delta) / (2 N_training)),
/// and their average. Rows that lack a value tell nothing. A plain value of about 100 KiB at most. Not thread-safe.
class ColumnWatch {
 public:
  struct Alarm {
    std::uint64_t at = 0;     ///< Rows of the stream until it was sure.
    std::uint64_t since = 0;  ///< The row at which it most likely began (the greatest likelihood ratio).
    std::string what;         ///< "at most 12.5", "above 3", "category 9f3a01bc", "other categories"
    double training = 0;      ///< Share of that then ...
    double live = 0;          ///< ... and since.
  };

  /// Watches nothing when the training profile knows no distribution.
  ColumnWatch(const ColumnProfile& training, const WatchPlan& plan);
  void observe_number(double value) { observe(bins_.bin_of(value)); }
  void observe_category(std::uint32_t category) { observe(bins_.bin_of(category)); }
  void observe_missing() { ++rows_; }
  /// The column's values in the next rows; the same as one after the other.
  void observe(const RowBlock::Column& column, std::size_t rows);

  const Bins& bins() const { return bins_; }
  bool watches() const { return !processes_.empty(); }
  /// ln of the evidence now; for deciding over several columns at one moment (e-BH).
  double log_e() const;
  /// The first time the evidence reached 1/alpha, if it did.
  const std::optional<Alarm>& alarm() const { return alarm_; }

 private:
  struct Process {
    std::size_t bin = 0;
    bool upwards = true;  ///< More of the event than in training; else less.
    double share = 0;     ///< In training.
    guardrails::AbsoluteRateTest test;
  };
  struct Mark {
    std::uint64_t row = 0;
    std::vector<std::uint64_t> counts;
  };
  static constexpr std::size_t kMaxMarks = 512;
  /// Looking costs more than a row does: first every 32 rows, then after each 128th part of all there were.
  static constexpr std::uint64_t kLookEvery = 32;
  static constexpr std::uint64_t kLookAtLeastEvery = 1'024;
  static constexpr std::uint64_t kLookShare = 128;

  using RowBins = std::array<std::int64_t, RowBlock::kRows>;
  /// Which rows have a value that tells something; `bins`: of those.
  std::uint64_t find_bins(const RowBlock::Column& column, RowBins& bins) const;
  void observe(std::size_t bin);
  void look();
  void settle();
  void mark();
  /// Of the values in `counts`, those of the event: at most the bin's edge, or in the category.
  std::uint64_t hits(const std::vector<std::uint64_t>& counts, std::size_t bin) const;
  Alarm explain() const;

  Bins bins_;
  WatchPlan plan_;
  double log_limit_ = 0;
  std::vector<Process> processes_;
  std::vector<std::uint64_t> pending_;  ///< Values per bin since the last look.
  std::vector<std::uint64_t> counts_;   ///< Before that.
  std::uint64_t values_ = 0;            ///< In pending_ and counts_.
  std::uint64_t rows_ = 0;
  std::uint64_t since_look_ = 0;
  std::uint64_t look_after_ = kLookEvery;
  std::uint64_t since_restart_ = 0;
  std::uint64_t marked_ = 0;  ///< values_ at the last mark.
  std::uint64_t mark_every_ = kLookEvery;
  std::vector<Mark> marks_;
  std::optional<Alarm> alarm_;
};

/// Concept drift: errors become more frequent than they were allowed to be. Shiryaev-Roberts e-detector (Shin, Ramdas,
/// Rinaldo, "E-detectors", 2023): S_j = (S_j + 1) f_j over the grid of guardrails::AbsoluteRateTest, alarm when their
/// mean reaches `run_length`: while P(error | past) <= p0 the mean time to a false alarm is at least that many rows.
/// An alert, not a rollback: it does fire in the end. Needs no memory of a long healthy past to win back.
class ErrorDetector {
 public:
  /// `p0` in (0, 1).
  ErrorDetector(double p0, double run_length);
  /// True once, when the alarm is given; it starts anew after that.
  bool observe(bool error);
  double log_statistic() const;
  std::uint64_t alarms() const { return alarms_; }

 private:
  static constexpr std::size_t kGrid = 6;
  double log_run_length_;
  std::array<double, kGrid> error_factor_{};
  std::array<double, kGrid> good_factor_{};
  std::array<double, kGrid> statistic_{};
  std::uint64_t alarms_ = 0;
};

}  // namespace backstay::drift
