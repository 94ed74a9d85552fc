#pragma once

#include "monitor/known_backends.hpp"
#include "monitor/watched_endpoint.hpp"
#include "services/drive_rollout.hpp"

namespace backstay::monitor {

/// What is known of an endpoint now. On the loop's thread.
EndpointStatus report(const WatchedEndpoint& endpoint, const services::RolloutDriver& driver,
                      const traffic::Split& split, const KnownBackends& backends, Timestamp now);

}  // namespace backstay::monitor
