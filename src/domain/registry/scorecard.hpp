#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay::registry {

/// One measured value. Rates and scores are ratios in [0, 1]; latencies are seconds.
struct Metric {
  std::string name;   ///< accuracy, sensitivity, safety, latency_p95_seconds, ...
  std::string group;  ///< The group it was measured on ("age<50"); empty = everyone.
  double value = 0;
  std::uint64_t samples = 0;
  std::optional<double>
      lower;  ///< Confidence limits when the evaluator gives them; else gates compute Wilson's for rates.
  std::optional<double> upper;
  std::string baseline{};  ///< Of a change: the version that it is a change from; empty: none.
};

enum class ScorecardKind { kQuality, kBias, kLatency, kSafety };
const char* to_string(ScorecardKind kind);

/// How a scorecard came into the registry: what stands behind its figures.
enum class Source : std::uint8_t {
  kByHand,      ///< Somebody wrote it: `scorecard add`, or the API.
  kEvaluated,   ///< `backstay evaluate` measured it.
  kSigned,      ///< Imported from a statement whose signature was checked; the evaluator names the key.
  kUnrecorded,  ///< From before sources were recorded. Counts as by hand.
};
const char* to_string(Source source);  ///< "by hand", "evaluated", "signed", "of unrecorded source"
inline bool is_by_hand(Source source) {
  return source == Source::kByHand || source == Source::kUnrecorded;
}

/// What a writer says of itself must not look like what the program says: "backstay evaluate 0.1.0 ...", "..., signed
/// by key ...". kInvalidArgument.
Result<void> check_evaluator(const std::string& evaluator);

/// Measured metrics of a version; append-only.
struct Scorecard {
  ScorecardKind kind = ScorecardKind::kQuality;
  std::string dataset;    ///< What it was measured on.
  std::string evaluator;  ///< Who or what measured it.
  std::vector<Metric> metrics;
  std::optional<double> confidence{};  ///< Of the metrics' limits, when it is known.
  Source source = Source::kByHand;
};

/// Whether a metric of this name lies in [0, 1] by its definition: accuracy, macro_f1, roc_auc, recall_at_10,
/// false_positive_rate, ...
bool is_known_rate(const std::string& name);

/// Whether a metric of this name is an error or a loss, which no bound holds by its definition: log_loss,
/// mean_absolute_error, rmse, r2 (which may be as low as it likes), robustness_log_loss, ... A number of it in [0, 1]
/// is no rate.
bool is_known_error(const std::string& name);

/// Refuses numbers that are not finite, known rates outside of [0, 1] (98.8 for 98.8%), and limits that don't enclose
/// the value.
Result<void> validate(const Scorecard& scorecard);

struct StoredScorecard {
  std::int64_t id = 0;
  Scorecard scorecard;
  Timestamp at;
  std::uint64_t sequence = 0;  ///< Of its entry in the audit log, which tells what came after what; no clock does.
};

}  // namespace backstay::registry
