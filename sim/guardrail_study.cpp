#include "sim/guardrail_study.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <queue>

#include "domain/guardrails/draws.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/guardrails/information.hpp"
#include "monitor/guardrail_watch.hpp"

namespace backstay::sim {

using guardrails::Guardrail;
using guardrails::GuardrailSpec;
using guardrails::Measurement;
using guardrails::Objective;
using guardrails::Signal;
using guardrails::TestKind;

namespace {

constexpr double kAlpha = 0.01;
constexpr int kRequests = 2'000;
constexpr double kTwoPi = 6.283185307179586;

GuardrailSpec relative_errors() {
  return guardrails::default_guardrails()[0];
}

GuardrailSpec feedback(bool relative, double at_least) {
  GuardrailSpec spec = relative_errors();
  spec.signal.kind = Signal::Kind::kFeedback;
  spec.signal.json_pointer = "/score";
  if (!relative) spec.objective = {Objective::Kind::kAtLeast, at_least};
  return spec;
}

GuardrailSpec value_spec(TestKind test) {
  GuardrailSpec spec = relative_errors();
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/score";
  spec.test = test;
  return spec;
}

/// What is the same for both versions at request `i`: day and night, and an outage of something both need.
double bad_rate(int i, double base) {
  const double cycle = 1 + 0.9 * std::sin(kTwoPi * i / 700.0);
  const bool outage = i % 900 > 840;
  return outage ? 0.7 : base * cycle;
}

/// A rollout's steps.
double share_at(int i) {
  if (i < kRequests / 4) return 0.05;
  return i < kRequests / 2 ? 0.25 : 0.95;
}

bool steady(Random& random) {
  Guardrail guardrail(relative_errors(), kAlpha);
  Measurement m;
  m.assignment_probability = 0.2;
  for (int i = 0; i < kRequests; ++i) {
    m.candidate = random.unit() < 0.2;
    m.value = random.unit() < 0.1 ? 1 : 0;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool skewed(Random& random) {
  Guardrail guardrail(relative_errors(), kAlpha);
  Measurement m;
  for (int i = 0; i < kRequests; ++i) {
    m.assignment_probability = share_at(i);
    m.candidate = random.unit() < m.assignment_probability;
    m.value = random.unit() < bad_rate(i, 0.1) ? 1 : 0;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

// Users ask again when they get an error, and what failed is likely to fail again. `sticky`: on the same version, as
// one bet; otherwise each try is drawn anew.
bool retries(Random& random, bool sticky) {
  Guardrail guardrail(relative_errors(), kAlpha);
  Measurement m;
  m.assignment_probability = 0.3;
  for (int user = 1; user <= kRequests / 2; ++user) {
    m.candidate = random.unit() < 0.3;
    m.cluster = sticky ? static_cast<std::uint64_t>(user) : 0;
    bool bad = random.unit() < 0.15;
    for (int attempt = 0; attempt < 5; ++attempt) {
      m.value = bad ? 1 : 0;
      if (guardrail.observe(m)) return true;
      if (!bad) break;
      bad = random.unit() < 0.9;
      if (!sticky) m.candidate = random.unit() < 0.3;
    }
  }
  return false;
}

/// A label on its way.
struct Late {
  double at;
  Measurement m;
  bool operator<(const Late& other) const { return at > other.at; }  // The soonest on top.
};

/// Tells a guardrail of things when their time has come.
class UnderWay {
 public:
  explicit UnderWay(Guardrail& guardrail) : guardrail_(guardrail) {}
  void push(const Late& late) { queue_.push(late); }
  /// Whether one of them was too much for it.
  bool deliver(double until) {
    while (!queue_.empty() && queue_.top().at <= until) {
      const Measurement m = queue_.top().m;
      queue_.pop();
      if (guardrail_.observe(m)) return true;
    }
    return false;
  }

 private:
  Guardrail& guardrail_;
  std::priority_queue<Late> queue_;
};

// Labels take from seconds to weeks; some never come, and those of wrong predictions are less likely to: complaints are
// forgotten. Neither depends on the version.
bool labels(Random& random, bool relative, double arrive_right, double arrive_wrong) {
  Guardrail guardrail(feedback(relative, 0.9), kAlpha);
  UnderWay under_way(guardrail);
  for (int i = 0; i < kRequests; ++i) {
    const double now = i;
    Measurement m;
    m.assignment_probability = relative ? share_at(i) : 0.5;
    m.candidate = random.unit() < m.assignment_probability;
    m.value = random.unit() < 0.1 ? 0 : 1;
    if (random.unit() < (m.value > 0.5 ? arrive_right : arrive_wrong))
      under_way.push({now + guardrails::draw_lognormal(random, 200, 2), m});
    if (under_way.deliver(now)) return true;
  }
  return under_way.deliver(std::numeric_limits<double>::infinity());
}

// Of reports those that come are known at once, that one did not come when its window is over; of conversions too. What
// is known first is all of one kind. Users report sooner than the window is long.
bool attributed(Random& random, Signal::Kind kind) {
  constexpr double kWindow = 600;
  const bool report = kind == Signal::Kind::kReport;
  GuardrailSpec spec = relative_errors();
  spec.signal.kind = kind;
  spec.objective = {report ? Objective::Kind::kAtMost : Objective::Kind::kAtLeast, report ? 0.05 : 0.2};
  Guardrail guardrail(spec, kAlpha);
  UnderWay under_way(guardrail);
  for (int i = 0; i < kRequests; ++i) {
    Measurement m;
    m.candidate = true;
    m.answered = Monotonic(seconds(i));
    m.number = static_cast<std::uint64_t>(i);
    m.stage = Measurement::Stage::kOpened;
    guardrail.observe(m);
    m.stage = Measurement::Stage::kSettled;
    const bool followed = random.unit() < (report ? 0.05 : 0.2);
    m.value = followed ? 1 : 0;
    under_way.push({i + (followed ? kWindow * std::pow(random.unit(), 3) : kWindow), m});
    if (under_way.deliver(i)) return true;
  }
  return under_way.deliver(std::numeric_limits<double>::infinity());
}

// Users who stay with their version and come again and again; those of the worse one have their first error sooner.
bool sticky_users(Random& random, double stable, double candidate) {
  constexpr std::uint64_t kUsers = 2'000;
  constexpr int kEach = 30;
  Guardrail guardrail(relative_errors(), kAlpha);
  Measurement m;
  m.assignment_probability = 0.3;
  std::array<bool, kUsers> draw{};
  for (bool& each : draw) each = random.unit() < m.assignment_probability;
  for (std::uint64_t i = 0; i < kEach * kUsers; ++i) {
    const std::uint64_t user = random.below(kUsers);
    m.cluster = user + 1;
    m.candidate = draw[user];
    m.value = random.unit() < (m.candidate ? candidate : stable) ? 1 : 0;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

/// Some hundred users who come hundreds of times, of whom some fail nearly always: who is whose is drawn once.
bool regular_users(Random& random) {
  constexpr std::uint64_t kUsers = 300;
  constexpr int kEach = 200;
  Guardrail guardrail(relative_errors(), kAlpha);
  Measurement m;
  m.assignment_probability = 0.3;
  std::array<bool, kUsers> draw{};
  std::array<double, kUsers> bad{};
  for (bool& each : draw) each = random.unit() < m.assignment_probability;
  for (double& each : bad) each = random.unit() < 0.05 ? 0.9 : 0.01;
  for (std::uint64_t i = 0; i < kEach * kUsers; ++i) {
    const std::uint64_t user = random.below(kUsers);
    m.cluster = user + 1;
    m.candidate = draw[user];
    m.value = random.unit() < bad[user] ? 1 : 0;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool absolute(Random& random, bool varying) {
  GuardrailSpec spec = relative_errors();
  spec.objective = {Objective::Kind::kAtMost, 0.05};
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  m.candidate = true;
  for (int i = 0; i < kRequests; ++i) {
    m.value = random.unit() < (varying && i % 200 < 100 ? 0.02 : 0.05) ? 1 : 0;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool bounded_mean(Random& random) {
  GuardrailSpec spec = value_spec(TestKind::kMean);
  spec.objective = {Objective::Kind::kAtLeast, 0.9};
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  m.candidate = true;
  for (int i = 0; i < kRequests; ++i) {
    m.value = random.unit() < 0.9 ? 1 - 0.04 * random.unit() : 0.18 + 0.04 * (random.unit() - 0.5);
    if (guardrail.observe(m)) return true;
  }
  return false;
}

// The level of the score moves for both versions.
bool score_vs_stable(Random& random) {
  Guardrail guardrail(value_spec(TestKind::kMeanVsStable), kAlpha);
  Measurement m;
  for (int i = 0; i < kRequests; ++i) {
    m.assignment_probability = share_at(i);
    m.candidate = random.unit() < m.assignment_probability;
    m.value = std::pow(random.unit(), 0.3 + bad_rate(i, 0.3));
    if (guardrail.observe(m)) return true;
  }
  return false;
}

// Lognormal values: 1 in 100 is ten times the median.
bool value_vs_stable(Random& random, double sigma, double log_sigma) {
  GuardrailSpec spec = value_spec(TestKind::kValueVsStable);
  spec.objective.sigma = sigma;
  spec.objective.better = guardrails::Better::kLower;
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  m.assignment_probability = 0.2;
  for (int i = 0; i < kRequests; ++i) {
    m.candidate = random.unit() < 0.2;
    m.value = guardrails::draw_lognormal(random, 1, log_sigma);
    if (guardrail.observe(m)) return true;
  }
  return false;
}

// Baskets: what a request is about explains most of its answer's value, and its level drifts. Now and then a client
// sends an absurd number, or none.
bool covariate(Random& random, TestKind test) {
  GuardrailSpec spec = value_spec(test);
  spec.covariate.json_pointer = "/price";
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  for (int i = 0; i < kRequests; ++i) {
    m.assignment_probability = share_at(i);
    m.candidate = random.unit() < m.assignment_probability;
    const double price = std::pow(random.unit(), 0.3 + bad_rate(i, 0.3));
    m.value = test == TestKind::kMeanVsStable ? 0.8 * price + 0.2 * random.unit()
                                              : price * guardrails::draw_lognormal(random, 10, 0.4);
    const double odd = random.unit();
    m.covariate = odd < 0.01 ? 1e9 : odd < 0.05 ? std::nan("") : price;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool ratio_vs_stable(Random& random) {
  GuardrailSpec spec = value_spec(TestKind::kRatioVsStable);
  spec.signal.per.json_pointer = "/calls";
  spec.objective.better = guardrails::Better::kLower;
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  m.assignment_probability = 0.2;
  for (int i = 0; i < kRequests; ++i) {
    m.candidate = random.unit() < 0.2;
    m.second = 1 + std::floor(9 * random.unit());
    m.value = m.second * guardrails::draw_exponential(random, 100);
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool latency_vs_stable(Random& random) {
  GuardrailSpec spec = guardrails::default_guardrails()[1];
  spec.objective.tolerance = 1;
  spec.objective.slack_seconds = 0;
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  for (int i = 0; i < kRequests; ++i) {
    m.assignment_probability = share_at(i);
    m.candidate = random.unit() < m.assignment_probability;
    m.value = guardrails::draw_lognormal(random, 0.01 * (1 + bad_rate(i, 0.3)), 0.5);
    if (guardrail.observe(m)) return true;
  }
  return false;
}

bool pairs(Random& random, bool means) {
  GuardrailSpec spec = value_spec(means ? TestKind::kPairedMean : TestKind::kPairedRate);
  if (!means) spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtLeast, 0.5};
  Guardrail guardrail(spec, kAlpha);
  Measurement m;
  m.candidate = true;
  for (int i = 0; i < kRequests; ++i) {
    const double hard = random.unit();  // The request; each version adds its own luck.
    m.value = std::clamp(hard + 0.6 * (random.unit() - 0.5), 0.0, 1.0);
    m.second = std::clamp(hard + 0.6 * (random.unit() - 0.5), 0.0, 1.0);
    if (guardrail.observe(m)) return true;
  }
  return false;
}

// Eight guardrails on one rollout, which fail together; e-BH over all of them after every outcome.
bool family(Random& random) {
  std::vector<GuardrailSpec> specs;
  for (int i = 0; i < 8; ++i) {
    GuardrailSpec spec = value_spec(TestKind::kAutomatic);
    spec.name = std::to_string(i);
    spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtLeast, 0.1 + 0.02 * i};
    specs.push_back(spec);
  }
  static const std::vector<monitor::ValueSlots> slots = monitor::plan_values(specs).value().slots;
  monitor::GuardrailWatch watch(specs, slots, {guardrails::Family::Control::kEBh, kAlpha});
  bool breached = false;
  const auto on_breach = [&](const guardrails::Evidence&) { breached = true; };
  traffic::Outcome outcome;
  outcome.status = 200;
  for (int i = 0; i < kRequests / 4 && !breached; ++i) {
    outcome.values[0] = static_cast<float>(random.unit());
    watch.observe(outcome, random.unit() < 0.2, 0.2, on_breach);
  }
  return breached;
}

double mean_delay(const DelayCase& item, const guardrails::RestartPlan& restarts, std::uint64_t runs,
                  std::uint64_t seed) {
  GuardrailSpec spec = relative_errors();
  spec.restarts = restarts;
  if (item.pi == 0) spec.objective = {Objective::Kind::kAtMost, item.stable};
  double total = 0;
  for (std::uint64_t run = 0; run < runs; ++run) {
    Random random(seed + run);
    Guardrail guardrail(spec, kAlpha);
    Measurement m;
    m.assignment_probability = item.pi;
    do {
      m.candidate = item.pi == 0 || random.unit() < item.pi;
      m.value = random.unit() < (m.candidate ? item.candidate : item.stable) ? 1 : 0;
      total += m.candidate ? 1 : 0;
    } while (!guardrail.observe(m));
  }
  return total / static_cast<double>(runs);
}

// Of the likelihood ratio against the null that is nearest, with both rates known.
double oracle_delay(const DelayCase& item, std::uint64_t runs, std::uint64_t seed) {
  const double null = item.pi == 0 ? item.stable : item.pi * item.candidate + (1 - item.pi) * item.stable;
  const auto step = [&](bool bad, double rate) { return std::log(bad ? rate / null : (1 - rate) / (1 - null)); };
  const std::array<std::array<double, 2>, 2> steps{std::array{step(false, item.stable), step(true, item.stable)},
                                                   std::array{step(false, item.candidate), step(true, item.candidate)}};
  double total = 0;
  for (std::uint64_t run = 0; run < runs; ++run) {
    Random random(seed + run);
    for (double evidence = 0; evidence < -std::log(kAlpha);) {
      const bool candidate = item.pi == 0 || random.unit() < item.pi;
      const bool bad = random.unit() < (candidate ? item.candidate : item.stable);
      evidence += steps[candidate ? 1 : 0][bad ? 1 : 0];
      total += candidate ? 1 : 0;
    }
  }
  return total / static_cast<double>(runs);
}

}  // namespace

std::vector<NullScenario> null_scenarios() {
  const auto item = [](const char* name, TestKind test, std::function<bool(Random&)> release) {
    return NullScenario{name, guardrails::to_string(test), kAlpha, std::move(release)};
  };
  return {
      item("steady traffic", TestKind::kRateVsStable, steady),
      item("day and night, outages, steps 5/25/95%", TestKind::kRateVsStable, skewed),
      item("retries that are drawn anew", TestKind::kRateVsStable, [](Random& r) { return retries(r, false); }),
      item("retries of sticky users", TestKind::kRateVsStable, [](Random& r) { return retries(r, true); }),
      item("sticky users who come again", TestKind::kRateVsStable,
           [](Random& random) { return sticky_users(random, 0.1, 0.1); }),
      item("the same, of a version half as bad", TestKind::kRateVsStable,
           [](Random& random) { return sticky_users(random, 0.1, 0.05); }),
      item("regular users, some of whom always fail", TestKind::kRateVsStable, regular_users),
      item("reports before their absence", TestKind::kRate,
           [](Random& random) { return attributed(random, Signal::Kind::kReport); }),
      item("conversions before their absence", TestKind::kRate,
           [](Random& random) { return attributed(random, Signal::Kind::kConversion); }),
      item("labels late and out of order", TestKind::kRateVsStable, [](Random& r) { return labels(r, true, 1, 1); }),
      item("labels late, most missing", TestKind::kRateVsStable, [](Random& r) { return labels(r, true, .5, .3); }),
      item("labels late, 4 in 10 missing", TestKind::kRate, [](Random& r) { return labels(r, false, .6, .6); }),
      item("at the objective", TestKind::kRate, [](Random& r) { return absolute(r, false); }),
      item("at the objective, sometimes better", TestKind::kRate, [](Random& r) { return absolute(r, true); }),
      item("skewed scores at the objective", TestKind::kMean, bounded_mean),
      item("scores that drift, steps 5/25/95%", TestKind::kMeanVsStable, score_vs_stable),
      item("lognormal, sigma known", TestKind::kValueVsStable,
           [](Random& r) { return value_vs_stable(r, 0.604, 0.5); }),
      item("lognormal, sigma estimated", TestKind::kValueVsStable,
           [](Random& r) { return value_vs_stable(r, 0, 0.5); }),
      item("lognormal, heavy tail, sigma estimated", TestKind::kValueVsStable,
           [](Random& r) { return value_vs_stable(r, 0, 1); }),
      item("a covariate, levels that drift, steps 5/25/95%", TestKind::kMeanVsStable,
           [](Random& r) { return covariate(r, TestKind::kMeanVsStable); }),
      item("a covariate, levels that drift, steps 5/25/95%", TestKind::kValueVsStable,
           [](Random& r) { return covariate(r, TestKind::kValueVsStable); }),
      item("tokens per call, users of 1 to 9 calls", TestKind::kRatioVsStable, ratio_vs_stable),
      item("load that drifts, steps 5/25/95%", TestKind::kLatencyVsStable, latency_vs_stable),
      item("shadow pairs", TestKind::kPairedRate, [](Random& r) { return pairs(r, false); }),
      item("shadow pairs", TestKind::kPairedMean, [](Random& r) { return pairs(r, true); }),
      item("8 guardrails together, e-BH", TestKind::kRateVsStable, family),
  };
}

bool FalseAlarms::within(double alpha, double deviations) const {
  const auto n = static_cast<double>(runs);
  return static_cast<double>(rolled_back) <= alpha * n + deviations * std::sqrt(alpha * (1 - alpha) * n);
}

FalseAlarms count_false_alarms(const NullScenario& scenario, std::uint64_t runs, std::uint64_t seed) {
  FalseAlarms out;
  out.runs = runs;
  for (std::uint64_t run = 0; run < runs; ++run) {
    Random random(seed * 1'000'003 + run);
    out.rolled_back += scenario.release(random) ? 1 : 0;
  }
  return out;
}

std::vector<DelayCase> delay_cases() {
  std::vector<DelayCase> out;
  for (const double times : {1.5, 2.0, 5.0, 10.0}) out.push_back({"rate", 0.05, 0.05 * times, 0});
  for (const double times : {1.5, 2.0, 5.0, 10.0}) out.push_back({"rate_vs_stable", 0.01, 0.01 * times, 0.05});
  for (const double times : {2.0, 5.0, 10.0}) out.push_back({"rate_vs_stable", 0.01, 0.01 * times, 0.5});
  for (const double times : {2.0, 5.0, 10.0}) out.push_back({"rate_vs_stable", 0.001, 0.001 * times, 0.05});
  return out;
}

Delay measure_delay(const DelayCase& item, std::uint64_t runs, std::uint64_t seed) {
  const double information = item.pi == 0 ? guardrails::rate_information(item.candidate, item.stable)
                                          : guardrails::relative_information(item.candidate, item.stable, item.pi, 1);
  return {-std::log(kAlpha) / information, oracle_delay(item, runs, seed), mean_delay(item, {}, runs, seed),
          mean_delay(item, guardrails::kUsualRestarts, runs, seed)};
}

double measure_covariate(guardrails::TestKind test, double explained, bool given, std::uint64_t runs,
                         std::uint64_t seed) {
  GuardrailSpec spec = value_spec(test);
  if (given) spec.covariate.json_pointer = "/price";
  constexpr double kShare = 0.2;
  double total = 0;
  for (std::uint64_t run = 0; run < runs; ++run) {
    Random random(seed + run);
    Guardrail guardrail(spec, kAlpha);
    Measurement m;
    m.assignment_probability = kShare;
    do {
      m.candidate = random.unit() < kShare;
      m.covariate = guardrails::draw_normal(random);
      const double z = std::sqrt(explained) * m.covariate + std::sqrt(1 - explained) * guardrails::draw_normal(random) -
                       (m.candidate ? 0.2 : 0.0);
      m.value = test == TestKind::kMeanVsStable ? std::clamp(0.5 + 0.12 * z, 0.0, 1.0) : z;
      total += m.candidate ? 1 : 0;
    } while (!guardrail.observe(m));
  }
  return total / static_cast<double>(runs);
}

LateBreak measure_late_break(double objective, double broken, std::uint64_t healthy, std::uint64_t runs,
                             std::uint64_t seed) {
  const auto mean = [&](const guardrails::RestartPlan& restarts) {
    GuardrailSpec spec = relative_errors();
    spec.restarts = restarts;
    spec.objective = {Objective::Kind::kAtMost, objective};
    double total = 0;
    std::uint64_t counted = 0;
    for (std::uint64_t run = 0; run < runs; ++run) {
      Random random(seed + run);
      Guardrail guardrail(spec, kAlpha);
      Measurement m;
      m.candidate = true;
      const auto observe = [&](double rate) {
        m.value = random.unit() < rate ? 1 : 0;
        return guardrail.observe(m);
      };
      bool early = false;
      for (std::uint64_t i = 0; i < healthy && !early; ++i) early = observe(objective);
      if (early) continue;
      ++counted;
      do total += 1;
      while (!observe(broken));
    }
    return total / static_cast<double>(counted);
  };
  return {mean({}), mean(guardrails::kUsualRestarts)};
}

}  // namespace backstay::sim
