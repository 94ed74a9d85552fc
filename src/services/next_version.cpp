#include "services/next_version.hpp"

#include <algorithm>

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
  TRY(const std::vector<SemanticVersion> numbers, versions.numbers(model));
  VersionAdvice advice;
  if (numbers.empty()) {
    advice.bump = {registry::Bump::kNone, {"it is the model's first version"}, {1, 0, 0, ""}};
    return advice;
  }
  advice.compared_with = {model, *std::max_element(numbers.begin(), numbers.end())};
  TRY(const registry::Manifest before, load(versions, *advice.compared_with));
  advice.bump = registry::advise_bump(before, manifest);
  return advice;
}

Result<void> check_version_number(const VersionStore& versions, const registry::Manifest& manifest) {
  TRY(const std::vector<SemanticVersion> numbers, versions.numbers(manifest.ref.model));
  const SemanticVersion* below = nullptr;
  for (const SemanticVersion& number : numbers) {
    if (number == manifest.ref.version) return {};
    if (number < manifest.ref.version && (below == nullptr || *below < number)) below = &number;
  }
  if (below == nullptr) return {};
  TRY(const registry::Manifest before, load(versions, {manifest.ref.model, *below}));
  return registry::check_bump(before, manifest);
}

}  // namespace backstay::services
