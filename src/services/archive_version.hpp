#pragma once

#include "services/records.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Takes a version out of the way (stage Archived), or brings it back (stage Staging). What an endpoint serves, tries
/// or keeps warm is not archived. kConflict: it is there already, or someone else moved it meanwhile.
Result<void> archive_version(const Records& records, const registry::VersionRef& ref, const Actor& actor,
                             const std::string& reason);
Result<void> restore_version(const Records& records, const registry::VersionRef& ref, const Actor& actor,
                             const std::string& reason);

/// Points a model's alias to a version. `expected` (nullopt: wherever it points now) makes it a compare-and-set.
/// A name that reads as a version, and "latest", are refused.
Result<void> set_alias(const Records& records, const registry::VersionRef& ref, const std::string& alias,
                       const std::optional<std::string>& expected, const Actor& actor, const std::string& reason);
Result<void> remove_alias(const Records& records, const std::string& model, const std::string& alias,
                          const Actor& actor, const std::string& reason);

}  // namespace backstay::services
