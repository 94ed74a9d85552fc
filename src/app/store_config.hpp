#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.hpp"

namespace backstay::app {

/// DATA_DIR/store.yaml: limits that hold for whoever writes to the store, the server and every command. Nothing is
/// limited when there is no such file.
struct StoreConfig {
  std::uint64_t quota_bytes = 0;  ///< 0: no limit.
};
/// Unknown keys are refused.
Result<StoreConfig> read_store_config(const std::filesystem::path& data_dir);

}  // namespace backstay::app
