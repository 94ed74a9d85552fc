#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/checker.hpp"
#include "sim/server.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// How a rollout ended.
struct Ending {
  std::string version;    ///< The candidate.
  std::string how;        ///< "done", "reverted", or what triggered the rollback: "guardrail", "manual", ...
  std::string guardrail;  ///< Of "guardrail": which one.
  microseconds at{0};
  std::uint64_t requests = 0;  ///< That clients had answered by it until then.
};

/// How a run went.
struct Report {
  std::string failure;                        ///< The promise that was broken and how; empty: none.
  std::string trace;                          ///< When it was asked for.
  std::string digest;                         ///< Of the trace.
  std::map<std::string, std::string> stable;  ///< At the end, by endpoint.
  std::uint64_t boundaries = 0;
  std::vector<Ending> endings{};
  std::map<std::string, unsigned> counts;  ///< "restarts", "done", "guardrail", "manual", ...: what the run has met.
};

/// Runs a scenario from its beginning until nothing is left to do, and checks every promise after each event.
Report run(const Scenario& scenario, bool keep_trace = false);

}  // namespace backstay::sim
