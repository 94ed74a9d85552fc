#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <deque>
#include <map>

#include "base/random.hpp"
#include "domain/guardrails/claim.hpp"
#include "domain/guardrails/guardrail.hpp"

// What becomes known late and unevenly, and users who come again: nothing of the order in which outcomes happen to
// become known may decide.
namespace backstay::guardrails {
namespace {

using Stage = Measurement::Stage;

TEST(UnsettledRateTest, IsTheAbsoluteTestWhenEachAnswerIsSettledAtOnce) {
  for (const RestartPlan plan : {RestartPlan{}, RestartPlan{0.9, 100}}) {
    Random random(3);
    AbsoluteRateTest known(0.1, plan);
    UnsettledRateTest test(0.1, plan);
    double most = 0;
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      const bool bad = random.unit() < (i < 500 ? 0.05 : 0.3);
      known.observe(bad);
      test.open();
      test.settle(i, bad);
      if (plan.every > 0 && (i + 1) % plan.every == 0) {
        known.restart();
        test.restart();
      }
      most = std::max(most, known.log_e());
      ASSERT_NEAR(test.log_e_of_all(), known.log_e(), 1e-9) << i;
      ASSERT_LE(test.log_e(), most + 1e-9) << i;
      if (bad && known.log_e() == most) {
        ASSERT_NEAR(test.log_e(), most, 1e-9) << i;
      }
      ASSERT_TRUE(test.could_be(test.log_e()));
    }
  }
}

TEST(UnsettledRateTest, InTheEndTheOrderInWhichAnswersWereSettledIsOfNoMatterAndNeverWasItMore) {
  constexpr std::uint64_t kAnswers = 400;
  const RestartPlan plan{0.9, 100};
  const auto is_bad = [](std::uint64_t i) { return i % 7 == 0; };
  AbsoluteRateTest known(0.1, plan);
  UnsettledRateTest test(0.1, plan);
  double most = 0;
  for (std::uint64_t i = 0; i < kAnswers; ++i) {
    known.observe(is_bad(i));
    most = std::max(most, known.log_e());
    test.open();
    if ((i + 1) % plan.every == 0) {
      known.restart();
      test.restart();
    }
  }
  // The bad ones become known first.
  for (std::uint64_t i = 0; i < kAnswers; i += 7) {
    test.settle(i, true);
    EXPECT_LE(test.log_e(), most + 1e-9) << "which is what an alarm would have been given for";
    EXPECT_LE(test.log_e_of_all(), known.log_e() + 1e-9);
  }
  EXPECT_NEAR(test.log_e_of_all(), known.log_e(), 1e-9) << "All others were taken for good, and are.";
  for (std::uint64_t i = 0; i < kAnswers; ++i)
    if (!is_bad(i)) test.settle(i, false);
  EXPECT_NEAR(test.log_e_of_all(), known.log_e(), 1e-9);
  EXPECT_LE(test.log_e(), most + 1e-9);
}

GuardrailSpec attributed(Signal::Kind kind, Objective::Kind goal, double bound) {
  GuardrailSpec spec;
  spec.name = "told";
  spec.signal.kind = kind;
  spec.objective.kind = goal;
  spec.objective.bound = bound;
  return spec;
}

/// Answers at 10 a second of which a share is followed by something after a while; that nothing came is known after
/// `within` seconds. Returns whether `observe` was ever satisfied.
template <class Observe>
bool follow(double share, int answers, int within, Random& random, const Observe& observe) {
  std::map<int, std::deque<Measurement>> due;  // By tenths of a second.
  for (int tick = 0; tick < answers + 10 * within + 1; ++tick) {
    for (Measurement& m : due[tick])
      if (observe(m)) return true;
    due.erase(tick);
    if (tick >= answers) continue;
    Measurement m;
    m.candidate = true;
    m.assignment_probability = 0.5;
    m.at = Monotonic(milliseconds(100 * tick));
    m.answered = m.at;
    m.number = static_cast<std::uint64_t>(tick);
    m.stage = Stage::kOpened;
    if (observe(m)) return true;
    const bool followed = random.unit() < share;
    m.stage = Stage::kSettled;
    m.value = followed ? 1 : 0;
    const int after = followed ? 1 + static_cast<int>(random.below(20)) : 10 * within;
    m.at = Monotonic(milliseconds(100 * (tick + after)));
    due[tick + after].push_back(m);
  }
  return false;
}

/// Of 300 releases of which that share of the answers is followed by something.
int taken_back(const GuardrailSpec& spec, double share, int within, Random& random) {
  int out = 0;
  for (int run = 0; run < 300; ++run) {
    Guardrail guardrail(spec, 0.05);
    out += follow(share, 600, within, random, [&](const Measurement& m) { return guardrail.observe(m); }) ? 1 : 0;
  }
  return out;
}

TEST(Guardrail, ReportsThatComeBeforeTheirAbsenceIsKnownDoNotTakeBackAGoodVersion) {
  const GuardrailSpec spec = attributed(Signal::Kind::kReport, Objective::Kind::kAtMost, 0.05);
  Random random(11);
  EXPECT_LE(taken_back(spec, 0.05, 60, random), 15) << "at the objective: at most one in 20";
  EXPECT_GE(taken_back(spec, 0.15, 60, random), 290);
}

TEST(Guardrail, ReportsAreActedOnBeforeTheirWindowIsOver) {
  Guardrail guardrail(attributed(Signal::Kind::kReport, Objective::Kind::kAtMost, 0.05), 0.05);
  Random random(5);
  Monotonic stopped;
  EXPECT_TRUE(follow(0.3, 600, 3'600, random, [&](const Measurement& m) {
    stopped = m.at;
    return guardrail.observe(m);
  }));
  EXPECT_LT(stopped.time_since_epoch(), seconds(60));
  EXPECT_NE(guardrail.evidence().sentence.find("still may be"), std::string::npos);
}

