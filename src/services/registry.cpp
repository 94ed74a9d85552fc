#include "services/registry.hpp"

#include "wire/manifest_json.hpp"

namespace backstay::services {

Result<registry::Manifest> manifest_of(const StoredVersion& stored) {
  return wire::manifest_from_json("the stored manifest of " + stored.ref.str(), stored.manifest_json);
}

Result<std::optional<registry::VersionRef>> production_of(const VersionStore& versions,
                                                          const registry::VersionRef& ref) {
  TRY(const std::vector<StoredVersion> all, versions.versions(ref.model));
  for (const StoredVersion& version : all)
    if (version.stage == "Production" && version.ref != ref) return std::optional(version.ref);
  return std::optional<registry::VersionRef>();
}

}  // namespace backstay::services
