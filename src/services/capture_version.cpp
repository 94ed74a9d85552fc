#include "services/capture_version.hpp"

#include "services/capture_environment.hpp"

namespace backstay::services {

Result<std::vector<std::string>> capture_version(BlobStore* blobs, const CaptureOptions& options,
                                                 const std::filesystem::path& folder, wire::VersionSpec& spec) {
  std::vector<std::string> warnings;
  if (options.work_tree != nullptr)
    TRY_DO(capture_code(blobs, *options.work_tree, options.not_code, folder, spec, warnings));
  TRY_DO(capture_environment(blobs, options, folder, spec, warnings));
  return warnings;
}

}  // namespace backstay::services
