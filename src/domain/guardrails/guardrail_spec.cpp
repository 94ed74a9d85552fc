#include "domain/guardrails/guardrail_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "domain/guardrails/tensor_element.hpp"
#include "domain/traffic/text_value.hpp"

namespace backstay::guardrails {

namespace {

/// Up to here every whole number is a float.
constexpr double kLargestWhole = 16'777'216;

using Kind = Signal::Kind;
using Goal = Objective::Kind;

Unexpected wrong(const GuardrailSpec& spec, const std::string& what, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The guardrail '{}' {}.", spec.name, what),
                    std::move(hint));
}

// The tests that fit signal and objective; the first one is taken when none is named.
std::vector<TestKind> fitting(const GuardrailSpec& spec) {
  const bool relative = spec.objective.kind == Goal::kRelativeToStable;
  const bool value = is_number(spec.signal.kind) && !spec.signal.ok_when;
  if (spec.signal.kind == Kind::kAgreement) return {TestKind::kRate};
  if (is_duration(spec.signal.kind)) return {relative ? TestKind::kLatencyVsStable : TestKind::kRate};
  if (value && spec.signal.kind == Kind::kResponseBytes) return {TestKind::kValueVsStable};
  if (value && !relative) return {TestKind::kMean};
  if (value && spec.signal.per.given()) return {TestKind::kRatioVsStable};
  if (value && spec.objective.sigma > 0) return {TestKind::kValueVsStable};
  if (value) return {TestKind::kMeanVsStable, TestKind::kValueVsStable, TestKind::kPairedMean};
  if (!relative) return {TestKind::kRate};
  if (is_told(spec.signal.kind) || is_examined(spec.signal.kind)) return {TestKind::kRateVsStable};
  return {TestKind::kRateVsStable, TestKind::kPairedRate};
}

Result<void> check_values(const GuardrailSpec& spec) {
  const Signal& signal = spec.signal;
  const bool takes_value = signal.kind == Kind::kResponseValue || signal.kind == Kind::kAgreement;
  if (takes_value && signal.value().ways() != 1)
    return wrong(spec, "needs exactly one of json_pointer, header and tensor",
                 "Say where in the response the value is.");
  if (signal.kind == Kind::kFeedback && !signal.value().given())
    return wrong(spec, "doesn't say where the predicted score is", "Give json_pointer, header or tensor.");
  if (!takes_value && signal.kind != Kind::kFeedback && signal.value().given())
    return wrong(spec, "takes a value from the response for a signal that is none",
                 "Signals of kind response_value, feedback and agreement take one.");
  if (signal.kind == Kind::kStatus && !signal.ok_when)
    return wrong(spec, "doesn't say which statuses are good", "Write signal: {kind: status, ok_when: {below: 400}}.");
  if (!(signal.difference >= 0)) return wrong(spec, "has a difference below zero", "Write difference: 0.01.");
  const bool same = signal.kind == Kind::kFeedback && signal.right_when == Signal::RightWhen::kSame;
  if (signal.right_when == Signal::RightWhen::kSame && signal.kind != Kind::kFeedback)
    return wrong(spec, "says when a prediction is right without labels", "Signals of kind feedback take right_when.");
  if (same && (signal.among != Signal::Among::kAll || signal.positive_at != Signal().positive_at))
    return wrong(spec, "has two classes and right_when: same", "Leave among and positive_at out.");
  if (signal.difference > 0 && !same && (signal.kind != Kind::kAgreement || signal.ok_when))
    return wrong(spec, "has a difference that nothing is compared with",
                 "Signals of kind agreement without ok_when, and feedback with right_when: same, take one.");
  for (const Value& value : {signal.value(), signal.per, signal.segment, spec.covariate}) {
    if (!value.json_pointer.empty() && value.json_pointer.front() != '/')
      return wrong(spec, "has a json_pointer that doesn't start with '/'", "Write it like /outputs/0/data/1.");
    for (std::size_t i = value.json_pointer.find('~'); i != std::string::npos; i = value.json_pointer.find('~', i + 1))
      if (i + 1 == value.json_pointer.size() || (value.json_pointer[i + 1] != '0' && value.json_pointer[i + 1] != '1'))
        return wrong(spec, "has a json_pointer with a '~' that is neither ~0 nor ~1",
                     "In a key write ~0 for ~ and ~1 for /.");
    if (value.header.find_first_of(" :\t\r\n,;\"") != std::string::npos)
      return wrong(spec, "names a header that can't be one", "Write its name alone, like X-Group.");
    if (value.ways() > 1)
      return wrong(spec, "has two ways to one value", "Give one of json_pointer, header and tensor.");
    if (value.tensor.empty()) continue;
    if (auto element = TensorElement::parse(value.tensor); !element)
      return wrong(spec, "has a tensor that can't be read: " + element.error().message, element.error().hint);
  }
  if (is_attributed(signal.kind) && signal.within <= milliseconds{0})
    return wrong(spec, "has no time to put anything down to an answer", "Write within: 30m.");
  if (signal.kind == Kind::kClassifier && (signal.classifier.empty() || !signal.ok_when))
    return wrong(spec, "doesn't say which classifier it takes, or what is good",
                 "Write signal: {kind: classifier, classifier: toxicity, ok_when: {below: 0.5}}.");
  if (signal.ok_when && !is_number(signal.kind) && signal.kind != Kind::kAgreement)
    return wrong(spec, "has an ok_when for a signal that is good or bad already", "Leave it out.");
  for (const std::optional<Predicate>& predicate : {signal.ok_when, signal.where})
    if (predicate && predicate->op == Predicate::Op::kIs && predicate->text.empty() &&
        std::abs(predicate->value) > kLargestWhole)
      return wrong(spec, "compares with a number of more than 7 digits, which can't be told from its neighbours",
                   "Values are kept as 32-bit floats: use a smaller code, or at_least and below.");
  if (signal.ok_when && !signal.ok_when->text.empty() && !takes_value)
    return wrong(spec, "compares with a text what is a number", "Write ok_when with a number, like {below: 400}.");
  if (signal.segment.given() != signal.where.has_value())
    return wrong(spec, "has half of a segment", "Write segment: {json_pointer: /group, at_least: 1}.");
  if (signal.segment.given() && !signal.segment_of_request && signal.kind == Kind::kError)
    return wrong(spec, "has a segment of the answer, which a request that failed has not",
                 "Take it from the request: segment: {of: request, json_pointer: /group, is: 1}.");
  if (signal.per.given() && (signal.kind != Kind::kResponseValue || signal.ok_when))
    return wrong(spec, "divides something that is no value", "per is for response_value without ok_when.");
  if (signal.per.given() && spec.objective.kind != Goal::kRelativeToStable)
    return wrong(spec, "has a ratio without relative_to: stable", "Write objective: {relative_to: stable}.");
  return {};
}

Result<void> check_covariate(const GuardrailSpec& spec) {
  const TestKind test = chosen_test(spec);
  if (test != TestKind::kMeanVsStable && test != TestKind::kValueVsStable)
    return wrong(spec, fmt::format("has a covariate, which the test {} doesn't take", to_string(test)),
                 "Means against stable take one: a response_value without ok_when, or response_bytes with test: "
                 "value_vs_stable, and objective: {relative_to: stable}.");
  if (spec.objective.sigma > 0)
    return wrong(spec, "has a sigma and a covariate",
                 "sigma bounds the value as it is, and what is left of it is tested: leave one of the two out.");
  return {};
}

Result<void> check_relative(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (!(goal.tolerance >= 1 && goal.tolerance <= 1e6))
    return wrong(spec, "has a tolerance outside of [1, 1000000]", "1.5 lets the candidate be half as bad again.");
  if (!(goal.slack_seconds >= 0)) return wrong(spec, "has a slack below zero", "Write slack: 5ms.");
  if (!(goal.margin >= 0 && std::isfinite(goal.margin)))
    return wrong(spec, "has a margin below zero", "Write margin: 0.01, in the value's unit.");
  if (!(goal.sigma >= 0 && std::isfinite(goal.sigma)))
    return wrong(spec, "has a sigma below zero", "Write sigma: 2.5, in the value's unit.");
  const TestKind test = chosen_test(spec);
  const bool mean =
      test == TestKind::kMeanVsStable || test == TestKind::kValueVsStable || test == TestKind::kPairedMean;
  const bool has_side = mean || test == TestKind::kRatioVsStable;
  if (goal.better != Better::kHigher && !has_side)
    return wrong(spec, "says which side is better of what is good or bad already",
                 "Leave better out: means and ratios take it.");
  if (is_duration(spec.signal.kind) && goal.quantile != Objective().quantile)
    return wrong(spec, "has a quantile relative to stable, where the whole distributions are compared",
                 "Leave quantile out, or write {at_most: 200ms, quantile: 0.5}.");
  if (goal.tolerance != 1 && mean)
    return wrong(spec, "has a tolerance for a mean", "Means take margin: how much worse than stable nobody minds.");
  if (goal.margin != 0 && !mean)
    return wrong(spec, "has a margin without a mean", "Rates, ratios and latencies take tolerance: 1.5.");
  if (goal.margin > 1 && test != TestKind::kValueVsStable)
    return wrong(spec, "has a margin above 1 for a score in [0, 1]",
                 "For values outside of [0, 1] write test: value_vs_stable.");
  if (goal.sigma != 0 && test != TestKind::kValueVsStable)
    return wrong(spec, "has a sigma that its test doesn't take", "Write test: value_vs_stable.");
  return {};
}

}  // namespace

