#pragma once

#include <string>
#include <vector>

#include "services/records.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// A version that an endpoint serves or keeps warm, compared with what is, or would be, live.
struct DeployedCheck {
  std::string endpoint;
  std::string role;  ///< "stable", "standby" or "candidate"
  registry::VersionRef ref;
  registry::DependencyCheck check;
};

/// Compares every stable, standby and candidate version with the live infrastructure after `changes`: what a change
/// would break, before it is made. By endpoint.
Result<std::vector<DeployedCheck>> check_infrastructure(const Records& records,
                                                        const std::vector<registry::Infrastructure>& changes);

/// Records what is live from now on. Items are checked first; nothing is recorded when one is wrong.
Result<void> declare_infrastructure(const Records& records, const std::vector<registry::Infrastructure>& items,
                                    const Actor& actor, const std::string& reason);

}  // namespace backstay::services
