#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sim/scenario.hpp"
#include "sim/simulation.hpp"

namespace backstay::sim {

/// What a story ends with.
struct Expectation {
  std::string version;
  std::string how;                                ///< "guardrail", "done", "requirement", ...; see Ending.
  std::vector<std::string> by;                    ///< The guardrails that may have been first; empty: any.
  std::optional<microseconds> before;             ///< Since the beginning.
  std::optional<std::uint64_t> requests_at_most;  ///< That the version answered until then.
};

/// A scenario that people wrote, in a file that reads as a story: who releases what, how it behaves, what goes wrong,
/// and how it has to end. Guardrails and plans are written as in a configuration.
struct Story {
  std::string title;
  std::string text;
  Scenario scenario;
  std::uint64_t seeds = 20;                   ///< It has to end so with each of these many.
  std::vector<Expectation> endings;           ///< Of the versions that it names; others may end as they like.
  std::map<std::string, std::string> stable;  ///< At the end, by endpoint.
};

/// Strict: unknown keys are refused with the nearest valid one. `name` is what errors call it.
Result<Story> story_from(const std::string& name, const std::string& yaml);

/// How a run of the story differs from what it should end with; empty: it doesn't. A broken promise does too.
std::string check(const Story& story, const Report& report);

}  // namespace backstay::sim
