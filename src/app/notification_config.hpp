#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "notify/target.hpp"
#include "wire/document.hpp"

namespace backstay::app {

/// A target as the configuration has it: secrets are in files of their own.
struct NotificationConfig {
  notify::Target target;
  std::filesystem::path url_file;  ///< Whose text is the address, which may itself be a secret. Empty: target.url.
  std::filesystem::path secret_file;
};

/// Reads the list `notifications`. Paths are relative to `folder`.
void read_notifications(wire::Fields& fields, const std::filesystem::path& folder,
                        std::vector<NotificationConfig>& out);

/// With what their files hold. Refuses a secret that others than its owner may read.
Result<std::vector<notify::Target>> load_targets(const std::vector<NotificationConfig>& configs);

}  // namespace backstay::app
