#pragma once

#include <string>
#include <vector>

#include "ports/ledger.hpp"
#include "ports/version_search.hpp"

namespace backstay::services {

/// What is probably a slip in a filter that is right by the language: metrics and configuration keys that no version
/// has, each a sentence with the name that was probably meant. Names to choose from are those of the newest versions.
Result<std::vector<std::string>> search_notes(const VersionSearch& search, const VersionStore& versions,
                                              const std::string& filter);

}  // namespace backstay::services
