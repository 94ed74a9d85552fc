#pragma once

#include <set>

#include "domain/drift/column_profile.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// The profile that is stored beside a slice. kNotFound when it has none.
Result<drift::Profile> profile_of(const BlobStore& blobs, const registry::DataSlice& slice);

/// What a version was made from, as its slices' profiles say.
struct DataProfile {
  drift::Profile profile;            ///< Of all slices together.
  std::vector<std::string> slices;   ///< DATA_SET/SLICE, of those that have a profile.
  std::vector<std::string> without;  ///< Of those that have none.
};

/// Of the data sets of one role ("training"): a data set's own profile where it has one, for it tells more categories
/// than those of its slices (drift::WholeProfile). kFailedPrecondition when no slice has a profile.
Result<DataProfile> data_profile(const BlobStore& blobs, const registry::Manifest& manifest, const std::string& role);

}  // namespace backstay::services
