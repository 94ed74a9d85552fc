#include "sim/simulation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/shrink.hpp"

namespace backstay::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kRuns =
    300;  // They look at memory and make it slow; what a seed can find is found without them.
constexpr std::uint64_t kSecondCrashes = 1;
#else
constexpr std::uint64_t kRuns = 20'000;  // What fits in a minute of a slow machine; ./dev sim --runs N looks further.
constexpr std::uint64_t kSecondCrashes = 3;
#endif

/// BACKSTAY_SIM_RUNS=100000 ctest -R sim looks further.
std::uint64_t runs() {
  const char* wanted = std::getenv("BACKSTAY_SIM_RUNS");
  return wanted == nullptr ? kRuns : std::strtoull(wanted, nullptr, 10);
}

TEST(Simulation, EverySeedKeepsEveryPromise) {
  std::map<std::string, unsigned> counts;
  for (std::uint64_t seed = 1; seed <= runs(); ++seed) {
    const Report report = run(random_scenario(seed));
    ASSERT_EQ(report.failure, "") << "seed " << seed << "; see it, and which faults it needs, with: ./dev sim " << seed;
    for (const auto& [name, count] : report.counts) counts[name] += count;
  }
  // It would prove little if it never got anywhere.
  for (const char* met : {"done", "reverted", "guardrail", "manual", "not_ready", "backend_failed", "requirement",
                          "restarts", "refused", "dependency", "returned by itself"})
    EXPECT_GT(counts[met], runs() / 200) << met;
}

TEST(Simulation, TheSameSeedGivesTheSameTrace) {
  std::set<std::string> digests;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Report first = run(random_scenario(seed), true);
    const Report second = run(random_scenario(seed));
    EXPECT_EQ(first.digest, second.digest) << "seed " << seed;
    EXPECT_FALSE(first.trace.empty());
    digests.insert(first.digest);
  }
  EXPECT_EQ(digests.size(), 50U);
}

/// Ends the server at every boundary, and again a few boundaries later, while it is coming back. Without `endings` it
/// may end in any way that keeps the promises.
void crash_everywhere(const std::string& name, Scenario scenario, const std::vector<std::string>& endings,
                      const std::map<std::string, std::string>& stable = {{kEndpoint, "1.0.0"}}) {
  const std::uint64_t boundaries = run(scenario).boundaries;
  ASSERT_GT(boundaries, 40U);
  for (std::uint64_t first = 1; first <= boundaries; ++first) {
    for (std::uint64_t second = first; second <= first + kSecondCrashes; ++second) {
      for (const bool holds : {false, true}) {
        scenario.boundary_crashes = {first, second};
        scenario.torn_commit_holds = holds ? 1 : 0;
        const Report report = run(scenario);
        const std::string again = fmt::format("./dev sim --scenario {} --crash {} --crash {}{} --trace", name, first,
                                              second, holds ? " --torn-holds" : "");
        ASSERT_EQ(report.failure, "") << again;
        EXPECT_TRUE(report.counts.contains("restarts")) << again;
        if (endings.empty()) continue;
        EXPECT_EQ(report.stable, stable) << again;
        unsigned ended = 0;
        for (const std::string& ending : endings)
          ended += report.counts.contains(ending) ? report.counts.at(ending) : 0;
        EXPECT_EQ(ended, 1U) << again;
      }
    }
  }
}

TEST(Simulation, ACrashAtAnyBoundaryOfABreachStillEndsInOneRollback) {
  crash_everywhere("breach", breach_scenario(), {"guardrail"});
}

TEST(Simulation, ACrashAtAnyBoundaryOfAReleaseAndItsReturnEndsAtTheStandby) {
  crash_everywhere("standby", standby_scenario(), {"reverted"});
}

TEST(Simulation, ACrashAtAnyBoundaryOfARollbackStillTakesBackWhatNeedsTheVersion) {
  crash_everywhere("cascade", cascade_scenario(), {"returned by itself"}, {{kEndpoint, "1.0.0"}, {"triage", "2.0.0"}});
}

TEST(Simulation, ACrashAtAnyBoundaryOfARollbackToWhatIsDownLeavesItToWhatIsReady) {
  const Report report = run(stand_in_scenario());
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.stable.at(kEndpoint), "1.0.0");
  EXPECT_EQ(report.counts.at("returned by itself"), 1U);
  crash_everywhere("stand-in", stand_in_scenario(), {});
}

