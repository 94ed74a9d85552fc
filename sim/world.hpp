#pragma once

#include <algorithm>

#include "base/random.hpp"
#include "monitor/guardrail_watch.hpp"
#include "sim/boundary.hpp"
#include "sim/disk.hpp"
#include "sim/fleet.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "sim/trace.hpp"
#include "storage/memory/memory_predictions.hpp"
#include "storage/memory/memory_recordings.hpp"

namespace backstay::sim {

/// What outlives the server: time, chance, the disk. And what ends with it but is not part of it: its backends.
struct World {
  World(const Scenario& s, bool keep_trace) : scenario(s), random(s.seed ^ 0x5eed), trace(timeline, keep_trace) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  bool partitioned() const {
    return std::any_of(scenario.partitions.begin(), scenario.partitions.end(), [this](const Partition& partition) {
      return partition.from <= timeline.elapsed() && timeline.elapsed() < partition.until;
    });
  }

  const Scenario scenario;
  /// Where guardrails find values; a scenario has no more than the gateway takes.
  const monitor::ValuePlan values = monitor::plan_values(scenario.guardrails).value();
  Timeline timeline;
  Random random;
  Trace trace;
  Boundary boundary{scenario.boundary_crashes, trace};
  Disk disk{scenario, timeline, random, trace, boundary};
  MemoryPredictions predictions;  ///< Durable: what was acknowledged is joined.
  MemoryRecordings recordings;    ///< Without what the server had not written when it ended.
  Fleet fleet{scenario, timeline, random, trace};
};

}  // namespace backstay::sim
