#pragma once

#include <set>
#include <string>

#include "ports/ledger.hpp"
#include "ports/lineage.hpp"
#include "ports/releases.hpp"

namespace backstay::services {

/// Everything that is remembered, one reference per port, and what is needed to know what of it is live.
struct Records {
  VersionStore& versions;
  ReleaseStore& releases;
  InfrastructureStore& infrastructure;
  LineageStore& lineage;
  RolloutStore& rollouts;
  AuditLog& audit;
  /// The endpoints that serve: those of the configuration. One that was taken out of it is remembered, and serves
  /// nothing. nullptr: it isn't known (a command without a server), and all count. Outlives the records.
  const std::set<std::string>* configured = nullptr;

  bool serves(const std::string& endpoint) const { return configured == nullptr || configured->contains(endpoint); }
};

/// The records of a store that implements every port.
template <class Ledger>
Records records_of(Ledger& ledger) {
  return {ledger, ledger, ledger, ledger, ledger, ledger};
}

/// Names of aliases begin with a letter, so that they can't be taken for a version; "latest" is refused.
Result<void> check_alias_name(const std::string& name);

/// A version as people name it: "model@2.1.0", or "model@champion" by an alias.
Result<registry::VersionRef> resolve_version(const Records& records, const std::string& text);

}  // namespace backstay::services
