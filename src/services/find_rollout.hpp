#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "ports/ledger.hpp"

namespace backstay::services {

/// The rollout with this id ("diagnosis-7"), or an endpoint's latest ("diagnosis"). kNotFound says what there is.
Result<rollout::State> find_rollout(const RolloutStore& store, const std::string& name);

/// The audit log's entries of one rollout: from its start to its end, in order.
Result<std::vector<audit::Entry>> entries_of(const AuditLog& log, const rollout::State& rollout);

}  // namespace backstay::services
