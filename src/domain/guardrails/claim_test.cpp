#include "domain/guardrails/claim.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/random.hpp"

namespace backstay::guardrails {
namespace {

struct Branch {
  double probability;
  Measurement seen;
};

/// E[e-value] after `depth` outcomes, over all paths: at most 1 while the claim is untrue, 1 at its edge.
double expected_e(const Claim& claim, const std::vector<Branch>& branches, int depth) {
  if (depth == 0) return std::exp(claim.log_e());
  double sum = 0;
  for (const Branch& branch : branches) {
    Claim next = claim;
    next.observe(branch.seen);
    sum += branch.probability * expected_e(next, branches, depth - 1);
  }
  return sum;
}

Measurement outcome(bool candidate, double pi, double value) {
  Measurement m;
  m.candidate = candidate;
  m.assignment_probability = pi;
  m.value = value;
  return m;
}

GuardrailSpec relative(Signal::Kind kind) {
  GuardrailSpec spec;
  spec.name = "g";
  spec.signal.kind = kind;
  spec.signal.json_pointer = "/score";
  return spec;
}

std::vector<Branch> errors(double pi, double stable_rate, double times) {
  const double own = stable_rate * times;
  return {{pi * own, outcome(true, pi, 1)},
          {pi * (1 - own), outcome(true, pi, 0)},
          {(1 - pi) * stable_rate, outcome(false, pi, 1)},
          {(1 - pi) * (1 - stable_rate), outcome(false, pi, 0)}};
}

TEST(Claim, OfNonInferiorityIsAFairBetAtItsToleranceAndALosingOneBeyond) {
  GuardrailSpec spec = relative(Signal::Kind::kError);
  spec.objective.tolerance = 1.5;
  for (const double pi : {0.05, 0.3}) {
    // Only bad outcomes bet, and the candidate's have the chance 1.5 pi / (1.5 pi + 1 - pi) at the edge.
    EXPECT_NEAR(expected_e(Claim(spec, 0.05), errors(pi, 0.4, 1.5), 6), 1, 1e-12) << pi;
    EXPECT_LT(expected_e(Claim(spec, 0.05), errors(pi, 0.4, 2), 6), 1) << pi;
    EXPECT_GT(expected_e(Claim(spec, 0.05), errors(pi, 0.4, 0.5), 6), 1) << pi;
  }
}

TEST(Claim, OfAnAbsoluteObjectiveIsAFairBetAtItsBound) {
  GuardrailSpec spec = relative(Signal::Kind::kError);
  spec.objective.kind = Objective::Kind::kAtMost;
  spec.objective.bound = 0.1;
  const auto own = [](double rate) {
    return std::vector<Branch>{{rate, outcome(true, 0.5, 1)}, {1 - rate, outcome(true, 0.5, 0)}};
  };
  EXPECT_NEAR(expected_e(Claim(spec, 0.05), own(0.1), 10), 1, 1e-12);
  EXPECT_LT(expected_e(Claim(spec, 0.05), own(0.2), 10), 1);
  EXPECT_GT(expected_e(Claim(spec, 0.05), own(0.01), 10), 1);
}

TEST(Claim, OfAMeanIsNoMoreThanFairWhenTheCandidateIsWorseByTheMargin) {
  GuardrailSpec spec = relative(Signal::Kind::kResponseValue);
  spec.objective.margin = 0.1;
  const double pi = 0.3;
  // Scores of 0 and 1: stable's mean is 0.8, the candidate's 0.8 minus the difference.
  const auto scores = [&](double difference) {
    const double own = 0.8 - difference;
    return std::vector<Branch>{{pi * own, outcome(true, pi, 1)},
                               {pi * (1 - own), outcome(true, pi, 0)},
                               {(1 - pi) * 0.8, outcome(false, pi, 1)},
                               {(1 - pi) * 0.2, outcome(false, pi, 0)}};
  };
  EXPECT_NEAR(expected_e(Claim(spec, 0.05), scores(0.1), 6), 1, 1e-12);
  EXPECT_LT(expected_e(Claim(spec, 0.05), scores(0.2), 6), 1);
  EXPECT_GT(expected_e(Claim(spec, 0.05), scores(0), 6), 1);
  GuardrailSpec absolute = spec;
  absolute.objective = {};
  absolute.objective.kind = Objective::Kind::kAtLeast;
  absolute.objective.bound = 0.7;
  EXPECT_LE(expected_e(Claim(absolute, 0.05), {{0.7, outcome(true, pi, 1)}, {0.3, outcome(true, pi, 0)}}, 8),
            1 + 1e-12);
  EXPECT_GT(expected_e(Claim(absolute, 0.05), {{0.9, outcome(true, pi, 1)}, {0.1, outcome(true, pi, 0)}}, 8), 1);
}

/// How many of `runs` candidates ever show the claim.
double shown(const GuardrailSpec& spec, const std::function<Measurement(Random&)>& draw, int outcomes, int runs) {
  int count = 0;
  for (int run = 0; run < runs; ++run) {
    Random random(static_cast<std::uint64_t>(run) + 1);
    Claim claim(spec, 0.05);
    for (int i = 0; i < outcomes; ++i) {
      claim.observe(draw(random));
      if (claim.log_e() < claim.log_limit()) continue;
      ++count;
      break;
    }
  }
  return count / static_cast<double>(runs);
}

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(6.283185307179586 * random.unit());
}

TEST(Claim, IsShownByFewWorseCandidatesAndByMostGoodOnes) {
  const double pi = 0.3;
  GuardrailSpec latency = relative(Signal::Kind::kLatency);
  latency.objective.tolerance = 2;
  latency.objective.slack_seconds = 0;
  const auto slower_by = [&](double factor) {
    return [=](Random& random) {
      const bool candidate = random.unit() < pi;
      return outcome(candidate, pi, std::exp(0.5 * normal(random)) * (candidate ? factor : 1));
    };
  };
  EXPECT_LT(shown(latency, slower_by(1.8), 4'000, 200), 0.05);
  EXPECT_GT(shown(latency, slower_by(1), 20'000, 20), 0.8);

  GuardrailSpec value = relative(Signal::Kind::kResponseValue);
  value.test = TestKind::kValueVsStable;
  value.objective.better = Better::kLower;
  value.objective.sigma = 1;
  value.objective.margin = 0.3;
  const auto higher_by = [&](double difference) {
    return [=](Random& random) {
      const bool candidate = random.unit() < pi;
      return outcome(candidate, pi, normal(random) + (candidate ? difference : 0));
    };
  };
  EXPECT_LT(shown(value, higher_by(0.3), 2'000, 400), 0.06);
  EXPECT_GT(shown(value, higher_by(0), 4'000, 20), 0.9);
}

TEST(Claim, IsNotShownByManyOutcomesOfTheSameUsers) {
  // 30 requests of each user, all of the same version: nearly every user has a bad one, whichever it got.
  GuardrailSpec spec = relative(Signal::Kind::kError);
  spec.objective.tolerance = 1.5;
  const double pi = 0.3;
  const auto users = [&](double times) {
    std::uint64_t seen = 0;
    bool candidate = false;
    return [=](Random& random) mutable {
      if (seen++ % 30 == 0) candidate = random.unit() < pi;
      Measurement m = outcome(candidate, pi, random.unit() < (candidate ? 0.1 * times : 0.1) ? 1 : 0);
      m.cluster = 1 + (seen - 1) / 30;
      return m;
    };
  };
  int bad = 0, good = 0;
  for (int run = 0; run < 40; ++run) {
    for (const double times : {1.5, 0.2}) {
      Random random(static_cast<std::uint64_t>(run) + 1);
      Claim claim(spec, 0.05);
      auto draw = users(times);
      bool shown = false;
      for (int i = 0; i < 60'000 && !shown; ++i) {
        claim.observe(draw(random));
        shown = claim.log_e() >= claim.log_limit();
      }
      (times > 1 ? bad : good) += shown ? 1 : 0;
    }
  }
  EXPECT_LE(bad, 4);
  EXPECT_GE(good, 30);
}

TEST(Claim, OfASignalThatIsKnownLateCountsTheFirstAnswerOfAUserNotTheFirstToBeKnown) {
  GuardrailSpec spec = relative(Signal::Kind::kReport);
  spec.objective.tolerance = 1.5;
  Claim claim(spec, 0.05);
  Measurement second = outcome(false, 0.5, 1);
  second.cluster = 7;
  second.repeated = true;
  for (int i = 0; i < 100; ++i) claim.observe(second);
  EXPECT_EQ(claim.log_e(), 0);
  second.repeated = false;
  claim.observe(second);
  EXPECT_GT(claim.log_e(), 0);
}

TEST(Claim, WhatCouldOnlyGoToStableTellsNothingOfValues) {
  GuardrailSpec spec = relative(Signal::Kind::kResponseValue);
  spec.test = TestKind::kValueVsStable;
  spec.objective.better = Better::kLower;
  spec.objective.sigma = 1;
  spec.objective.margin = 0.3;
  Claim claim(spec, 0.05);
  // The large requests are stable's only, and have high values.
  for (int i = 0; i < 2'000; ++i) claim.observe(i % 2 == 0 ? outcome(true, 0.5, 0) : outcome(false, 0, 5));
  EXPECT_LT(claim.log_e(), claim.log_limit());
}

TEST(Claim, SaysWhetherItHasSeenAsMuchAsTheGuardrailAsksFor) {
  GuardrailSpec spec = relative(Signal::Kind::kError);
  spec.min_samples = 2;
  Claim claim(spec, 0.05);
  claim.observe(outcome(true, 0.5, 0));
  claim.observe(outcome(false, 0.5, 0));
  EXPECT_FALSE(claim.seen_enough());
  claim.observe(outcome(true, 0.5, 0));
  EXPECT_TRUE(claim.seen_enough());
}

TEST(Claim, NothingIsShownWithoutEvidence) {
  Claim claim(relative(Signal::Kind::kError), 0.05);
  for (int i = 0; i < 1'000; ++i) claim.observe(outcome(i % 2 == 0, 0.5, 0));
  EXPECT_EQ(claim.log_e(), 0);
  EXPECT_NEAR(std::exp(claim.log_limit()), 20, 1e-9);
}

// Requests until it is shown that an equal candidate is worse by less than the margin.
int requests_until_shown(const GuardrailSpec& spec, std::uint64_t seed) {
  Claim claim(spec, 0.05);
  Random random(seed);
  Measurement m;
  m.assignment_probability = 0.3;
  int requests = 0;
  for (; requests < 50'000 && claim.log_e() < claim.log_limit(); ++requests) {
    m.covariate = random.unit();
    m.candidate = random.unit() < 0.3;
    m.value = 0.1 + 0.6 * m.covariate + 0.2 * random.unit();
    claim.observe(m);
  }
  return requests;
}

TEST(Claim, IsShownSoonerWithACovariate) {
  for (const TestKind test : {TestKind::kMeanVsStable, TestKind::kValueVsStable}) {
    GuardrailSpec spec;
    spec.signal.kind = Signal::Kind::kResponseValue;
    spec.signal.json_pointer = "/total";
    spec.test = test;
    spec.objective.margin = 0.03;
    GuardrailSpec knowing = spec;
    knowing.covariate.json_pointer = "/price";
    int plain = 0, explained = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      plain += requests_until_shown(spec, seed);
      explained += requests_until_shown(knowing, seed);
    }
    EXPECT_LT(explained * 2, plain) << to_string(test);
  }
}

}  // namespace
}  // namespace backstay::guardrails