TEST(Guardrail, ThatNoConversionsAreKnownOfYetIsNoEvidence) {
  const GuardrailSpec spec = attributed(Signal::Kind::kConversion, Objective::Kind::kAtLeast, 0.2);
  Random random(12);
  EXPECT_LE(taken_back(spec, 0.2, 20, random), 15);
  EXPECT_GE(taken_back(spec, 0.05, 20, random), 290);
}

TEST(Claim, IsNotShownByTheConversionsThatHappenToBeKnownFirst) {
  const GuardrailSpec spec = attributed(Signal::Kind::kConversion, Objective::Kind::kAtLeast, 0.2);
  Random random(13);
  int shown_of_bad = 0;
  int shown_of_good = 0;
  const auto shown = [&](double share) {
    Claim claim(spec, 0.05);
    return follow(share, 1'000, 60, random, [&](const Measurement& m) {
      claim.observe(m);
      return claim.log_e() >= claim.log_limit();
    });
  };
  for (int run = 0; run < 200; ++run) {
    shown_of_bad += shown(0.2) ? 1 : 0;
    shown_of_good += shown(0.35) ? 1 : 0;
  }
  EXPECT_LE(shown_of_bad, 10);
  EXPECT_GE(shown_of_good, 180);
}

/// Whether the candidate was taken back while users who stay with their version came again and again.
bool sticky_release(const GuardrailSpec& spec, double stable_bad, double candidate_bad, Random& random) {
  // Many, so that there is much to bet on when the worse version's have all had their first one.
  constexpr std::uint64_t kUsers = 4'000;
  constexpr int kRequests = 40 * kUsers;
  Guardrail guardrail(spec, 0.05);
  for (int i = 0; i < kRequests; ++i) {
    Measurement m;
    m.cluster = 1 + random.below(kUsers);
    m.candidate = m.cluster % 2 == 0;
    m.assignment_probability = 0.5;
    const bool hit = random.unit() < (m.candidate ? candidate_bad : stable_bad);
    m.value = hit ? 1 : 0;
    m.answered = m.at;
    if (guardrail.observe(m)) return true;
  }
  return false;
}

TEST(Guardrail, ABetterVersionIsNotTakenBackBecauseItsUsersHaveTheirFirstErrorLater) {
  Random random(21);
  int taken_back = 0;
  int equal = 0;
  int found = 0;
  for (int run = 0; run < 30; ++run) {
    taken_back += sticky_release(default_guardrails()[0], 0.1, 0.05, random) ? 1 : 0;
    equal += sticky_release(default_guardrails()[0], 0.1, 0.1, random) ? 1 : 0;
    found += sticky_release(default_guardrails()[0], 0.02, 0.06, random) ? 1 : 0;
  }
  EXPECT_LE(taken_back, 3);
  EXPECT_LE(equal, 4);
  EXPECT_GE(found, 29);
}

