#pragma once

#include <functional>

#include "base/time.hpp"
#include "monitor/threads.hpp"
#include "ports/ledger.hpp"
#include "services/drive_rollout.hpp"

namespace backstay::monitor {

/// What those act on who do what follows from a durable rollout: DependentReleases and StandIn. All outlive them.
struct AfterRollout {
  services::RolloutDriver& driver;
  Threads threads;
  AuditLog& audit;
  const Clock& clock;
  std::function<void()> stored{};  ///< Told, on the thread that stores, when an entry was; may be empty.
};

}  // namespace backstay::monitor
