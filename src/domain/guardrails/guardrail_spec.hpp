#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/guardrails/ratio_tests.hpp"
#include "domain/guardrails/spending.hpp"

/// What a guardrail is told to do. Values that wire/rollout_json.hpp reads.
namespace backstay::guardrails {

struct Predicate {
  enum class Op : std::uint8_t { kAtLeast, kAbove, kAtMost, kBelow, kIs };
  Op op = Op::kAtLeast;
  double value = 0;
  std::string text{};  ///< kIs: of texts, which `value` stands for (traffic::text_number); empty: of numbers.
  static Predicate is(const std::string& text);
  /// A text is neither above nor below anything.
  bool holds(double x) const;
  bool operator==(const Predicate&) const = default;
};

/// Where a number, or a text, is in a response, or in a request.
struct Value {
  std::string json_pointer;
  std::string header;
  std::string tensor{};  ///< "scores[0,1]": an element of an output in an Open Inference Protocol answer.
  bool given() const { return !json_pointer.empty() || !header.empty() || !tensor.empty(); }
  /// How many of the three are there: exactly one should be.
  int ways() const { return (json_pointer.empty() ? 0 : 1) + (header.empty() ? 0 : 1) + (tensor.empty() ? 0 : 1); }
  bool operator==(const Value&) const = default;
};

/// What is measured on each request.
struct Signal {
  enum class Kind : std::uint8_t {
    kError,          ///< The version failed (see traffic::is_error).
    kLatency,        ///< Seconds from sending the request to the last byte of the answer.
    kResponseValue,  ///< A number in the response: by JSON pointer or header.
    kFeedback,       ///< Whether the prediction was right, known when its label arrives.
    kFirstByte,      ///< Seconds from sending the request to the first byte of the answer's body: of a stream the first
                     ///< token's.
    kResponseBytes,  ///< How long the answer's body is.
    kReport,         ///< A user complained about the answer within the attribution window.
    kConversion,     ///< A user did what was hoped for within it.
    kSchema,         ///< The answer is not what the version's signature says; of sampled answers.
    kClassifier,     ///< What a classifier thinks of the answer, in [0, 1], 1 being the worst; of sampled answers.
    kStatus,         ///< The answer's HTTP status: `ok_when` says which are good, like {below: 400}.
    kAgreement,      ///< Shadow steps: whether both versions say the same of the same request (Signal::difference).
  };
  /// kFeedback: what makes a prediction right.
  enum class RightWhen : std::uint8_t {
    kSameSide,  ///< Of two classes: the score is on the label's side of `positive_at`; labels are in [0, 1].
    kSame,      ///< It is the label, or no further from it than `difference`: classes by number, values.
  };
  enum class Among : std::uint8_t { kAll, kPositives, kNegatives };

  Kind kind = Kind::kError;
  std::string json_pointer;          ///< Where the value is; for kFeedback: the predicted score.
  std::string header;                ///< Or the response header it is in.
  std::string tensor{};              ///< Or the element of an output tensor.
  std::optional<Predicate> ok_when;  ///< kResponseValue: good or bad; without it the value is a score in [0, 1].
  double positive_at = 0.5;          ///< kFeedback: a score from here on predicts "positive".
  RightWhen right_when = RightWhen::kSameSide;
  Among among = Among::kAll;  ///< kFeedback: judge only cases whose label is so: positives give sensitivity.
  Value per;                  ///< kResponseValue: divided by this; the ratio of the sums is what is compared.
  /// Only outcomes of a segment: those whose value at `segment` holds this. It is something that the version can't
  /// change: of the request, or an echo of it in the answer, which an answer that failed does not have. An outcome
  /// without it is in no segment.
  Value segment;
  bool segment_of_request = false;
  std::optional<Predicate> where;
  /// kReport, kConversion: how long after the answer one is put down to it. That there was none counts when this is
  /// over.
  milliseconds within{std::chrono::hours{1}};
  std::string classifier{};  ///< kClassifier: its name in the endpoint's configuration.
  /// kAgreement, RightWhen::kSame: numbers that differ by no more are the same. With ok_when they are when it holds of
  /// both or of neither.
  double difference = 0;

