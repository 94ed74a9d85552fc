#pragma once

#include "ports/blob_store.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// See BlobStore::check_out. A whole file that is sealed is linked as it is; one that is not is hashed first and
/// sealed. A blob that is in chunks only is put together once and kept as a whole file beside them, so that the next
/// checkout links it. Where the target's file system can share blocks it is a reflink, on the store's own a hard link,
/// else a copy.
Result<CheckedOutBlob> check_out_blob(StoreParts& store, const Digest& sha256, const fs::path& target,
                                      const CheckOutOptions& options);

}  // namespace backstay::blobs
