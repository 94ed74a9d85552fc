#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/lineage/graph.hpp"
#include "domain/traffic/prediction_id.hpp"
#include "services/records.hpp"
#include "services/registry.hpp"

/// Questions about where versions come from and where they went.
namespace backstay::services {

/// A version with what it was made from.
struct Origin {
  StoredVersion version;
  registry::Manifest manifest;
};

/// A prediction as far as its id and the traffic records tell.
struct PredictionFacts {
  traffic::PredictionId id;
  std::string endpoint;
  Timestamp at;
  /// What share the version had then; nullopt: the records know of no such traffic, so the id is made up or damaged.
  std::optional<TrafficWindow> window;
};

/// From a prediction or a version back to the slices, code and configuration behind it.
struct Trace {
  std::optional<PredictionFacts> prediction;
  Origin version;
  std::vector<Origin> ancestors;  ///< Parents first, then theirs; each once.
  /// Parents that a manifest names and the registry doesn't have.
  std::vector<registry::VersionRef> unknown_parents;
  std::vector<TrafficWindow> traffic;
};

Result<Trace> trace_version(const Records& records, const registry::VersionRef& ref);
/// kNotFound when no version of this registry has the id's number.
Result<Trace> trace_prediction(const Records& records, const traffic::PredictionId& id);
lineage::Graph graph_of(const Trace& trace);

/// A version that a subject reached.
struct Reached {
  StoredVersion version;
  std::optional<registry::VersionRef> through;  ///< The parent it came by; nullopt: its own manifest names the subject.
  std::vector<TrafficWindow> traffic;
};

/// An order that takes an affected version out of an endpoint.
struct Proposal {
  std::string endpoint;
  registry::VersionRef affected;
  std::optional<registry::VersionRef> target;  ///< nullopt: no unaffected version served there before.
  std::string command;                         ///< What to run; empty without a target.
  std::string reason;                          ///< Why this target, or why there is none.
};

/// From a slice, data set, commit or version forward to every version, endpoint and time window it reached.
struct Impact {
  lineage::Subject subject;
  std::vector<Reached> versions;    ///< Direct ones first, then their descendants; each once.
  std::vector<Proposal> proposals;  ///< For endpoints that an affected version serves now.
};

/// The one thing that `text` means; kNotFound: nothing is called that; kInvalidArgument: it means several, and names
/// them. `kind` (may be empty) says which kind is meant.
Result<lineage::Subject> find_subject(const Records& records, const std::string& text, const std::string& kind);
Result<Impact> impact_of(const Records& records, const lineage::Subject& subject);
lineage::Graph graph_of(const Impact& impact);

/// Why a version is blocked: the quarantine that its manifest, or that of an ancestor, falls under.
Result<std::optional<Quarantine>> quarantine_of(const Records& records, const registry::VersionRef& ref);

}  // namespace backstay::services
