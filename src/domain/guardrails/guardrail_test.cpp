#include "domain/guardrails/guardrail.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace backstay::guardrails {
namespace {

// Numbers of bad outcomes and of outcomes to detect are those of the statistics reference this project is built from,
// whose grid of bets is another one.

TEST(AbsoluteRateTest, NeedsThisManyBadOutcomesToReject) {
  for (const auto& [n, smallest] : {std::pair{10, 5}, {50, 10}, {100, 15}}) {
    int bad = 0;
    for (; bad <= n; ++bad) {
      AbsoluteRateTest test(0.05);
      for (int i = 0; i < n; ++i) test.observe(i < bad);
      if (test.log_e() >= std::log(100.0)) break;
    }
    EXPECT_EQ(bad, smallest) << n;
  }
}

TEST(AbsoluteRateTest, DetectsInAboutTheExpectedNumberOfOutcomes) {
  for (const auto& [p, expected] : {std::pair{0.10, 275.6}, {0.20, 42.5}}) {
    Random random(7);
    double total = 0;
    constexpr int kRuns = 4'000;
    for (int run = 0; run < kRuns; ++run) {
      AbsoluteRateTest test(0.05);
      bool bad = false;
      do {
        bad = random.unit() < p;
        test.observe(bad);
      } while (!bad || test.log_e() < std::log(100.0));
      total += static_cast<double>(test.count());
    }
    EXPECT_NEAR(total / kRuns, expected, 0.05 * expected) << p;
  }
}

TEST(RelativeRateTest, GivesTheEvidenceOfAStraightforwardProgram) {
  for (const auto& [candidate, stable, log_e] : {std::tuple{3, 20, 0.25146513774}, {8, 40, 2.98355912498}}) {
    RelativeRateTest test;
    for (int i = 0; i < candidate; ++i) test.observe_bad(true, 0.05);
    for (int i = 0; i < stable; ++i) test.observe_bad(false, 0.05);
    EXPECT_NEAR(test.log_e(), log_e, 1e-10);
  }
}

GuardrailSpec errors() {
  return default_guardrails()[0];
}

GuardrailSpec explained(TestKind test) {
  GuardrailSpec spec;
  spec.name = "basket";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/total";
  spec.test = test;
  spec.covariate.header = "x-price";
  return spec;
}

TEST(Covariate, IsForMeansAgainstStableAndNamesOneNumber) {
  EXPECT_TRUE(validate(explained(TestKind::kMeanVsStable)));
  EXPECT_TRUE(validate(explained(TestKind::kValueVsStable)));
  EXPECT_TRUE(validate(explained(TestKind::kAutomatic)));
  GuardrailSpec bytes = explained(TestKind::kValueVsStable);
  bytes.signal = {};
  bytes.signal.kind = Signal::Kind::kResponseBytes;
  EXPECT_TRUE(validate(bytes));
  GuardrailSpec rate = explained(TestKind::kAutomatic);
  rate.signal.ok_when = Predicate{Predicate::Op::kAtLeast, 1};
  GuardrailSpec absolute = explained(TestKind::kAutomatic);
  absolute.objective = {Objective::Kind::kAtLeast, 0.9};
  GuardrailSpec pairs = explained(TestKind::kPairedMean);
  GuardrailSpec latency = default_guardrails()[1];
  latency.covariate.header = "x-price";
  for (const GuardrailSpec& spec : {rate, absolute, pairs, latency})
    EXPECT_NE(validate(spec).error().message.find("covariate"), std::string::npos) << validate(spec).error().message;
  GuardrailSpec sigma = explained(TestKind::kValueVsStable);
  sigma.objective.sigma = 2;
  EXPECT_NE(validate(sigma).error().message.find("sigma and a covariate"), std::string::npos);
  GuardrailSpec twice = explained(TestKind::kValueVsStable);
  twice.covariate.json_pointer = "/price";
  EXPECT_FALSE(validate(twice));
  GuardrailSpec slash = explained(TestKind::kValueVsStable);
  slash.covariate = {"price", ""};
  EXPECT_FALSE(validate(slash));
}

// Outcomes of the candidate until it is taken back, its mean being lower by 0.1 standard deviations, of which nine
// tenths (in squares) are known from the request; `missing`: requests that don't have it.
double outcomes_until_breach(TestKind test, bool given, double missing, std::uint64_t seed) {
  GuardrailSpec spec = explained(test);
  if (!given) spec.covariate = {};
  Guardrail guardrail(spec, 0.01);
  Random random(seed);
  Measurement m;
  m.assignment_probability = 0.3;
  for (double n = 0; n < 50'000;) {
    const double price = random.unit();
    m.candidate = random.unit() < 0.3;
    m.value = 0.1 + 0.6 * price + 0.2 * random.unit() - (m.candidate ? 0.018 : 0.0);
    m.covariate = random.unit() < missing ? std::nan("") : price;
    n += m.candidate ? 1 : 0;
    if (guardrail.observe(m)) return n;
  }
  return 50'000;
}

TEST(Covariate, FindsAWorseMeanSooner) {
  for (const TestKind test : {TestKind::kMeanVsStable, TestKind::kValueVsStable}) {
    double without = 0, with = 0, half = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      without += outcomes_until_breach(test, false, 0, seed);
      with += outcomes_until_breach(test, true, 0, seed);
      half += outcomes_until_breach(test, true, 0.5, seed);
    }
    EXPECT_LT(with * 3, without) << to_string(test);
    EXPECT_LT(half, without) << to_string(test) << ": what some requests have helps for those";
    EXPECT_LT(with, half) << to_string(test);
  }
}

