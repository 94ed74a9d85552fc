#include "app/prepare_backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/checkout_version.hpp"

namespace backstay::app {

namespace fs = std::filesystem;

namespace {

constexpr milliseconds kEnvironmentTimeout{600'000};

/// Checked out once per manifest; the folder appears complete or not at all.
Result<fs::path> checked_out(services::Registry registry, const registry::VersionRef& ref, const StoredVersion& stored,
                             const fs::path& data_dir) {
  const fs::path folder = data_dir / "serving" / stored.identity.hex();
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return folder;
  auto done = services::check_out_version(registry, ref, folder);
  if (!done && done.error().code != ErrorCode::kConflict) return Unexpected(std::move(done).error());
  return folder;
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const char* ending) { return name.ends_with(ending); });
}

/// Loading a pickle runs code: only a manifest that asks for the Python worker has it done.
Result<void> check_no_pickle(const registry::Manifest& manifest) {
  std::string pickle;
  for (const registry::Artifact& artifact : manifest.artifacts) {
    const bool chosen = manifest.serving.entry.empty() || artifact.path == manifest.serving.entry;
    if (!chosen) continue;
    if (ends_with_any(artifact.path, {".onnx", ".pb", ".xml"})) return {};
    if (ends_with_any(artifact.path, {".pkl", ".pickle", ".joblib"})) pickle = artifact.path;
  }
  if (pickle.empty()) return {};
  return Unexpected(
      ErrorCode::kUnsupported,
      fmt::format("{} is served from '{}', a pickle, which only the Python worker loads.", manifest.ref.str(), pickle),
      "Loading it runs code in it: if you trust it, register a version with serving.runtime: python and a "
      "lock file.");
}

Result<void> set_worker(const EndpointConfig& endpoint, const registry::Manifest& manifest, const fs::path& data_dir,
                        BackendSpec& spec) {
  const fs::path model =
      manifest.serving.entry.empty() ? fs::path(spec.artifacts) : fs::path(spec.artifacts) / manifest.serving.entry;
  spec.port_from_stdout = true;
  const std::vector<std::string> common{"--model",   model.string(), "--name",   endpoint.name,
                                        "--version", spec.version,   "--listen", "127.0.0.1:0"};
  if (manifest.serving.runtime == "python") {
    spec.command = {"/usr/bin/python3", (program_folder() / "backstay_worker.py").string()};
    const auto& locks = manifest.environment.lock_files;
    if (locks.size() != 1)
      return Unexpected(
          ErrorCode::kFailedPrecondition,
          fmt::format("{} asks for the Python worker and names {} lock files.", manifest.ref.str(), locks.size()),
          "Name the one requirements file with every package pinned as environment.lock_files.");
    spec.command.insert(spec.command.end(),
                        {"--lock", (fs::path(spec.artifacts) / ".backstay/lock" / locks[0].path).string(),
                         "--environments", (data_dir / "environments").string()});
    spec.start_timeout = std::max(spec.start_timeout, kEnvironmentTimeout);
  } else if (manifest.serving.runtime.empty() || manifest.serving.runtime == "openvino") {
    TRY_DO(check_no_pickle(manifest));
    spec.command = {(program_folder() / "backstay-worker").string(), "--threads",
                    std::to_string(endpoint.backend.threads)};
  } else {
    return Unexpected(ErrorCode::kUnsupported,
                      fmt::format("{} asks for the runtime '{}'.", manifest.ref.str(), manifest.serving.runtime),
                      "serving.runtime is openvino or python.");
  }
  spec.command.insert(spec.command.end(), common.begin(), common.end());
  return {};
}

}  // namespace

fs::path program_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

Result<BackendSpec> prepare_backend(const EndpointConfig& endpoint, const std::string& version,
                                    services::Registry registry, const fs::path& data_dir) {
  const BackendConfig& config = endpoint.backend;
  BackendSpec spec;
  spec.endpoint = endpoint.name;
  spec.version = version;
  spec.kind = config.kind;
  spec.start_timeout = config.start_timeout;
  spec.stop_grace = config.stop_grace;
  if (!config.health_path.empty()) spec.health_path = config.health_path;
  if (config.kind == BackendSpec::Kind::kUrl) {
    const auto own = config.urls.find(version);
    spec.url = own == config.urls.end() ? config.url : own->second;
    if (spec.url.empty())
      return Unexpected(ErrorCode::kFailedPrecondition,
                        fmt::format("Endpoint '{}' has no url for version {}.", endpoint.name, version),
                        "Add it to backend.urls.");
    return spec;
  }
  TRY(const registry::VersionRef ref, registry::VersionRef::parse(endpoint.model + "@" + version));
  TRY(const StoredVersion stored, registry.versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(stored));
  TRY(const fs::path artifacts, checked_out(registry, ref, stored, data_dir));
  spec.artifacts = artifacts.string();
  if (config.kind == BackendSpec::Kind::kProcess) {
    spec.command = config.command;
    return spec;
  }
  TRY_DO(set_worker(endpoint, manifest, data_dir, spec));
  return spec;
}

}  // namespace backstay::app
