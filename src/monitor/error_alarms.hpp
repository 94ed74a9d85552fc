#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/drift/sequential.hpp"
#include "domain/guardrails/guardrail_spec.hpp"

namespace backstay::monitor {

/// Concept drift of the stable version, also when no release is under way: per guardrail on labels with an objective
/// of its own, whether a version's predictions are wrong more often than the objective allows (drift::ErrorDetector).
/// While they are not, kRunLength labels or more pass on average before a false alarm. Begins anew with the process.
/// Not thread-safe.
class ErrorAlarms {
 public:
  static constexpr double kRunLength = 100'000;
  /// An alarm looks back over so many labels.
  static constexpr std::size_t kRecent = 500;

  struct Alarm {
    std::string guardrail;
    std::uint64_t errors = 0;  ///< Of the newest `labels`,
    std::uint64_t labels = 0;  ///< since when errors are most likely more: where the likelihood ratio is greatest.
    double allowed = 0;        ///< Share of errors.

    /// JSON, for the audit log.
    std::string evidence(const std::string& version) const;
  };

  explicit ErrorAlarms(const std::vector<guardrails::GuardrailSpec>& specs);

  /// Whether a prediction of `version` was right, as the guardrail `index` sees it. An alarm is given once per version
  /// and guardrail.
  std::optional<Alarm> observe(std::size_t index, const std::string& version, bool right);

 private:
  static constexpr std::size_t kMaxVersions = 8;  // More: the one whose labels came longest ago is forgotten.
  struct Watched {
    drift::ErrorDetector detector;
    std::array<bool, kRecent> recent{};  ///< Errors.
    std::uint64_t labels = 0;
    bool told = false;
  };
  struct Rule {
    std::string name;
    double allowed = 0;
  };
  struct Version {
    std::vector<std::optional<Watched>> rules;
    std::uint64_t last = 0;
  };
  Version& version_of(const std::string& name);
  static void explain(const Watched& watched, Alarm& alarm);

  std::vector<std::optional<Rule>> rules_;  ///< By guardrail; none: it has no objective of its own, or no labels.
  std::map<std::string, Version> versions_;
  std::uint64_t observed_ = 0;
};

}  // namespace backstay::monitor