TEST(Covariate, ThatNoRequestHasLeavesTheGuardrailAsItIs) {
  const auto plain = outcomes_until_breach(TestKind::kMeanVsStable, false, 0, 7);
  EXPECT_EQ(outcomes_until_breach(TestKind::kMeanVsStable, true, 1, 7), plain);
  EXPECT_LT(outcomes_until_breach(TestKind::kValueVsStable, true, 1, 7),
            outcomes_until_breach(TestKind::kValueVsStable, false, 0, 7) + 200);
}

// Requests until the guardrail breaches, or `limit`.
int run(Guardrail guardrail, Random& random, double pi, double stable_bad, double candidate_bad, int limit,
        double cycle = 0) {
  for (int i = 0; i < limit; ++i) {
    const double factor = 1 + cycle * std::sin(i / 500.0);
    Measurement m;
    m.assignment_probability = pi;
    m.candidate = random.unit() < pi;
    m.value = random.unit() < factor * (m.candidate ? candidate_bad : stable_bad) ? 1 : 0;
    if (guardrail.observe(m)) return i;
  }
  return limit;
}

TEST(Guardrail, FindsACanaryThatFailsThreeTimesAsOften) {
  Random random(1);
  double candidate_requests = 0;
  constexpr int kRuns = 300;
  for (int i = 0; i < kRuns; ++i)
    candidate_requests += 0.05 * run(Guardrail(errors(), 0.01), random, 0.05, 0.01, 0.03, 1'000'000);
  EXPECT_NEAR(candidate_requests / kRuns, 485, 60);
}

