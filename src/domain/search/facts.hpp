#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"

/// What of a manifest, and of what is added later, can be searched for, as (key, text) pairs. Stores keep them beside
/// the versions.
namespace backstay::search {

/// Only so much of a text is searched.
constexpr std::size_t kMaxFactBytes = 1024;

struct Fact {
  std::string key;               ///< As in the filter language: "data.slice", "config.lr".
  std::string text;              ///< At most kMaxFactBytes.
  std::optional<double> number;  ///< When the text is one.
  bool operator==(const Fact&) const = default;
};

/// In order of key and text, none twice.
std::vector<Fact> facts_of(const registry::Manifest& manifest);

/// "scorecard.kind", "scorecard.dataset", "scorecard.evaluator".
std::vector<Fact> facts_of(const registry::Scorecard& scorecard);
/// The key of the newest scan's verdict: "safe", "suspicious", "dangerous".
inline constexpr const char* kScanKey = "scan";

/// The key under which a fact's release_key is kept, for fields that are ordered as version numbers.
std::string release_key_of(const std::string& key);
/// A text whose byte order is the loose order of version numbers: runs of digits by their value, all else by byte.
std::string release_key(std::string_view text);
/// A text whose byte order is SemanticVersion's order.
std::string version_key(const registry::SemanticVersion& version);

/// A finite JSON-like number that takes the whole text.
std::optional<double> number_of(std::string_view text);

}  // namespace backstay::search
