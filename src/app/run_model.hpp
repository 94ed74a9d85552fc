#pragma once

#include <filesystem>
#include <memory>

#include "domain/evaluation/suite.hpp"
#include "ports/model_runner.hpp"
#include "services/registry.hpp"

namespace backstay::app {

/// A version on a backend of its own, as prepare_backend() says for an endpoint of that backend: for evaluations. Its
/// output goes to DATA_DIR/evaluations/logs.
Result<std::unique_ptr<ModelRunner>> run_model(services::Registry registry, const registry::VersionRef& version,
                                               const evaluation::BackendChoice& backend,
                                               const std::filesystem::path& data_dir);

}  // namespace backstay::app
