#include "services/next_version.hpp"

namespace backstay::services {

namespace {

using registry::SemanticVersion;

Result<registry::Manifest> load(const VersionStore& versions, const registry::VersionRef& ref) {
  TRY(const StoredVersion stored, versions.version(ref));
  return manifest_of(stored);
}

}  // namespace

Result<VersionAdvice> suggest_version(const VersionStore& versions, const registry::Manifest& manifest) {
  const std::string& model = manifest.ref.model;
  TRY(const std::optional<SemanticVersion> newest, versions.greatest(model, {}));
  VersionAdvice advice;
  if (!newest) {
    advice.bump = {registry::Bump::kNone, {"it is the model's first version"}, {1, 0, 0, ""}};
    return advice;
  }
  advice.compared_with = {model, *newest};
  TRY(const registry::Manifest before, load(versions, *advice.compared_with));
  advice.bump = registry::advise_bump(before, manifest);
  return advice;
}

Result<void> check_version_number(const VersionStore& versions, const registry::Manifest& manifest) {
  TRY(const std::optional<SemanticVersion> below, versions.greatest(manifest.ref.model, manifest.ref.version));
  if (!below || *below == manifest.ref.version) return {};
  TRY(const registry::Manifest before, load(versions, {manifest.ref.model, *below}));
  return registry::check_bump(before, manifest);
}

}  // namespace backstay::services