TEST(Shrink, LeavesTheFaultsThatABrokenPromiseNeeds) {
  unsigned shrunk = 0;
  for (std::uint64_t seed = 1; seed <= 200 && shrunk < 3; ++seed) {
    Scenario scenario = random_scenario(seed);
    scenario.sabotage = Sabotage::kForgetsRollback;
    const std::string failure = run(scenario).failure;
    if (failure.empty()) continue;
    ++shrunk;
    const std::set<std::size_t> kept = shrink(scenario);
    const Scenario smaller = with_faults(scenario, kept);
    EXPECT_EQ(run(smaller).failure.substr(0, 20), failure.substr(0, 20)) << seed;
    EXPECT_LT(kept.size(), faults_of(scenario).size()) << seed;
    // It takes a release to be rolled back, something that rolls it back, and a crash after that.
    bool crash = false;
    for (const std::size_t fault : kept) crash |= faults_of(scenario)[fault].starts_with("crash");
    EXPECT_TRUE(crash) << seed;
    for (const std::size_t fault : kept) {
      std::set<std::size_t> without = kept;
      without.erase(fault);
      EXPECT_NE(run(with_faults(scenario, without)).failure.substr(0, 20), failure.substr(0, 20))
          << seed << ": " << faults_of(scenario)[fault];
    }
  }
  EXPECT_EQ(shrunk, 3U);
}

/// The checker is worth as much as what it catches.
struct Broken {
  Sabotage how;
  const char* promise;
};

class SabotagedSimulation : public ::testing::TestWithParam<Broken> {};

TEST_P(SabotagedSimulation, IsCaught) {
  std::map<std::string, unsigned> promises;
  // Which promise is broken first depends on the seed.
  for (std::uint64_t seed = 1; seed <= 2'000 && promises[GetParam().promise] == 0; ++seed) {
    Scenario scenario = random_scenario(seed);
    scenario.sabotage = GetParam().how;
    const std::string failure = run(scenario).failure;
    if (!failure.empty()) ++promises[failure.substr(0, failure.find(':'))];
  }
  EXPECT_GT(promises[GetParam().promise], 0U) << ::testing::PrintToString(promises);
}

INSTANTIATE_TEST_SUITE_P(
    Each, SabotagedSimulation,
    ::testing::Values(Broken{Sabotage::kTakesTrafficLate, "a rollback takes the traffic at once"},
                      Broken{Sabotage::kTakesTrafficLate, "a breach takes the traffic at once"},
                      Broken{Sabotage::kGivesTrafficEarly, "traffic is given after the commit"},
                      Broken{Sabotage::kForgetsRollback, "a restart forgets nothing"},
                      Broken{Sabotage::kLosesAuditEntries, "every change has an audit entry"},
                      Broken{Sabotage::kAnswersBeforeCommit, "nothing acknowledged is lost"},
                      Broken{Sabotage::kIgnoresBreach, "a breach ends in rollback"},
                      Broken{Sabotage::kReleasesStable, "a ready version takes the traffic"},
                      Broken{Sabotage::kBelievesLostAnswers, "everything settles"},
                      Broken{Sabotage::kKeepsOldTable, "what was rolled back serves nobody"},
                      Broken{Sabotage::kLosesAShare, "shares add up"},
                      Broken{Sabotage::kCountsTwice, "feedback counts once"},
                      Broken{Sabotage::kNeverRetriesCommits, "a rollback is stored soon"},
                      Broken{Sabotage::kStoresUnchecked, "what a guardrail took back is judged anew"},
                      Broken{Sabotage::kStoresUnchecked, "what flaps has to wait"},
                      Broken{Sabotage::kStoresUnchecked, "a release has what it needs"},
                      Broken{Sabotage::kLeavesDependents, "what needs a version goes with it"},
                      Broken{Sabotage::kStaysOnWhatIsDown, "a rollback leads to what is ready"},
                      Broken{Sabotage::kReturnsAnywhere, "a return leads to a good version"},
                      Broken{Sabotage::kResumesWithoutReadiness, "a candidate gets traffic when it is ready"}));

}  // namespace
}  // namespace backstay::sim
