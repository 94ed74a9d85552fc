#pragma once

#include <string>

#include "ports/version_search.hpp"

namespace backstay::services {

constexpr std::size_t kDefaultPage = 50;
constexpr std::size_t kMaxPage = 500;

/// One page of the versions that a filter (domain/search) selects. A limit of 0 or above kMaxPage is refused.
Result<SearchPage> search_versions(const VersionSearch& versions, const std::string& filter, const std::string& cursor,
                                   std::size_t limit);

/// The filter for one model's versions, or with an empty name for all of them.
std::string filter_of_model(const std::string& model);

}  // namespace backstay::services
