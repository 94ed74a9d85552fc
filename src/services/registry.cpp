#include "services/registry.hpp"

#include "wire/manifest_json.hpp"

namespace backstay::services {

Result<registry::Manifest> manifest_of(const StoredVersion& stored) {
  return wire::manifest_from_json("the stored manifest of " + stored.ref.str(), stored.manifest_json);
}

}  // namespace backstay::services
