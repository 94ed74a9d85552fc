#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace backstay::app {

/// Runs the gateway and the control API of a configuration file until SIGTERM or SIGINT; then lets requests that are
/// under way finish. Signals must be blocked in every thread before (see main).
Result<void> serve(const std::filesystem::path& config_file);

/// Sends a test message to a notification target of the configuration now. kUnavailable: it was not delivered.
Result<void> test_notification(const std::filesystem::path& config_file, const std::string& target);

}  // namespace backstay::app
