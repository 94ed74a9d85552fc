#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/guardrails/latency.hpp"
#include "domain/guardrails/rate_tests.hpp"

/// Guardrails: a signal, an objective, a sequential test, an action. Pure values; the monitor feeds them.
namespace backstay::guardrails {

struct Predicate {
  enum class Op : std::uint8_t { kAtLeast, kAbove, kAtMost, kBelow };
  Op op = Op::kAtLeast;
  double value = 0;
  bool holds(double x) const;
  bool operator==(const Predicate&) const = default;
};

/// What is measured on each request.
struct Signal {
  enum class Kind : std::uint8_t {
    kError,          ///< The version failed (see traffic::is_error).
    kLatency,        ///< Seconds from sending the request to the last byte of the answer.
    kResponseValue,  ///< A number in the response: by JSON pointer or header.
    kFeedback,       ///< Whether the prediction was right, known when its label arrives.
  };
  enum class Among : std::uint8_t { kAll, kPositives, kNegatives };

  Kind kind = Kind::kError;
  std::string json_pointer;          ///< Where the value is; for kFeedback: the predicted score.
  std::string header;                ///< Or the response header it is in.
  std::optional<Predicate> ok_when;  ///< kResponseValue: good or bad; without it the value is a score in [0, 1].
  double positive_at = 0.5;          ///< kFeedback: a score from here on predicts "positive".
  Among among = Among::kAll;         ///< kFeedback: judge only cases whose label is so: positives give sensitivity.
  bool operator==(const Signal&) const = default;
};

/// What the signal must be.
struct Objective {
  enum class Kind : std::uint8_t {
    kAtLeast,  ///< The share of good outcomes, or the mean score, is at least `bound`.
    kAtMost,   ///< kError: the bad share is at most `bound`. kLatency: the `quantile` is at most `bound` seconds.
    kRelativeToStable,  ///< Bad at most `tolerance` times as often as stable.
  };
  Kind kind = Kind::kRelativeToStable;
  double bound = 0;
  double tolerance = 1.0;
  double quantile = 0.99;
  double slack_seconds = 0.005;  ///< kRelativeToStable, kLatency: how much slower than stable nobody minds.
  bool operator==(const Objective&) const = default;
};

enum class Action : std::uint8_t { kRollBack, kPause, kFlag };
const char* to_string(Action action);

struct GuardrailSpec {
  std::string name;
  Signal signal;
  Objective objective;
  double alpha = 0.01;                 ///< Chance of ever acting on a version that meets the objective.
  std::uint64_t min_samples = 0;       ///< Candidate outcomes before it may act.
  std::optional<milliseconds> window;  ///< Only this long after the candidate's first outcome ("the first hour").
  Action action = Action::kRollBack;
  bool operator==(const GuardrailSpec&) const = default;
};
/// Refuses combinations that have no test, with what to write instead.
Result<void> validate(const GuardrailSpec& spec);

/// One outcome as a guardrail sees it.
struct Measurement {
  bool candidate = false;
  double assignment_probability = 0;  ///< The chance the request had of going to the candidate.
  /// kError: 1 bad, 0 good. kLatency: seconds. kResponseValue: the number, NaN when there was none. kFeedback: 1 right,
  /// 0 wrong.
  double value = 0;
  std::uint64_t cluster = 0;  ///< Hash of the sticky key; 0 = none.
  Monotonic at;
};

/// For kFeedback: whether a prediction was right; nullopt when the case is not among those that are judged.
std::optional<bool> was_right(const Signal& signal, double predicted_score, double label);

/// What was seen and what it means, for people and for the audit log.
struct Evidence {
  std::string name;
  Action action = Action::kRollBack;
  double log_e = 0;      ///< ln of the e-value now, or at the moment of the breach.
  double log_limit = 0;  ///< ln(1/alpha).
  std::uint64_t candidate_n = 0;
  std::uint64_t candidate_bad = 0;
  std::uint64_t stable_n = 0;
  std::uint64_t stable_bad = 0;
  std::uint64_t missing = 0;  ///< Responses without the value; they count as bad.
  double candidate_mean = 0;  ///< Of scores and latencies.
  double stable_mean = 0;
  bool breached = false;
  std::string sentence;
};

/// The keys that were seen already: relative tests bet once per sticky user. Bounded: when it is full unseen keys count
/// as seen, which only makes the test slower.
class ClusterSet {
 public:
  /// True the first time. 0 is never remembered.
  bool insert(std::uint64_t key);

 private:
  static constexpr std::size_t kSlots = 1 << 16;
  std::vector<std::uint64_t> slots_;
  std::size_t used_ = 0;
};

/// One guardrail at work. Not thread-safe.
class Guardrail {
 public:
  /// `alpha`: this guardrail's part of what the rollout may spend.
  Guardrail(GuardrailSpec spec, double alpha);

  /// True when this observation made it breach. After that nothing changes any more.
  bool observe(const Measurement& measurement);
  bool breached() const { return breached_; }
  double log_e() const;  ///< ln of the e-value.
  const GuardrailSpec& spec() const { return spec_; }
  Evidence evidence() const;

 private:
  bool observe_rate(const Measurement& m, bool bad);
  bool relative() const { return spec_.objective.kind == Objective::Kind::kRelativeToStable; }
  std::string sentence(const Evidence& evidence) const;

  GuardrailSpec spec_;
  double log_limit_;
  std::variant<AbsoluteRateTest, RelativeRateTest, BoundedMeanTest, RelativeLatencyTest> test_;
  ClusterSet clusters_;
  std::optional<Monotonic> first_at_;
  bool breached_ = false;
  std::uint64_t candidate_n_ = 0, candidate_bad_ = 0, stable_n_ = 0, stable_bad_ = 0, missing_ = 0;
  double candidate_sum_ = 0, stable_sum_ = 0;
};

/// Errors and latency against stable: what every rollout has when nothing else is configured.
std::vector<GuardrailSpec> default_guardrails();

}  // namespace backstay::guardrails