// Values of requests and responses are kept as floats: 0.95 is not to be below 0.95.
Predicate Predicate::is(const std::string& text) {
  return {Op::kIs, traffic::text_number(text), text};
}

bool Predicate::holds(double x) const {
  if (traffic::is_text(x) && op != Op::kIs) return false;
  const auto seen = static_cast<float>(x);
  const auto limit = static_cast<float>(value);
  switch (op) {
    case Op::kAtLeast: return seen >= limit;
    case Op::kAbove: return seen > limit;
    case Op::kAtMost: return seen <= limit;
    case Op::kBelow: return seen < limit;
    case Op::kIs: return seen == limit;
  }
  return false;
}

const char* to_string(Action action) {
  switch (action) {
    case Action::kRollBack: return "rollback";
    case Action::kPause: return "pause";
    case Action::kFlag: return "flag";
  }
  return "rollback";
}

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::kByAction: return "";
    case Severity::kInfo: return "info";
    case Severity::kWarning: return "warning";
    case Severity::kError: return "error";
    case Severity::kCritical: return "critical";
  }
  return "";
}

const char* to_string(Signal::Kind kind) {
  switch (kind) {
    case Kind::kError: return "error";
    case Kind::kLatency: return "latency";
    case Kind::kResponseValue: return "response_value";
    case Kind::kFeedback: return "feedback";
    case Kind::kFirstByte: return "first_byte";
    case Kind::kResponseBytes: return "response_bytes";
    case Kind::kReport: return "report";
    case Kind::kConversion: return "conversion";
    case Kind::kSchema: return "schema";
    case Kind::kClassifier: return "classifier";
    case Kind::kStatus: return "status";
    case Kind::kAgreement: return "agreement";
  }
  return "error";
}

