#pragma once

#include <cstdint>
#include <map>
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

/// What is served under one name: its model is called like it. Version numbers are unique in a scenario.
inline constexpr const char* kEndpoint = "diagnosis";

struct VersionScript {
  std::string version;
  Habit habit = Habit::kSteady;
  microseconds start_time{200'000};
  microseconds lifetime{5'000'000};  ///< kFlaky, kDiesServing: from ready to its end.
  double error_ratio = 0;
  microseconds latency{10'000};            ///< Its mean.
  double converts = 0;                     ///< Share of its answers that are followed by a conversion,
  double reported = 0;                     ///< and by a complaint.
  std::map<std::string, double> values{};  ///< By JSON pointer: the share of answers in which it is 1; 0 in the others.
  std::vector<double> sensitivity{};       ///< By group of cases: the share of the positives that it finds.
  std::string endpoint = kEndpoint;
  std::string needs{};  ///< Which versions of the first endpoint's model it needs, like ">=1.1"; empty: none.
};

struct OperatorOrder {
  enum class Kind : std::uint8_t { kStart, kPause, kResume, kPromote, kRollBack, kReturnTo, kApprove };
  microseconds at{0};
  Kind kind = Kind::kStart;
  std::string version;  ///< kStart, kReturnTo.
  rollout::Plan plan;   ///< kStart.
  std::string endpoint = kEndpoint;
  bool prepared = true;  ///< kStart: what stands against the release is answered first: the version is restored,
                         ///< measured and judged again.
  bool forced = false;   ///< kStart: although it was taken back again and again.
};
const char* to_string(OperatorOrder::Kind kind);

struct DiskTrouble {
  enum class Kind : std::uint8_t {
    kFull,
    kSlow,
    kLosesAnswers  ///< What is committed is durable, and the answer says that it failed.
  };
  microseconds from{0};
  microseconds until{0};
  Kind kind = Kind::kFull;
};

/// The monitor and the gateway don't hear of one another: requests go by the table of before, outcomes wait.
struct Partition {
  microseconds from{0};
  microseconds until{0};
};

/// The wall clock is set: from here on it is this much ahead of the time since the start.
struct ClockStep {
  microseconds at{0};
  microseconds ahead{0};
};

/// What users tell, and when.
struct Feedback {
  microseconds after{0};         ///< At most this long after the answer.
  double lost = 0;               ///< Share that never arrives,
  double twice = 0;              ///< and that is sent again.
  std::vector<double> groups{};  ///< Share of cases by group; /group in the answer says which one it was.
  double positives = 0;          ///< Share of cases that are. Labels come when this is above 0.
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
  kBelievesLostAnswers,     ///< A commit whose answer was lost is taken for one that failed.
  kKeepsOldTable,           ///< The gateway goes on by the table of before a rollback.
  kLosesAShare,             ///< The gateway's shares don't add up.
  kCountsTwice,             ///< Feedback that comes twice is evidence twice.
  kStoresUnchecked,         ///< What is started is not checked, neither where it is ordered nor where it is stored.
  kLeavesDependents,        ///< What needs a version that was taken back is left alone.
  kStaysOnWhatIsDown,       ///< A rollback to a stable version that is down is left at that.
  kReturnsAnywhere,         ///< A return leads to the oldest version that served.
  kResumesWithoutReadiness  ///< After a restart the candidate gets its share before it is ready.
};

/// Everything that is going to happen in a run, apart from how the program answers it.
struct Scenario {
  std::uint64_t seed = 0;
  std::vector<std::string> endpoints{kEndpoint};
  std::vector<VersionScript> versions;  ///< The first one is deployed first.
  std::vector<guardrails::GuardrailSpec> guardrails;
  guardrails::Family family;
  std::vector<OperatorOrder> orders;
  std::vector<DiskTrouble> disk;
  std::vector<Partition> partitions;
  std::vector<ClockStep> clock;
  double lost_outcomes = 0;  ///< Share of outcomes that never reach the monitor.
  Feedback feedback;
  std::vector<microseconds> crashes;         ///< Ends of the process at a moment,
  std::set<std::uint64_t> boundary_crashes;  ///< and at a boundary (see Boundary).
  double torn_commit_holds = 0.5;            ///< Chance that what was being written when the process ended is durable.
  microseconds longest_downtime{3'000'000};
  microseconds calm_from{0};              ///< No faults and no new rollouts from here on.
  microseconds settle_time{150'000'000};  ///< From there until everything must have ended.
  std::uint32_t requests_per_second = 40;
  Sabotage sabotage = Sabotage::kNone;
};

/// The wall clock at the beginning of a run.
inline constexpr Timestamp kBeginning{std::chrono::hours(24 * 365 * 50)};

/// A run of everything at once, drawn from the seed.
Scenario random_scenario(std::uint64_t seed);
/// Deploys 1.0.0, then 1.1.0 through shadow and canary steps, where its errors breach a guardrail.
Scenario breach_scenario();
/// Deploys 1.0.0, then 1.1.0 up to the end of its watch, then an operator returns to the standby version.
Scenario standby_scenario();
/// Deploys two versions on each of two endpoints, the second one's newest needs the first one's newest; then an
/// operator takes the first one back, and what needs it has to go with it.
Scenario cascade_scenario();
/// 1.1.0 is stable and dies, and 1.2.0, its candidate, is taken back by hand: 1.0.0 has to take over.
Scenario stand_in_scenario();

}  // namespace backstay::sim
