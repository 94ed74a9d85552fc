#pragma once

#include "app/config.hpp"
#include "app/data_directory.hpp"
#include "services/registry.hpp"

namespace backstay::app {

/// How a version of an endpoint's model is served: for workers and processes its files are checked out, verified, under
/// DATA_DIR/serving. May take as long as reading the version takes.
Result<BackendSpec> prepare_backend(const EndpointConfig& endpoint, const std::string& version,
                                    services::Registry registry, const std::filesystem::path& data_dir);

/// The worker programs are beside this program.
std::filesystem::path program_folder();

}  // namespace backstay::app
