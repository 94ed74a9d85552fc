#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace backstay::wire {

/// uv.lock holds packages for all platforms, and the conditions on the edges between them. This gives each entry of
/// root["package"], in order, its own condition: that some path leads to it from the project (`reached`), with
/// everything the project may ask for: extras and groups count. A lock without a project installs all there is.
struct UvPlace {
  bool reached = false;
  std::string marker;  ///< PEP 508, not checked; empty: everywhere.
};
std::vector<UvPlace> uv_places(const nlohmann::json& root);

}  // namespace backstay::wire
