#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/rollout/plan.hpp"

namespace backstay::sim {

/// How the process behind a version behaves.
enum class Habit : std::uint8_t {
  kSteady,        ///< Starts, stays.
  kNeverReady,    ///< Runs and never answers a health check.
  kCrashLoop,     ///< Ends before it is ready, each time.
  kFlaky,         ///< Ends now and then; comes back when started again.
  kDiesServing,   ///< Ready once; ends after a while and never gets ready again.
  kUrlLostLater,  ///< A url that is only watched: ready in the server's first life, in no later one.
};
const char* to_string(Habit habit);

struct VersionScript {
  std::string version;
  Habit habit = Habit::kSteady;
  microseconds start_time{200'000};
  microseconds lifetime{5'000'000};  ///< kFlaky, kDiesServing: from ready to its end.
  double error_ratio = 0;
  microseconds latency{10'000};  ///< Its mean.
};

struct OperatorOrder {
  enum class Kind : std::uint8_t { kStart, kPause, kResume, kPromote, kRollBack, kReturnTo };
  microseconds at{0};
  Kind kind = Kind::kStart;
  std::string version;  ///< kStart, kReturnTo.
  rollout::Plan plan;   ///< kStart.
};
const char* to_string(OperatorOrder::Kind kind);

struct DiskTrouble {
  enum class Kind : std::uint8_t { kFull, kSlow };
  microseconds from{0};
  microseconds until{0};
  Kind kind = Kind::kFull;
};

/// A way to break the promises on purpose: shows that the checker would tell.
enum class Sabotage : std::uint8_t {
  kNone,
  kTakesTrafficLate,        ///< Splits reach the router half a second after they were decided.
  kGivesTrafficEarly,       ///< Splits reach the router before the commit that says so.
  kForgetsRollback,         ///< A restart loads the rollout as it was before it was rolled back.
  kLosesAuditEntries,       ///< Commits go without their notes.
  kAnswersBeforeCommit,     ///< Says "durable" first and writes later.
  kIgnoresBreach,           ///< Guardrails speak and nobody listens.
  kReleasesStable,          ///< Stops the stable version's backend together with the candidate's.
  kNeverRetriesCommits,     ///< A commit that failed once is left at that.
  kResumesWithoutReadiness  ///< After a restart the candidate gets its share before it is ready.
};

/// Everything that is going to happen in a run, apart from how the program answers it.
struct Scenario {
  std::uint64_t seed = 0;
  std::vector<VersionScript> versions;  ///< The first one is deployed first.
  std::vector<guardrails::GuardrailSpec> guardrails;
  std::vector<OperatorOrder> orders;
  std::vector<DiskTrouble> disk;
  std::vector<microseconds> crashes;         ///< Ends of the process at a moment,
  std::set<std::uint64_t> boundary_crashes;  ///< and at a boundary (see Boundary).
  double torn_commit_holds = 0.5;            ///< Chance that what was being written when the process ended is durable.
  microseconds longest_downtime{3'000'000};
  microseconds calm_from{0};  ///< No faults and no new rollouts from here on.
  std::uint32_t requests_per_second = 40;
  Sabotage sabotage = Sabotage::kNone;
};

/// A run of everything at once, drawn from the seed.
Scenario random_scenario(std::uint64_t seed);
/// Deploys 1.0.0, then 1.1.0 through shadow and canary steps, where its errors breach a guardrail.
Scenario breach_scenario();
/// Deploys 1.0.0, then 1.1.0 up to the end of its watch, then an operator returns to the standby version.
Scenario standby_scenario();

}  // namespace backstay::sim
