#include "app/run_model.hpp"

#include "app/prepare_backend.hpp"
#include "serving/model_backend.hpp"

namespace backstay::app {

namespace {

BackendSpec::Kind kind_of(evaluation::BackendChoice::Kind kind) {
  switch (kind) {
    case evaluation::BackendChoice::Kind::kProcess: return BackendSpec::Kind::kProcess;
    case evaluation::BackendChoice::Kind::kUrl: return BackendSpec::Kind::kUrl;
    case evaluation::BackendChoice::Kind::kModel: break;
  }
  return BackendSpec::Kind::kModel;
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> run_model(services::Registry registry, const registry::VersionRef& version,
                                               const evaluation::BackendChoice& backend,
                                               const std::filesystem::path& data_dir, const std::filesystem::path& logs,
                                               const std::stop_token& stop) {
  EndpointConfig endpoint;
  endpoint.model = version.model;
  endpoint.name = backend.served_as.empty() ? version.model : backend.served_as;
  endpoint.backend.kind = kind_of(backend.kind);
  endpoint.backend.url = backend.url;
  endpoint.backend.urls = backend.urls;
  endpoint.backend.command = backend.command;
  endpoint.backend.health_path = backend.health_path;
  endpoint.backend.start_timeout = backend.start_timeout;
  endpoint.backend.threads = backend.threads;
  TRY(const BackendSpec spec, prepare_backend(endpoint, version.version.str(), registry, data_dir));
  return serving::run_model(spec, endpoint.name, data_dir / logs, backend.answer_timeout, stop);
}

}  // namespace backstay::app
