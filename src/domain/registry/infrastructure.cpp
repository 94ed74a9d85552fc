#include "domain/registry/infrastructure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/registry/version_range.hpp"

namespace backstay::registry {

namespace {

std::string short_digest(const std::string& hex) {
  return "sha256:" + hex.substr(0, 12);
}

/// Why the live item is not what is needed; empty: it is.
std::string mismatch(const Dependency& needed, const Infrastructure& live) {
  if (live.removed) return fmt::format("needs the {} '{}', which was removed", needed.kind, needed.name);
  if (live.kind != needed.kind) return fmt::format("needs '{}' as {}; it is {}", needed.name, needed.kind, live.kind);
  if (!needed.version.empty()) {
    if (live.version.empty())
      return fmt::format("needs {} '{}' {}; which version is live was not declared", needed.kind, needed.name,
                         needed.version);
    const auto range = VersionRange::parse(needed.version);
    // A range that can't be read is refused at register; in an older registry it means exactly this text.
    const bool holds = range ? range->contains(live.version) : needed.version == live.version;
    if (!holds)
      return fmt::format("needs {} '{}' {}; {} is live", needed.kind, needed.name, needed.version, live.version);
  }
  if (!needed.schema_sha256.empty() && needed.schema_sha256 != live.schema_sha256) {
    return fmt::format("needs {} '{}' with the schema {}; {} is live", needed.kind, needed.name,
                       short_digest(needed.schema_sha256),
                       live.schema_sha256.empty() ? "an undeclared one" : short_digest(live.schema_sha256));
  }
  return "";
}

}  // namespace

Result<void> validate(const Infrastructure& item) {
  TRY_DO(check_name("infrastructure", item.name));
  TRY_DO(check_name("infrastructure kind", item.kind));
  if (item.version.size() > 200)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The version of '{}' is too long.", item.name),
                      "Give a version like 14.2.");
  if (!item.schema_sha256.empty()) TRY_DO(Digest::from_hex(item.schema_sha256));
  return {};
}

DependencyCheck check_dependencies(const std::vector<Dependency>& needed, const std::vector<Infrastructure>& live) {
  DependencyCheck check;
  for (const Dependency& dependency : needed) {
    const auto found =
        std::find_if(live.begin(), live.end(), [&](const auto& it) { return it.name == dependency.name; });
    if (found == live.end()) {
      check.undeclared.push_back(dependency);
    } else if (std::string reason = mismatch(dependency, *found); !reason.empty()) {
      check.mismatches.push_back({dependency, std::move(reason)});
    }
  }
  return check;
}

std::vector<Infrastructure> with_changes(std::vector<Infrastructure> live, const std::vector<Infrastructure>& changes) {
  for (const Infrastructure& change : changes) {
    const auto found = std::find_if(live.begin(), live.end(), [&](const auto& it) { return it.name == change.name; });
    if (found == live.end()) {
      live.push_back(change);
    } else {
      *found = change;
    }
  }
  std::sort(live.begin(), live.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return live;
}

}  // namespace backstay::registry
