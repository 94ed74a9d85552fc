#include "monitor/backend_care.hpp"

#include "domain/registry/semantic_version.hpp"

namespace backstay::monitor {

void BackendCare::ensure(const std::string& endpoint, const std::string& model, const std::string& version) {
  known_.forget_failure(endpoint, version);
  thread_.post([this, endpoint, version, model] {
    number(endpoint, model, version);
    Result<void> started = [&]() -> Result<void> {
      TRY(const BackendSpec spec, ports_.backend_of(endpoint, version));
      return ports_.backends.ensure(spec);
    }();
    if (started) return;
    BackendStatus failed;
    failed.endpoint = endpoint;
    failed.version = version;
    failed.state = BackendState::kFailed;
    failed.detail = started.error().message;
    if (!started.error().hint.empty()) failed.detail += " " + started.error().hint;
    ports_.inbox.post([this, failed] { take(failed); });
  });
}

void BackendCare::release(const std::string& endpoint, const std::string& version) {
  known_.forget(endpoint, version);
  thread_.post([this, endpoint, version] { ports_.backends.release(endpoint, version); });
}

void BackendCare::take(const BackendStatus& status) {
  known_.take(status);
  ports_.directory.set_address(status.endpoint, status.version, address_of(status));
  ports_.changed();
}

/// On the thread of backends, before the version can serve. Without a number its predictions can't be traced, which is
/// no reason not to serve.
void BackendCare::number(const std::string& endpoint, const std::string& model, const std::string& version) {
  const auto parsed = registry::SemanticVersion::parse(version);
  if (!parsed) return;
  const Result<std::uint32_t> serving = ports_.lineage.serving_number(endpoint, {model, *parsed});
  if (!serving) return;
  ports_.inbox.post(
      [this, endpoint, version, number = *serving] { ports_.directory.set_serving(endpoint, version, number); });
}

}  // namespace backstay::monitor
