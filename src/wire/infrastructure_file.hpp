#pragma once

#include <vector>

#include "domain/registry/infrastructure.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// Reads what is live, as people and probes write it:
///
///     infrastructure:
///       - {name: patients, kind: database, version: "14.2"}
///       - {name: visits, kind: feature_view, schema_sha256: 9f86d081...}
///       - {name: old-queue, kind: queue, removed: true}
Result<std::vector<registry::Infrastructure>> infrastructure_from(const Document& document);

}  // namespace backstay::wire