const char* to_string(TestKind test) {
  switch (test) {
    case TestKind::kAutomatic: return "automatic";
    case TestKind::kRate: return "rate";
    case TestKind::kRateVsStable: return "rate_vs_stable";
    case TestKind::kMean: return "mean";
    case TestKind::kMeanVsStable: return "mean_vs_stable";
    case TestKind::kValueVsStable: return "value_vs_stable";
    case TestKind::kRatioVsStable: return "ratio_vs_stable";
    case TestKind::kLatencyVsStable: return "latency_vs_stable";
    case TestKind::kPairedRate: return "paired_rate";
    case TestKind::kPairedMean: return "paired_mean";
  }
  return "automatic";
}

TestKind chosen_test(const GuardrailSpec& spec) {
  return spec.test == TestKind::kAutomatic ? fitting(spec).front() : spec.test;
}

Result<void> validate(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (spec.name.empty()) return wrong(spec, "has no name", "Give it one, like safety.");
  if (!(spec.alpha > 0 && spec.alpha <= 0.5)) return wrong(spec, "has an alpha outside of (0, 0.5]", "0.01 is usual.");
  if (!(spec.restarts.first > 0 && spec.restarts.first <= 1))
    return wrong(spec, "begins with a share outside of (0, 1]", "0.9 is usual.");
  TRY_DO(check_values(spec));
  const std::vector<TestKind> tests = fitting(spec);
  if (spec.test != TestKind::kAutomatic && std::find(tests.begin(), tests.end(), spec.test) == tests.end()) {
    std::string known;
    for (const TestKind test : tests) known += (known.empty() ? "" : ", ") + std::string(to_string(test));
    return wrong(spec,
                 fmt::format("has the test '{}', which doesn't fit its signal and objective", to_string(spec.test)),
                 fmt::format("Leave test out, or use: {}.", known));
  }
  if (spec.covariate.given()) TRY_DO(check_covariate(spec));
  if (spec.signal.kind == Kind::kAgreement && goal.kind != Goal::kAtLeast)
    return wrong(spec, "compares the versions with each other already",
                 "Say which share of the answers must be the same: objective: {at_least: 0.98}.");
  if (goal.kind != Goal::kRelativeToStable && (goal.tolerance != 1 || goal.margin != 0 || goal.sigma != 0))
    return wrong(spec, "has a tolerance, margin or sigma beside an objective of its own",
                 "Those are of comparisons: objective: {relative_to: stable, tolerance: 1.5}.");
  if (goal.kind == Goal::kRelativeToStable) return check_relative(spec);
  if (spec.signal.kind == Kind::kResponseBytes && !spec.signal.ok_when)
    return wrong(
        spec, "has an objective of its own for a length",
        "Say which lengths are good: ok_when: {at_most: 65536}, or compare: {relative_to: stable, better: lower}.");
  if (is_duration(spec.signal.kind)) {
    if (goal.kind != Goal::kAtMost || !(goal.bound > 0))
      return wrong(spec, "needs a latency objective at_most above zero", "Write at_most: 250ms.");
    if (!(goal.quantile > 0 && goal.quantile < 1))
      return wrong(spec, "has a quantile outside of (0, 1)", "Write quantile: 0.99.");
    return {};
  }
  const bool takes_bad_share = spec.signal.kind == Kind::kError || spec.signal.kind == Kind::kReport ||
                               spec.signal.kind == Kind::kStatus || is_examined(spec.signal.kind);
  if (goal.kind == Goal::kAtMost && !takes_bad_share)
    return wrong(
        spec, "has an objective at_most",
        "Errors, statuses, reports, schema and classifiers take the bad share at_most, durations a time; others take "
        "at_least: the share that is good.");
  if (!(goal.bound > 0 && goal.bound < 1))
    return wrong(spec, "has an objective outside of (0, 1)", "Write it as a ratio: 0.95.");
  return {};
}