  Value value() const { return {json_pointer, header, tensor}; }
  bool operator==(const Signal&) const = default;
};

const char* to_string(Signal::Kind kind);
inline bool is_duration(Signal::Kind kind) {
  return kind == Signal::Kind::kLatency || kind == Signal::Kind::kFirstByte;
}
/// What users do afterwards, put down to the answer for a while.
inline bool is_attributed(Signal::Kind kind) {
  return kind == Signal::Kind::kReport || kind == Signal::Kind::kConversion;
}
/// Told later by whoever uses the answers.
inline bool is_told(Signal::Kind kind) {
  return kind == Signal::Kind::kFeedback || is_attributed(kind);
}
/// Found out about sampled answers after they were given.
inline bool is_examined(Signal::Kind kind) {
  return kind == Signal::Kind::kSchema || kind == Signal::Kind::kClassifier;
}
/// Of an answer that was given before.
inline bool is_known_later(Signal::Kind kind) {
  return is_told(kind) || is_examined(kind);
}
/// A number that `ok_when` makes good or bad.
inline bool is_number(Signal::Kind kind) {
  return kind == Signal::Kind::kResponseValue || kind == Signal::Kind::kResponseBytes ||
         kind == Signal::Kind::kClassifier || kind == Signal::Kind::kStatus;
}

/// What the signal must be.
struct Objective {
  enum class Kind : std::uint8_t {
    kAtLeast,  ///< The share of good outcomes, or the mean score, is at least `bound`.
    kAtMost,   ///< Durations: the `quantile` is at most `bound` seconds. Others: the bad share is at most `bound`.
    kRelativeToStable,  ///< Bad at most `tolerance` times as often as stable (kConversion: good at least 1/tolerance
                        ///< times as often).
  };
  Kind kind = Kind::kRelativeToStable;
  double bound = 0;
  double tolerance = 1.0;
  double quantile = 0.99;
  double slack_seconds = 0.005;  ///< kRelativeToStable, kLatency: how much slower than stable nobody minds.
  double margin = 0;  ///< kRelativeToStable, means: how much worse than stable nobody minds, in the value's unit.
  double sigma = 0;   ///< Test::kValueVsStable: no standard deviation is above this; 0: estimate it.
  Better better = Better::kHigher;  ///< kRelativeToStable, means and ratios.
  bool operator==(const Objective&) const = default;
};

enum class Action : std::uint8_t { kRollBack, kPause, kFlag };
const char* to_string(Action action);

/// How loud it is when a guardrail acts, for whoever is told: PagerDuty's words.
enum class Severity : std::uint8_t { kByAction, kInfo, kWarning, kError, kCritical };
/// Empty for kByAction: a rollback is an error, the others are warnings.
const char* to_string(Severity severity);

/// The sequential test: which assumptions are bought with which power. docs/statistics.md says when to take which.
enum class TestKind : std::uint8_t {
  kAutomatic,        ///< What fits signal and objective: see chosen_test().
  kRate,             ///< AbsoluteRateTest
  kRateVsStable,     ///< RelativeRateTest
  kMean,             ///< BoundedMeanTest
  kMeanVsStable,     ///< RelativeMeanTest
  kValueVsStable,    ///< RelativeValueTest
  kRatioVsStable,    ///< RelativeRatioTest
  kLatencyVsStable,  ///< RelativeLatencyTest
  kPairedRate,       ///< PairedRateTest: shadow steps only
  kPairedMean,       ///< PairedMeanTest: shadow steps only
};
const char* to_string(TestKind test);

struct GuardrailSpec {
  std::string name;
  Signal signal;
  Objective objective;
  TestKind test = TestKind::kAutomatic;
  double alpha = 0.01;                 ///< Chance of ever acting on a version that meets the objective.
  std::uint64_t min_samples = 0;       ///< Candidate outcomes before it may act.
  std::optional<milliseconds> window;  ///< Only answers this long after the candidate's first one ("the first hour").
  Action action = Action::kRollBack;
  Severity severity = Severity::kByAction;
  RestartPlan restarts = kUsualRestarts;  ///< For what breaks after a healthy start.
  /// A number in the request that explains some of the value: means against stable are adjusted by it (Cuped).
  Value covariate{};
  bool operator==(const GuardrailSpec&) const = default;
};
/// The test that a valid specification names or, when it names none, that fits it.
TestKind chosen_test(const GuardrailSpec& spec);
inline bool is_paired(TestKind test) {
  return test == TestKind::kPairedRate || test == TestKind::kPairedMean;
}
/// Refuses combinations that have no test, with what to write instead.
Result<void> validate(const GuardrailSpec& spec);

/// Errors, latency and refused requests (4xx) against stable: what every rollout has when nothing else is configured.
std::vector<GuardrailSpec> default_guardrails();

/// The one that looks at failures, for a policy in which none does: what a failed request never gave is not seen by
/// those that look at values, labels or times, and a version that fails at everything would be healthy to them.
/// nullopt: there is one of kind error, whatever it does.
std::optional<GuardrailSpec> missing_failure_guardrail(const std::vector<GuardrailSpec>& specs);

/// What the guardrails of one endpoint may do wrong together.
struct Family {
  enum class Control : std::uint8_t {
    kEach,        ///< Each has its own alpha; together at most their sum.
    kBonferroni,  ///< Each has alpha divided by their number.
    kEBh,  ///< As Bonferroni, and a rollback also when e-BH over the values of the moment rejects: several guardrails
           ///< or segments that are all somewhat bad.
  };
  Control control = Control::kEach;
  double alpha = 0.01;
  bool operator==(const Family&) const = default;
};

/// What is watched on one endpoint.
struct Policy {
  std::vector<GuardrailSpec> guardrails;
  Family family;
  bool operator==(const Policy&) const = default;
};
inline constexpr std::size_t kMaxGuardrails = 32;
/// Of what its guardrails have in common; each was validated on its own.
Result<void> validate(const Policy& policy);

}  // namespace backstay::guardrails
