#include "services/capture_version.hpp"

#include <fmt/format.h>

#include "services/capture_environment.hpp"
#include "services/local_files.hpp"
#include "wire/toml.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kMaxConfigBytes = 16 * 1024 * 1024;

Result<wire::Document> parse_config(const std::string& name, const std::string& text) {
  if (name.ends_with(".toml")) return wire::document_from_toml(name, text);
  if (name.ends_with(".json")) return wire::Document::from_json(name, text);
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return wire::Document::from_yaml(name, text);
  return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is no configuration file that is understood.", name),
                    "Use .yaml, .json or .toml.");
}

/// What is written inline wins, then the file that is named last.
Result<void> read_config_files(const std::filesystem::path& folder, wire::VersionSpec& spec) {
  std::map<std::string, std::string> all;
  for (const std::string& name : spec.config_files) {
    TRY(const std::vector<FoundFile> found, find_files(folder, {{name, "x"}}));
    if (found.size() != 1 || found[0].name != "x" || found[0].size_bytes > kMaxConfigBytes)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is a folder or larger than 16 MiB.", name),
                        "Name one file of configuration.");
    std::string text;
    TRY_DO(read_file(found[0].source, [&](std::span<const std::byte> piece) -> Result<void> {
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    TRY(const wire::Document document, parse_config(name, text));
    TRY(const auto values, wire::flatten(name, document));
    for (const auto& [key, value] : values) all[key] = value;
  }
  spec.manifest.config.merge(all);
  return {};
}

}  // namespace

Result<std::vector<std::string>> capture_version(BlobStore* blobs, const CaptureOptions& options,
                                                 const std::filesystem::path& folder, wire::VersionSpec& spec) {
  std::vector<std::string> warnings;
  if (options.work_tree != nullptr)
    TRY_DO(capture_code(blobs, *options.work_tree, options.not_code, folder, spec, warnings));
  TRY_DO(read_config_files(folder, spec));
  TRY_DO(capture_environment(blobs, options, folder, spec, warnings));
  return warnings;
}

}  // namespace backstay::services
