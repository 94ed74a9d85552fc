#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace backstay::registry {

/// A Semantic Versioning 2.0.0 version, "2.1.0" or "2.1.0-rc.1"; build metadata is refused because two versions may not
/// differ only in it. Ordered by the rules of section 11 of the specification.
struct SemanticVersion {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::string pre_release;  ///< Without the hyphen; empty for a release.

  static Result<SemanticVersion> parse(std::string_view text);
  std::string str() const;
  bool operator==(const SemanticVersion&) const = default;
  std::strong_ordering operator<=>(const SemanticVersion& other) const;
};

/// A version's full name, written "model@2.1.0".
struct VersionRef {
  std::string model;
  SemanticVersion version;

  /// Fails with an example of the right form when the text is not one.
  static Result<VersionRef> parse(std::string_view text);
  std::string str() const;
  bool operator==(const VersionRef&) const = default;
  std::strong_ordering operator<=>(const VersionRef&) const = default;
};

/// A model, endpoint or guardrail name: 1 to 100 of [a-z0-9._-], starting with a letter or digit. `what` names it in
/// the error.
Result<void> check_name(std::string_view what, std::string_view name);

}  // namespace backstay::registry
