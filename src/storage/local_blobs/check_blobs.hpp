#pragma once

#include "ports/blob_upkeep.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// See BlobUpkeep::check: every blob is hashed, chunk by chunk where it has chunks; then what the packs hold beside.
Result<void> check_blobs(const Layout& layout, const BlobStore* other, const OnUpkeep& on_progress,
                         const std::function<void(const BlobProblem&)>& on_problem);

}  // namespace backstay::blobs
