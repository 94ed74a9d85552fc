#pragma once

#include "ports/blob_store.hpp"
#include "services/uploads.hpp"

namespace httplib {
class Server;
}

namespace backstay::api {

/// Routes for blobs: GET and HEAD /v1/blobs/SHA256 with ranges, and resumable uploads under /v1/uploads by the tus
/// protocol 1.0.0 (https://tus.io/protocols/resumable-upload; creation, expiration, termination). The digest is
/// Upload-Metadata's `sha256`. Both outlive the server.
void add_blob_routes(httplib::Server& server, const BlobStore& blobs, services::Uploads& uploads);

}  // namespace backstay::api