TEST(Guardrail, AVersionWhoseUsersConvertMoreOftenIsNotTakenBackWhenTheyAllHave) {
  GuardrailSpec spec;
  spec.name = "clicks";
  spec.signal.kind = Signal::Kind::kConversion;
  Random random(22);
  int taken_back = 0;
  int found = 0;
  for (int run = 0; run < 30; ++run) {
    taken_back += sticky_release(spec, 0.05, 0.1, random) ? 1 : 0;
    found += sticky_release(spec, 0.06, 0.02, random) ? 1 : 0;
  }
  EXPECT_LE(taken_back, 3);
  EXPECT_GE(found, 29);
}

TEST(Guardrail, AWindowIsAboutAnswersHoweverLateTheirLabelsCome) {
  GuardrailSpec spec;
  spec.name = "accuracy";
  spec.signal.kind = Signal::Kind::kFeedback;
  spec.signal.json_pointer = "/score";
  spec.objective = {Objective::Kind::kAtLeast, 0.9};
  spec.window = milliseconds(seconds(60));
  Guardrail guardrail(spec, 0.01);
  guardrail.begin(Monotonic(seconds(0)));
  const auto label = [&](int answered, int told) {
    Measurement m;
    m.candidate = true;
    m.value = 0;
    m.answered = Monotonic(seconds(answered));
    m.at = Monotonic(seconds(told));
    return guardrail.observe(m);
  };
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(label(61 + i, 10'000 + i)) << "given after the window";
  EXPECT_EQ(guardrail.evidence().candidate_n, 0U);
  bool breached = false;
  for (int i = 0; i < 50 && !breached; ++i) breached = label(59, 20'000 + i);
  EXPECT_TRUE(breached) << "given within it";
}

/// Some hundred regular users, of whom some always fail, on versions that are alike until the candidate breaks.
class RegularUsers {
 public:
  explicit RegularUsers(Random& random) : random_(random) {
    for (User& user : users_) {
      user.candidate = random.unit() < 0.5;
      user.bad = random.unit() < 0.05 ? 0.9 : 0.01;
    }
  }
  /// Whether the guardrail acted within so many requests. `value`: of a request of a version, good or bad.
  template <class Value>
  bool ask(Guardrail& guardrail, int requests, Value value) {
    for (int i = 0; i < requests; ++i) {
      const std::uint64_t number = random_.below(users_.size());
      const User& user = users_[number];
      const bool bad = random_.unit() < user.bad;
      if (guardrail.observe({user.candidate, 0.5, value(user.candidate, bad), number + 1, Monotonic()})) return true;
    }
    return false;
  }

 private:
  struct User {
    bool candidate = false;
    double bad = 0;
  };
  Random& random_;
  std::array<User, 300> users_;
};

TEST(Guardrail, ACandidateThatBreaksIsFoundByUsersWhoWereAllSeenBefore) {
  Random random(21);
  for (int run = 0; run < 10; ++run) {
    RegularUsers users(random);
    Guardrail guardrail(default_guardrails()[0], 0.01);
    ASSERT_FALSE(users.ask(guardrail, 60'000, [](bool, bool bad) { return bad ? 1.0 : 0.0; })) << run;
    EXPECT_TRUE(users.ask(guardrail, 4'000, [](bool candidate, bool bad) { return candidate || bad ? 1.0 : 0.0; }))
        << run;
  }
}

TEST(Guardrail, AScoreThatFallsIsFoundByUsersWhoWereAllSeenBefore) {
  GuardrailSpec spec;
  spec.name = "score";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/score";
  spec.objective.margin = 0.05;
  ASSERT_EQ(chosen_test(spec), TestKind::kMeanVsStable);
  Random random(22);
  for (int run = 0; run < 10; ++run) {
    RegularUsers users(random);
    Guardrail guardrail(spec, 0.01);
    ASSERT_FALSE(users.ask(guardrail, 20'000, [](bool, bool) { return 0.9; })) << run;
    EXPECT_TRUE(users.ask(guardrail, 4'000, [](bool candidate, bool) { return candidate ? 0.1 : 0.9; })) << run;
  }
}

TEST(Guardrail, RegularUsersOfAVersionThatIsAsGoodDoNotTakeItBack) {
  Random random(23);
  int taken_back = 0;
  for (int run = 0; run < 200; ++run) {
    RegularUsers users(random);
    Guardrail guardrail(default_guardrails()[0], 0.05);
    taken_back += users.ask(guardrail, 30'000, [](bool, bool bad) { return bad ? 1.0 : 0.0; }) ? 1 : 0;
  }
  EXPECT_LE(taken_back, 10);
}

}  // namespace
}  // namespace backstay::guardrails
