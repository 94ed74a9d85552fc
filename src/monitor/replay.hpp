#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "ports/recordings.hpp"

/// A rollout's guardrails at work once more, on what was recorded.
namespace backstay::monitor {

/// A guardrail crossed its limit.
struct Crossing {
  std::uint64_t outcomes = 0;        ///< Of the candidate that had been seen by then, this one too.
  nanoseconds after{0};              ///< The first outcome of the recording.
  traffic::PredictionId prediction;  ///< Whose outcome or label it was.
  guardrails::Evidence evidence;     ///< As it was at that moment.
};

/// How a guardrail's evidence went: points in time order, at most a few hundred.
struct Course {
  struct Point {
    nanoseconds after{0};
    double log_e = 0;
  };
  std::string guardrail;
  std::vector<Point> points;
};

struct Replayed {
  std::uint64_t candidate_outcomes = 0;
  std::uint64_t stable_outcomes = 0;
  std::uint64_t labels = 0;
  std::uint64_t reports = 0;
  std::uint64_t conversions = 0;
  nanoseconds lasted{0};                         ///< From the first to the last outcome or label.
  std::vector<Crossing> crossings;               ///< In order.
  std::size_t restarts = 0;                      ///< Of the server, after which evidence began anew.
  std::size_t resumed = 0;                       ///< Of the server, after which evidence went on.
  bool instead = false;                          ///< With another policy than the recorded one.
  std::size_t since_restart = 0;                 ///< Crossings before this one were forgotten by a restart.
  std::vector<guardrails::Evidence> at_the_end;  ///< By guardrail.
  std::vector<Course> courses;                   ///< By guardrail.
  RecordingStore::Recorded recorded;             ///< Whether the recording has all.
};

/// With the policy that was in force, or with another one. A guardrail that is done (rollback) does not end the replay:
/// what comes after it was recorded is seen too. kInvalidArgument when `instead` needs a value of the responses that
/// was not recorded. Deterministic: the same recording and policy give the same evidence to the last bit.
Result<Replayed> replay(const RecordingStore& recordings, const std::string& rollout,
                        const std::optional<guardrails::Policy>& instead);

}  // namespace backstay::monitor