TEST(Guardrail, RollsBackAGoodVersionNoMoreOftenThanAlphaWhateverTheDayIsLike) {
  Random random(2);
  int false_alarms = 0;
  constexpr int kRuns = 1'000;
  for (int i = 0; i < kRuns; ++i)
    false_alarms += run(Guardrail(errors(), 0.05), random, 0.1, 0.05, 0.05, 10'000, 0.9) < 10'000 ? 1 : 0;
  // Three standard deviations above alpha.
  EXPECT_LE(false_alarms, 0.05 * kRuns + 3 * std::sqrt(0.05 * 0.95 * kRuns));
}

TEST(Guardrail, AnAbsoluteObjectiveLooksAtTheCandidateOnly) {
  GuardrailSpec spec;
  spec.name = "sensitivity";
  spec.signal.kind = Signal::Kind::kFeedback;
  spec.signal.json_pointer = "/outputs/0/data/1";
  spec.objective = {Objective::Kind::kAtLeast, 0.95, 1, 0.99};
  ASSERT_TRUE(validate(spec));
  Guardrail guardrail(spec, 0.01);
  Measurement m;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(guardrail.observe(m));  // Stable, always wrong.
  m.candidate = true;
  int wrong = 0;
  while (!guardrail.breached()) {
    guardrail.observe(m);
    ++wrong;
  }
  EXPECT_EQ(wrong, 3);
  const Evidence evidence = guardrail.evidence();
  EXPECT_NE(evidence.sentence.find("at least 95% good"), std::string::npos) << evidence.sentence;
  EXPECT_EQ(evidence.stable_bad, 100U);
}

TEST(Guardrail, OnlyTheWindowCounts) {
  GuardrailSpec spec = errors();
  spec.objective = {Objective::Kind::kAtMost, 0.05, 1, 0.99};
  spec.window = std::chrono::hours(1);
  Guardrail guardrail(spec, 0.01);
  Measurement m;
  m.candidate = true;
  guardrail.observe(m);
  m.value = 1;
  m.at += std::chrono::minutes(61);
  for (int i = 0; i < 100; ++i) guardrail.observe(m);
  EXPECT_FALSE(guardrail.breached());
}

TEST(Guardrail, AMissingValueIsABadOne) {
  GuardrailSpec spec;
  spec.name = "safety";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.header = "x-safety";
  spec.objective = {Objective::Kind::kAtLeast, 0.95, 1, 0.99};
  for (int with_predicate = 0; with_predicate < 2; ++with_predicate) {
    if (with_predicate == 1) spec.signal.ok_when = Predicate{Predicate::Op::kAtLeast, 0.5};
    Guardrail guardrail(spec, 0.01);
    Measurement m;
    m.candidate = true;
    m.value = std::nan("");
    for (int i = 0; i < 50; ++i) guardrail.observe(m);
    EXPECT_TRUE(guardrail.breached());
    EXPECT_GT(guardrail.evidence().missing, 0U);
  }
}

TEST(Guardrail, FindsASlowCandidateAndSparesAnEquallyFastOne) {
  const auto seen = [](double slowdown, std::uint64_t seed) {
    Random random(seed);
    GuardrailSpec spec = default_guardrails()[1];
    spec.objective.tolerance = 1.0;
    Guardrail guardrail(spec, 0.01);
    Measurement m;
    m.assignment_probability = 0.05;
    for (int i = 0; i < 100'000; ++i) {
      m.candidate = random.unit() < 0.05;
      const double normal = std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
      m.value = 0.01 * std::exp(0.5 * normal) * (m.candidate ? slowdown : 1.0);
      if (guardrail.observe(m)) return static_cast<int>(guardrail.evidence().candidate_n);
    }
    return -1;
  };
  int false_alarms = 0;
  double needed = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    needed += seen(1.2, seed);
    false_alarms += seen(1.0, seed) >= 0 ? 1 : 0;
  }
  EXPECT_LT(needed / 40, 600);
  EXPECT_LE(false_alarms, 2);
}

