#include "app/store_config.hpp"

#include <fstream>
#include <iterator>

#include "wire/document.hpp"

namespace backstay::app {

Result<StoreConfig> read_store_config(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = data_dir / "store.yaml";
  StoreConfig config;
  std::error_code failure;
  if (!std::filesystem::exists(path, failure) && !failure) return config;
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  if (failure || !in)
    return Unexpected(ErrorCode::kPermissionDenied, path.string() + " can't be read.", "Check its permissions.");
  TRY(const wire::Document document, wire::Document::from_yaml(path.string(), text));
  wire::Fields fields(document);
  fields.optional("quota_bytes", config.quota_bytes);
  TRY_DO(fields.finish());
  return config;
}

}  // namespace backstay::app