Result<void> validate(const Policy& policy) {
  if (!(policy.family.alpha > 0 && policy.family.alpha <= 0.5))
    return Unexpected(ErrorCode::kInvalidArgument, "The family's alpha is outside of (0, 0.5].", "0.01 is usual.");
  if (policy.guardrails.size() > kMaxGuardrails)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("There are {} guardrails; {} is the most.", policy.guardrails.size(), kMaxGuardrails),
                      "Keep those that would stop a release.");
  std::set<std::string> names;
  for (const GuardrailSpec& spec : policy.guardrails) {
    if (!names.insert(spec.name).second) return wrong(spec, "is there a second time", "Give each a name of its own.");
  }
  return {};
}

std::optional<GuardrailSpec> missing_failure_guardrail(const std::vector<GuardrailSpec>& specs) {
  const auto looks_at_failures = [](const GuardrailSpec& spec) {
    return spec.signal.kind == Kind::kError && !spec.signal.segment.given();
  };
  if (std::any_of(specs.begin(), specs.end(), looks_at_failures)) return std::nullopt;
  GuardrailSpec out = default_guardrails().front();
  const auto is_taken = [&](const GuardrailSpec& spec) { return spec.name == out.name; };
  while (std::any_of(specs.begin(), specs.end(), is_taken)) out.name = "failed " + out.name;
  return out;
}

std::vector<GuardrailSpec> default_guardrails() {
  GuardrailSpec errors;
  errors.name = "errors";
  GuardrailSpec latency;
  latency.name = "latency";
  latency.signal.kind = Kind::kLatency;
  latency.objective.tolerance = 1.5;
  GuardrailSpec refused;
  refused.name = "refused";
  refused.signal.kind = Kind::kStatus;
  refused.signal.ok_when = Predicate{Predicate::Op::kBelow, 400};
  refused.objective.tolerance = 1.5;
  return {errors, latency, refused};
}

}  // namespace backstay::guardrails
