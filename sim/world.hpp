#pragma once

#include "base/random.hpp"
#include "sim/boundary.hpp"
#include "sim/disk.hpp"
#include "sim/fleet.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "sim/trace.hpp"

namespace backstay::sim {

inline constexpr const char* kEndpoint = "diagnosis";
inline constexpr const char* kModel = "breast-cancer";

/// What outlives the server: time, chance, the disk. And what ends with it but is not part of it: its backends.
struct World {
  World(const Scenario& s, bool keep_trace) : scenario(s), random(s.seed ^ 0x5eed), trace(timeline, keep_trace) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const Scenario scenario;
  Timeline timeline;
  Random random;
  Trace trace;
  Boundary boundary{scenario.boundary_crashes, trace};
  Disk disk{scenario, timeline, random, trace, boundary};
  Fleet fleet{scenario, timeline, random, trace};
};

}  // namespace backstay::sim
