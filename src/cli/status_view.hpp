#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace backstay::cli {

/// The status of the control API as a screen for people.
std::string status_view(const nlohmann::json& status);

}  // namespace backstay::cli
