#include "domain/registry/live_models.hpp"

#include <fmt/format.h>

#include "domain/registry/version_range.hpp"

namespace backstay::registry {

bool meets(const Dependency& needed, const std::string& version) {
  if (needed.version.empty()) return true;
  const auto range = VersionRange::parse(needed.version);
  return range ? range->contains(version) : needed.version == version;
}

std::vector<Mismatch> check_models(const std::vector<Dependency>& needed, const std::vector<LiveModel>& live) {
  std::vector<Mismatch> out;
  for (const Dependency& dependency : needed) {
    if (!is_model(dependency)) continue;
    std::string seen;
    bool holds = false;
    for (const LiveModel& item : live) {
      if (item.model != dependency.name) continue;
      holds = holds || meets(dependency, item.version);
      seen += fmt::format("{}{} on '{}'", seen.empty() ? "" : ", ", item.version, item.endpoint);
    }
    if (seen.empty() || holds) continue;
    out.push_back(
        {dependency, fmt::format("needs the model '{}' {}; live is {}", dependency.name, dependency.version, seen)});
  }
  return out;
}

}  // namespace backstay::registry
