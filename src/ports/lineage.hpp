#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/audit/entry.hpp"
#include "domain/lineage/subject.hpp"
#include "domain/traffic/split.hpp"

namespace backstay {

/// A version behind an endpoint. Its number is in every prediction id that it answered.
struct Serving {
  std::string endpoint;
  registry::VersionRef ref;
};

/// A time in which an endpoint gave a version one share of its traffic.
struct TrafficWindow {
  std::string endpoint;
  registry::VersionRef ref;
  traffic::Role role = traffic::Role::kStable;
  std::uint32_t ppm = 0;  ///< Of the requests; of copies for kShadow.
  std::string rollout;
  Timestamp from;
  std::optional<Timestamp> until;  ///< nullopt: still.
};

/// A subject that is blocked: nothing that was made from it goes to production.
struct Quarantine {
  lineage::Subject subject;
  std::string reason;
  std::string actor;
  Timestamp at;
};

/// Where versions come from and where they went. As with the ledger: one transaction with its audit entry, durable when
/// it returns, thread-safe.
class LineageStore {
 public:
  virtual ~LineageStore() = default;

  /// The same number for the same pair, for ever; made at the first call. kNotFound for a version that isn't there.
  virtual Result<std::uint32_t> serving_number(const std::string& endpoint, const registry::VersionRef& ref) = 0;
  virtual Result<Serving> serving(std::uint32_t number) const = 0;

  /// Versions whose own manifest names the subject, oldest first.
  virtual Result<std::vector<registry::VersionRef>> made_from(const lineage::Subject& subject) const = 0;
  /// What a person may have meant by `text`: slices ("wdbc/site-d", or "site-d" of any data set), data sets, commits
  /// and slice digests (both by the first 7 digits or more). Empty: nothing is called that.
  virtual Result<std::vector<lineage::Subject>> find_subjects(const std::string& text) const = 0;
  /// Versions that name `ref` as a parent, oldest first.
  virtual Result<std::vector<registry::VersionRef>> children(const registry::VersionRef& ref) const = 0;
  /// Oldest first.
  virtual Result<std::vector<TrafficWindow>> traffic(const registry::VersionRef& ref) const = 0;

  /// Blocks the subject, or lifts the block. kConflict: it is so already.
  virtual Result<void> quarantine(const lineage::Subject& subject, bool block, const audit::Draft& draft) = 0;
  /// Those in force, oldest first.
  virtual Result<std::vector<Quarantine>> quarantines() const = 0;
};

}  // namespace backstay
