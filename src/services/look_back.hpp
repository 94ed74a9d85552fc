#pragma once

#include <functional>

#include "ports/ledger.hpp"

namespace backstay::services {

enum class Look : std::uint8_t { kGoOn, kFound, kStop };

/// Asks `look` of the log's entries, the newest first, until it has found what it wants or does not want to go on.
/// Whether it was found. Waits for the disk.
Result<bool> look_back(const AuditLog& audit, const std::function<Look(const audit::Entry&)>& look);

}  // namespace backstay::services