TEST(Guardrail, AStickyUserBetsOnce) {
  Guardrail guardrail(errors(), 0.01);
  Measurement m;
  m.candidate = true;
  m.assignment_probability = 0.05;
  m.value = 1;
  m.cluster = 42;
  for (int i = 0; i < 1'000; ++i) guardrail.observe(m);
  EXPECT_FALSE(guardrail.breached());
  for (std::uint64_t user = 1; user < 100 && !guardrail.breached(); ++user) {
    m.cluster = user * 7919;
    guardrail.observe(m);
  }
  EXPECT_TRUE(guardrail.breached());
}

TEST(BoundedMeanTest, FindsALowScoreAndSparesAGoodOne) {
  Random random(3);
  int false_alarms = 0;
  for (int i = 0; i < 400; ++i) {
    BoundedMeanTest good(0.8);
    bool alarm = false;
    for (int k = 0; k < 2'000 && !alarm; ++k) {
      good.observe(0.6 + 0.4 * random.unit());
      alarm = good.log_e() >= std::log(100.0);
    }
    false_alarms += alarm ? 1 : 0;
  }
  EXPECT_LE(false_alarms, 10);
  BoundedMeanTest bad(0.8);
  while (bad.log_e() < std::log(100.0)) bad.observe(random.unit());
  EXPECT_LT(bad.count(), 100U);
}

TEST(WasRight, JudgesOnlyTheCasesItIsAbout) {
  Signal signal;
  signal.among = Signal::Among::kPositives;
  EXPECT_EQ(was_right(signal, 0.9, 1), true);
  EXPECT_EQ(was_right(signal, 0.1, 1), false);
  EXPECT_EQ(was_right(signal, 0.9, 0), std::nullopt);
  EXPECT_EQ(was_right(signal, std::nan(""), 1), false);
  EXPECT_EQ(was_right(signal, 0.9, 7), std::nullopt) << "A class by number is on neither side.";
}

TEST(WasRight, OfSeveralClassesAndOfValuesIsWhatIsTheLabel) {
  Signal signal;
  signal.right_when = Signal::RightWhen::kSame;
  EXPECT_EQ(was_right(signal, 3, 7), false);
  EXPECT_EQ(was_right(signal, 7, 7), true);
  EXPECT_EQ(was_right(signal, 0.1F, 0.1), true) << "Predictions are kept as floats.";
  EXPECT_EQ(was_right(signal, 3'141'592, 3'141'593), false) << "A class is no value: its neighbour is another one.";
  EXPECT_EQ(was_right(signal, 254'837'008, 254'837'009), std::nullopt) << "Floats can't tell.";
  EXPECT_EQ(was_right(signal, std::nan(""), 0), false);
  signal.difference = 5;
  EXPECT_EQ(was_right(signal, 104.9, 100), true);
  EXPECT_EQ(was_right(signal, 105.1, 100), false);
}

GuardrailSpec a_number() {
  GuardrailSpec spec;
  spec.name = "number";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/number";
  spec.test = TestKind::kValueVsStable;
  return spec;
}

TEST(Guardrail, ValuesThatNeverVaryAreToldApart) {
  GuardrailSpec spec = a_number();
  spec.objective.margin = 1;
  const auto outcomes = [&](double candidate) {
    Guardrail guardrail(spec, 0.01);
    Random random(3);
    for (int i = 0; i < 2'000; ++i) {
      const bool own = random.unit() < 0.5;
      if (guardrail.observe({own, 0.5, own ? candidate : 10, 0, Monotonic()})) return i;
    }
    return 2'000;
  };
  EXPECT_LT(outcomes(3), 400);
  EXPECT_EQ(outcomes(10), 2'000);
  EXPECT_EQ(outcomes(12), 2'000);
}

TEST(Guardrail, AMeanIsOfTheValuesThatAreThere) {
  Guardrail guardrail(a_number(), 0.01);
  for (int i = 0; i < 100; ++i) guardrail.observe({true, 0.5, i % 2 == 0 ? 10.0 : std::nan(""), 0, Monotonic()});
  EXPECT_DOUBLE_EQ(guardrail.evidence().candidate_mean, 10);
  EXPECT_NE(guardrail.evidence().sentence.find("10 over 100 outcomes (50 of them without a number)"),
            std::string::npos);
}

TEST(Guardrail, OfWhatBrokeLateTheSentenceTellsTheNewest) {
  GuardrailSpec spec;
  spec.name = "errors";
  spec.objective = {Objective::Kind::kAtMost, 0.3};
  Guardrail guardrail(spec, 0.01);
  int n = 0;
  while (n < 20'000 && !guardrail.observe({true, 0.5, n < 10'000 ? 0.0 : 1.0, 0, Monotonic()})) ++n;
  ASSERT_LT(n, 10'200);
  EXPECT_NE(guardrail.evidence().sentence.find("the objective is at most 30% bad; of the newest"), std::string::npos)
      << guardrail.evidence().sentence;
}

// A candidate that needs `extra` seconds more than stable, which is lognormal around a millisecond.
bool latency_breaches(double extra, double slack) {
  GuardrailSpec spec = default_guardrails()[1];
  spec.objective.slack_seconds = slack;
  Guardrail guardrail(spec, 0.01);
  Random random(3);
  for (int i = 0; i < 40'000; ++i) {
    const bool candidate = random.unit() < 0.05;
    const double normal = std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(6.283185307 * random.unit());
    guardrail.observe({candidate, 0.05, 1e-3 * std::exp(0.5 * normal) + (candidate ? extra : 0), 0, Monotonic()});
  }
  return guardrail.breached();
}

TEST(Guardrail, DoesNotHoldAFractionOfAMillisecondAgainstACandidate) {
  EXPECT_TRUE(latency_breaches(0.001, 0.0));
  EXPECT_FALSE(latency_breaches(0.001, 0.005));
  EXPECT_TRUE(latency_breaches(0.010, 0.005));
}

TEST(LatencySketch, IsWithinOnePercent) {
  LatencySketch sketch;
  for (int i = 1; i <= 10'000; ++i) sketch.add(i * 1e-5);
  for (double q : {0.01, 0.5, 0.9, 0.99}) EXPECT_NEAR(sketch.quantile(q), q * 0.1, 0.011 * q * 0.1);
}

TEST(GuardrailSpec, SaysWhatIsWrong) {
  GuardrailSpec spec = errors();
  spec.alpha = 0;
  EXPECT_FALSE(validate(spec));
  spec = errors();
  spec.objective = {Objective::Kind::kAtLeast, 95, 1, 0.99};
  EXPECT_NE(validate(spec).error().hint.find("0.95"), std::string::npos);
  spec = errors();
  spec.signal.kind = Signal::Kind::kResponseValue;
  EXPECT_FALSE(validate(spec));
}

}  // namespace
}  // namespace backstay::guardrails
