#include "domain/guardrails/forecast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <queue>

#include "domain/guardrails/draws.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/guardrails/information.hpp"

namespace backstay::guardrails {

namespace {

using Kind = Signal::Kind;
using Goal = Objective::Kind;
using Verdict = Forecast::Verdict;

constexpr std::size_t kPoints = 60;
constexpr double kMostObservations = 6e7;  ///< A few seconds.
constexpr std::uint64_t kFewestRuns = 100;
constexpr double kLatencySigma = 0.5;  ///< Of the logarithm; services have .3 to .8.
constexpr double kLikely = 0.9;
const double kNoTime = std::numeric_limits<double>::infinity();

bool is_score(TestKind test) {
  return test == TestKind::kMean || test == TestKind::kMeanVsStable || test == TestKind::kPairedMean;
}

// Whether lower numbers of the expectation are the worse ones.
bool lower_is_worse(const GuardrailSpec& spec) {
  if (is_duration(spec.signal.kind)) return false;
  return measures_share(spec) || chosen_test(spec) == TestKind::kMean || spec.objective.better == Better::kHigher;
}

double value_for(const Predicate& ok_when) {
  switch (ok_when.op) {
    case Predicate::Op::kAbove: return ok_when.value + 1;
    case Predicate::Op::kBelow: return ok_when.value - 1;
    default: return ok_when.value;
  }
}

/// Outcomes of versions as a guardrail measures them.
class Source {
 public:
  Source(const GuardrailSpec& spec, const Expectation& expectation, std::uint64_t seed)
      : spec_(spec), test_(chosen_test(spec)), expectation_(expectation), random_(seed) {}

  Random& random() { return random_; }

  /// The value of a version at this level for one more request, and the request's covariate when there is one.
  void measure(double level, Measurement& m) {
    if (!expectation_.covariate_r2) {
      m.value = value(level);
      return;
    }
    const double r2 = *expectation_.covariate_r2;
    const Level stable{expectation_.baseline, deviation(expectation_.baseline)};
    const Level version{level, deviation(level)};
    const Explained drawn = is_score(test_) ? draw_explained_score(random_, stable, version, r2)
                                            : draw_explained_normal(random_, version, r2);
    m.value = drawn.value;
    m.covariate = drawn.covariate;
  }

  double value(double level) {
    if (is_duration(spec_.signal.kind)) return draw_lognormal(random_, level, kLatencySigma);
    if (measures_share(spec_)) {
      const bool good = random_.unit() < level;
      if (!spec_.signal.ok_when || !is_number(spec_.signal.kind)) return is_bad(spec_, 0) == good ? 1.0 : 0.0;
      return good ? value_for(*spec_.signal.ok_when) : std::nan("");
    }
    if (is_score(test_)) return draw_score(random_, level, deviation(level));
    return level + deviation(level) * draw_normal(random_);
  }

 private:
  double deviation(double level) const {
    if (expectation_.spread > 0) return expectation_.spread;
    return is_score(test_) ? std::sqrt(level * (1 - level)) / 2 : std::abs(expectation_.baseline) / 2;
  }

