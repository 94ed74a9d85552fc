#pragma once

#include "ports/blob_upkeep.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// See BlobUpkeep::repair. The bytes come from the blob's other form when it has two, else from `from`; they are hashed
/// on the way and nothing that is here goes before they are in their place.
Result<bool> repair_blob(StoreParts& store, const BlobProblem& problem, const BlobStore* from);

}  // namespace backstay::blobs
