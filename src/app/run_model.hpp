#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "domain/evaluation/suite.hpp"
#include "ports/model_runner.hpp"
#include "services/registry.hpp"

namespace backstay::app {

/// A version on a backend of its own, as prepare_backend() says for an endpoint of that backend: for evaluations, and
/// for classifiers of answers. Its output goes to DATA_DIR/`logs`. `stop`: see serving::run_model.
Result<std::unique_ptr<ModelRunner>> run_model(services::Registry registry, const registry::VersionRef& version,
                                               const evaluation::BackendChoice& backend,
                                               const std::filesystem::path& data_dir, const std::filesystem::path& logs,
                                               const std::stop_token& stop = {});

}  // namespace backstay::app
