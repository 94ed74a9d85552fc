#pragma once

#include <string>
#include <vector>

#include "domain/registry/manifest.hpp"

namespace backstay::registry {

/// How far a version number has to move, by Semantic Versioning as it reads for a model: whoever calls it must be able
/// to rely on the signature.
enum class Bump : std::uint8_t { kNone, kPatch, kMinor, kMajor };
const char* to_string(Bump bump);

/// What a change of content asks of the version number.
struct BumpAdvice {
  Bump bump = Bump::kNone;
  std::vector<std::string> reasons;  ///< In words, the strongest first.
  SemanticVersion next;              ///< The smallest version after `before` that moves this far.
};

/// major: an input or output was removed, renamed or narrowed, or an input was added (its callers don't send it);
/// minor: the model's files or its outputs changed otherwise; patch: only what is around it (environment,
/// dependencies, serving, text). Before 1.0.0 a breaking change moves the minor number (SemVer 4).
BumpAdvice advise_bump(const Manifest& before, const Manifest& after);

/// Whether `after`'s version moved far enough from `before`'s for a changed signature; kFailedPrecondition names what
/// changed and the next fitting version. Everything but the signature is advice only.
Result<void> check_bump(const Manifest& before, const Manifest& after);

}  // namespace backstay::registry