  const GuardrailSpec& spec_;
  TestKind test_;
  Expectation expectation_;
  Random random_;
};

struct Stop {
  double seconds = kNoTime;
  double outcomes = 0;
  double bad = 0;
};

/// One release whose guardrail hears of answers by what users do afterwards: at any time within the window alike, and
/// that they did nothing when it is over. What changes no evidence is left out.
Stop run_attributed(const Guardrail& fresh, Source& source, double baseline, double level,
                    const TrafficForecast& traffic, double horizon) {
  using Stage = Measurement::Stage;
  struct Due {
    double seconds;
    Measurement m;
    bool operator<(const Due& other) const { return seconds > other.seconds; }
  };
  const auto at = [](double seconds) {
    return Monotonic(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
  };
  const GuardrailSpec& spec = fresh.spec();
  const bool absolute = chosen_test(spec) == TestKind::kRate;
  const double within = std::chrono::duration<double>(spec.signal.within).count();
  const double rate = traffic.requests_per_second * traffic.judged * (absolute ? traffic.weight : 1.0);
  const auto requests = static_cast<std::uint64_t>(rate * horizon);
  Guardrail guardrail = fresh;
  std::priority_queue<Due> due;
  Stop stop;
  // What was exposed until then, whatever is known of it.
  std::uint64_t candidates = 0;
  std::uint64_t bad_candidates = 0;
  const auto settle_until = [&](double seconds) {
    while (!due.empty() && due.top().seconds <= seconds) {
      const Due next = due.top();
      due.pop();
      if (!guardrail.observe(next.m)) continue;
      stop = {next.seconds, static_cast<double>(candidates), static_cast<double>(bad_candidates)};
      return true;
    }
    return false;
  };
  for (std::uint64_t i = 0; i < requests; ++i) {
    const double seconds = static_cast<double>(i + 1) / rate;
    if (settle_until(seconds)) return stop;
    Measurement m;
    m.assignment_probability = traffic.weight;
    m.candidate = absolute || source.random().unit() < traffic.weight;
    m.at = at(seconds);
    m.answered = m.at;
    m.stage = Stage::kOpened;
    m.number = m.candidate ? candidates++ : 0;
    guardrail.observe(m);
    m.stage = Stage::kSettled;
    m.value = source.value(m.candidate ? level : baseline);
    const bool bad = is_bad(spec, m.value);
    bad_candidates += bad && m.candidate ? 1 : 0;
    const bool followed = bad == (spec.signal.kind == Kind::kReport);
    if (absolute ? !bad : !followed) continue;
    const double known = seconds + (followed ? source.random().unit() * within : within);
    m.at = at(known);
    due.push({known, m});
  }
  settle_until(horizon);
  return stop;
}

/// One release.
Stop run(const Guardrail& fresh, Source& source, double baseline, double level, const TrafficForecast& traffic,
         double horizon) {
  if (is_attributed(fresh.spec().signal.kind)) return run_attributed(fresh, source, baseline, level, traffic, horizon);
  Guardrail guardrail = fresh;
  const TestKind test = chosen_test(fresh.spec());
  const bool alone = test == TestKind::kRate || test == TestKind::kMean;
  const bool paired = is_paired(test);
  // What stable does is drawn only where it is looked at.
  const double rate = traffic.requests_per_second * traffic.judged * (alone || paired ? traffic.weight : 1.0);
  const auto requests = static_cast<std::uint64_t>(rate * std::max(horizon - traffic.delay_seconds, 0.0));
  Measurement m;
  m.assignment_probability = traffic.weight;
  for (std::uint64_t i = 0; i < requests; ++i) {
    const double seconds = static_cast<double>(i + 1) / rate;
    m.at = Monotonic(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
    m.candidate = alone || paired || source.random().unit() < traffic.weight;
    source.measure(m.candidate ? level : baseline, m);
    if (paired) m.second = source.value(baseline);
    if (!guardrail.observe(m)) continue;
    const Evidence evidence = guardrail.evidence();
    const double known = seconds + traffic.delay_seconds;
    const auto judged = static_cast<double>(evidence.candidate_n);
    // What clients got until then, whether it was judged or not; of a segment the others are not known.
    const double answered = fresh.spec().signal.segment.given()
                                ? judged
                                : std::max(judged, known * traffic.requests_per_second * traffic.weight);
    return {known, answered, static_cast<double>(evidence.candidate_bad) * answered / std::max(judged, 1.0)};
  }
  return {};
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

std::vector<double> share_by(const std::vector<Stop>& stops, double horizon) {
  std::vector<double> out;
  for (std::size_t point = 1; point <= kPoints; ++point) {
    const double by = horizon * static_cast<double>(point) / kPoints;
    const auto count = std::count_if(stops.begin(), stops.end(), [by](const Stop& stop) { return stop.seconds <= by; });
    out.push_back(static_cast<double>(count) / static_cast<double>(stops.size()));
  }
  return out;
}

// Candidate outcomes; 0: not known.
double information_bound(const GuardrailSpec& spec, double alpha, const Expectation& e, double weight) {
  if (!measures_share(spec)) return 0;
  double information = 0;
  const Objective& goal = spec.objective;
  switch (chosen_test(spec)) {
    case TestKind::kRate:
      information = rate_information(1 - e.effect, goal.kind == Goal::kAtLeast ? 1 - goal.bound : goal.bound);
      break;
    case TestKind::kRateVsStable:
      // Of conversions it is stable's that there are too many of.
      if (spec.signal.kind == Kind::kConversion) {
        information = relative_information(e.baseline, e.effect, 1 - weight, goal.tolerance) * (1 - weight) / weight;
        break;
      }
      information = relative_information(1 - e.effect, 1 - e.baseline, weight, goal.tolerance);
      break;
    default: break;
  }
  return information > 0 ? -std::log(alpha) / information : 0;
}

// Whether a version at this level keeps the objective (against stable at the baseline).
bool keeps(const GuardrailSpec& spec, const Expectation& e, double level) {
  const Objective& goal = spec.objective;
  const double sign = lower_is_worse(spec) ? 1 : -1;
  if (goal.kind == Goal::kRelativeToStable) {
    if (spec.signal.kind == Kind::kConversion) return level * goal.tolerance >= e.baseline - 1e-12;
    if (measures_share(spec)) return 1 - level <= goal.tolerance * (1 - e.baseline) + 1e-12;
    if (is_duration(spec.signal.kind)) return level <= e.baseline;
    if (chosen_test(spec) == TestKind::kRatioVsStable)
      return sign > 0 ? level * goal.tolerance >= e.baseline : level <= e.baseline * goal.tolerance;
    return sign * (level - e.baseline) >= -goal.margin;
  }
  if (is_duration(spec.signal.kind)) {
    const double z = std::log(goal.bound / level) / kLatencySigma;
    return 0.5 * std::erfc(z / std::sqrt(2.0)) <= 1 - goal.quantile;
  }
  const double wanted = goal.kind == Goal::kAtLeast ? goal.bound : 1 - goal.bound;
  return level >= wanted;
}

Result<void> check(const GuardrailSpec& spec, const Expectation& e, const TrafficForecast& t) {
  const auto refuse = [](std::string what, std::string hint) {
    return Unexpected(ErrorCode::kInvalidArgument, std::move(what), std::move(hint));
  };
  for (const double level : {e.baseline, e.effect}) {
    if (!std::isfinite(level)) return refuse("A level is not a number.", "Write it like 0.98.");
    if ((measures_share(spec) || is_score(chosen_test(spec))) && !(level >= 0 && level <= 1))
      return refuse(fmt::format("{:g} is no level of '{}'.", level, spec.name), "It is in [0, 1]: 0.98 is 98% good.");
    if (is_duration(spec.signal.kind) && !(level > 0))
      return refuse(fmt::format("{:g} s is no latency.", level), "Write it like 20ms.");
  }
  const bool better = lower_is_worse(spec) ? e.effect > e.baseline : e.effect < e.baseline;
  if (better)
    return refuse(fmt::format("For '{}' {:g} is better than the baseline {:g}: there is nothing bad to find.",
                              spec.name, e.effect, e.baseline),
                  measures_share(spec) ? "Both are shares of good outcomes: a bad release has fewer than the baseline."
                                       : "Give the level of a bad release as the effect.");
  if (!(e.spread >= 0 && std::isfinite(e.spread))) return refuse("The spread is below zero.", "Write it like 0.1.");
  if (e.covariate_r2 && !spec.covariate.given())
    return refuse(fmt::format("'{}' has no covariate that could explain anything.", spec.name),
                  "Leave out how much a covariate explains, or give the guardrail one.");
  if (e.covariate_r2 && !(*e.covariate_r2 >= 0 && *e.covariate_r2 < 1))
    return refuse(fmt::format("A covariate can't explain {:g} of a variance.", *e.covariate_r2),
                  "It is a share in [0, 1): write it like 60%.");
  if (!(t.requests_per_second > 0 && t.requests_per_second <= 1e7))
    return refuse("The rate is not in (0, 10,000,000] requests/s.", "Write it like 100.");
  if (!(t.weight > 0 && t.weight <= 1)) return refuse("The weight is not in (0, 1].", "Write it like 5%.");
  if (!(t.seconds > 0 && t.seconds <= 366 * 86400.0)) return refuse("The time is not in (0, 1 year].", "Write 10m.");
  if (!(t.judged > 0 && t.judged <= 1)) return refuse("The judged share is not in (0, 1].", "Write it like 30%.");
  if (!(t.delay_seconds >= 0)) return refuse("The delay is below zero.", "Write it like 1h.");
  return {};
}

Verdict judge(const Forecast& f, const GuardrailSpec& spec, const Expectation& e) {
  if (!keeps(spec, e, e.baseline)) return Verdict::kBaselineBreaches;
  if (keeps(spec, e, e.effect)) return Verdict::kAllowed;
  if (f.detected < kLikely) return f.detected == 0 ? Verdict::kNever : Verdict::kUnlikely;
  return Verdict::kEnough;
}

// Rounded down: what is not quite everything is not called that.
std::string percent_of(double share) {
  return fmt::format("{:.0f}%", std::floor(share * 100 + 1e-9));
}

std::string sentence_of(const Forecast& f) {
  const char* common = f.common
                           ? " This test bets on bad outcomes, which are common here: where good ones are rare make "
                             "them conversions, else give it an objective of its own."
                           : "";
  switch (f.verdict) {
    case Verdict::kEnough:
      return fmt::format(
          "There is enough traffic to find this in time: {} of such releases would be found within the "
          "step.",
          percent_of(f.detected));
    case Verdict::kUnlikely:
      return fmt::format(
          "There is too little traffic: only {} of such releases would be found within the step; {:g}% "
          "are wanted. Give it more time, weight or requests.{}",
          percent_of(f.detected), kLikely * 100, common);
    case Verdict::kNever:
      if (f.bound_outcomes > f.candidate_outcomes)
        return fmt::format(
            "There will never be enough traffic to decide within the step: the best possible test needs {:.0f} "
            "candidate "
            "outcomes on average, there are {:.0f}.",
            std::ceil(f.bound_outcomes), f.candidate_outcomes);
      if (f.nothing_to_compare)
        return "With all requests going to the candidate there is no stable version to compare it with: give it less "
               "weight, or the guardrail an objective of its own.";
      return std::string(
                 "There is not enough traffic to decide within the step: none of the simulated releases was found.") +
             common;
    case Verdict::kAllowed: return "The objective allows this effect: nothing is to be found.";
    case Verdict::kBaselineBreaches:
      return "The baseline misses the objective already: every release will be taken back.";
  }
  return "";
}

}  // namespace

bool measures_share(const GuardrailSpec& spec) {
  if (is_duration(spec.signal.kind)) return false;
  return !is_number(spec.signal.kind) || spec.signal.ok_when.has_value();
}

double alpha_of(const Policy& policy, const GuardrailSpec& spec) {
  if (policy.family.control == Family::Control::kEach) return spec.alpha;
  return policy.family.alpha / static_cast<double>(policy.guardrails.size());
}

Result<Forecast> forecast(const GuardrailSpec& spec, double alpha, const Expectation& expectation,
                          const TrafficForecast& traffic, std::uint64_t seed, std::uint64_t runs) {
  TRY_DO(check(spec, expectation, traffic));
  Forecast out;
  const bool alone = chosen_test(spec) == TestKind::kRate || chosen_test(spec) == TestKind::kMean;
  const double heard = std::max(traffic.seconds - traffic.delay_seconds, 0.0);
  out.candidate_outcomes = traffic.requests_per_second * traffic.judged * traffic.weight * heard;
  const double per_run =
      alone || is_paired(chosen_test(spec)) ? out.candidate_outcomes : out.candidate_outcomes / traffic.weight;
  out.runs = std::max<std::uint64_t>(runs, 1);
  if (per_run * 2 * static_cast<double>(out.runs) > kMostObservations)
    out.runs = std::min(
        out.runs, std::max<std::uint64_t>(kFewestRuns, static_cast<std::uint64_t>(kMostObservations / (2 * per_run))));
  const double share = std::min(1.0, kMostObservations / (2 * per_run * static_cast<double>(out.runs)));
  out.simulated_seconds = per_run > 0 ? traffic.delay_seconds + heard * share : traffic.seconds;

  const Guardrail fresh(spec, alpha);
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // Neighbouring seeds share no run.
  std::vector<Stop> found, falsely;
  for (std::uint64_t i = 0; i < out.runs; ++i) {
    Source bad(spec, expectation, seed * kGolden + 2 * i);
    found.push_back(run(fresh, bad, expectation.baseline, expectation.effect, traffic, out.simulated_seconds));
    Source good(spec, expectation, seed * kGolden + 2 * i + 1);
    falsely.push_back(run(fresh, good, expectation.baseline, expectation.baseline, traffic, out.simulated_seconds));
  }
  out.detected_by = share_by(found, out.simulated_seconds);
  out.false_by = share_by(falsely, out.simulated_seconds);
  out.detected = out.detected_by.back();
  out.false_alarms = out.false_by.back();
  const auto of = [&](double Stop::*member) {
    std::vector<double> values;
    for (const Stop& stop : found) values.push_back(stop.seconds == kNoTime ? kNoTime : stop.*member);
    return values;
  };
  out.median_seconds = quantile(of(&Stop::seconds), 0.5);
  out.p90_seconds = quantile(of(&Stop::seconds), 0.9);
  out.median_outcomes = quantile(of(&Stop::outcomes), 0.5);
  out.p90_outcomes = quantile(of(&Stop::outcomes), 0.9);
  if (measures_share(spec)) out.median_bad = quantile(of(&Stop::bad), 0.5);
  out.bound_outcomes = information_bound(spec, alpha, expectation, traffic.weight);
  constexpr double kCommon = 0.3;
  out.nothing_to_compare = spec.objective.kind == Goal::kRelativeToStable && traffic.weight >= 1;
  out.common = chosen_test(spec) == TestKind::kRateVsStable && spec.signal.kind != Kind::kConversion &&
               1 - expectation.baseline > kCommon;
  out.verdict = judge(out, spec, expectation);
  out.sentence = sentence_of(out);
  return out;
}

}  // namespace backstay::guardrails
