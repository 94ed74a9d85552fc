#pragma once

#include "api/control_server.hpp"
#include "api/router.hpp"

/// The control API's routes by topic. Ports outlive the router.
namespace backstay::api {

void add_registry_routes(Router& router, const ControlServer::Ports& ports);
/// Blobs: PUT, GET and HEAD /v1/blobs/SHA256, with ranges, and resumable uploads under /v1/uploads by the tus protocol
/// 1.0.0 (https://tus.io/protocols/resumable-upload; creation, expiration, termination). The digest is
/// Upload-Metadata's `sha256`.
void add_blob_routes(Router& router, const ControlServer::Ports& ports);
void add_rollout_routes(Router& router, const ControlServer::Ports& ports);
/// Of what the gateway kept of an endpoint's requests.
void add_drift_routes(Router& router, const ControlServer::Ports& ports);
void add_view_routes(Router& router, const ControlServer::Ports& ports);

}  // namespace backstay::api
