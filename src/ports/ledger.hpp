#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "domain/audit/entry.hpp"
#include "domain/audit/merkle.hpp"
#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"
#include "domain/rollout/rollout.hpp"
#include "ports/scan_store.hpp"

/// What the domain needs remembered. Every method that changes something is one transaction that includes its audit
/// entries, is durable when it returns, and can be repeated. Thread-safe; several processes may share one store.
namespace backstay {

struct StoredVersion {
  registry::VersionRef ref;
  std::uint64_t ordinal = 0;  ///< 1, 2, 3, ... per model: MLflow's version number.
  Digest identity;            ///< SHA-256 of manifest_json.
  std::string manifest_json;  ///< Canonical.
  std::string stage;          ///< "Staging", "Production", "Archived"
  bool complete = false;      ///< No part of the golden triangle or the changelog is missing.
  Timestamp registered_at;
  std::string registered_by;
};

/// A gate's decision about a version, with the evidence it rested on.
struct StoredVerdict {
  std::int64_t id = 0;
  std::string gate;      ///< Name in the gate file.
  Digest gate_digest;    ///< Of the gate file's bytes.
  std::string verdict;   ///< "PASS", "FAIL" or "INSUFFICIENT"
  std::string evidence;  ///< JSON: the verdict table.
  Timestamp at;
  std::string decided_by;
  std::uint64_t sequence = 0;  ///< As StoredScorecard has it.
};

/// That something in the ledger needs a blob.
struct BlobReference {
  Digest sha256;
  std::string used_by;   ///< "m@1.0.0: artifact model.onnx"
  bool required = true;  ///< False: it need not be stored, but is kept if it is.
};

class VersionStore : public ScanStore {
 public:
  /// Tells every blob that anything in the ledger refers to, some several times. Garbage collection keeps these and no
  /// others: who stores a digest of a blob in the ledger tells it here. `each` must not call the ledger. Fails, rather
  /// than leave one out, when a record can't be read.
  virtual Result<void> referenced_blobs(const std::function<void(const BlobReference&)>& each) const = 0;

  struct NewVersion {
    registry::VersionRef ref;
    std::string manifest_json;
    bool complete = false;
    std::string actor;
    std::optional<StoredScan> scan{};  ///< Stored with it, unless the version is there already.
  };
  struct Registered {
    StoredVersion version;
    bool created = false;  ///< False: the same content was there already.
  };
  /// kConflict when the version exists with another identity; the message names both digests.
  virtual Result<Registered> add_version(const NewVersion& version, const audit::Draft& draft) = 0;
  virtual Result<StoredVersion> version(const registry::VersionRef& ref) const = 0;
  /// Newest first; an empty model lists all models' versions.
  virtual Result<std::vector<StoredVersion>> versions(const std::string& model) const = 0;

  /// The model's greatest version number; not above `most`, if it is given. Takes as long however many there are.
  virtual Result<std::optional<registry::SemanticVersion>> greatest(
      const std::string& model, const std::optional<registry::SemanticVersion>& most) const = 0;

  virtual Result<registry::StoredScorecard> add_scorecard(const registry::VersionRef& ref,
                                                          const registry::Scorecard& scorecard,
                                                          const audit::Draft& draft) = 0;
  virtual Result<std::vector<registry::StoredScorecard>> scorecards(const registry::VersionRef& ref) const = 0;

  virtual Result<StoredVerdict> add_verdict(const registry::VersionRef& ref, const StoredVerdict& verdict,
                                            const audit::Draft& draft) = 0;
  /// Newest first.
  virtual Result<std::vector<StoredVerdict>> verdicts(const registry::VersionRef& ref) const = 0;
};

/// What is deployed on an endpoint, apart from any rollout that is under way.
struct EndpointRecord {
  std::string endpoint;
  std::string model;
  std::string stable;   ///< Empty until the first deployment is done.
  std::string standby;  ///< The stable version before that; kept warm for rollback. May be empty.
};

/// The endpoint's record once a rollout is done.
inline EndpointRecord endpoint_after(const rollout::State& done, const std::string& model) {
  return {done.endpoint, model, done.candidate, done.revert ? std::string() : done.stable};
}

class RolloutStore {
 public:
  virtual ~RolloutStore() = default;

  /// Stores the state (insert at revision 1, else only over revision - 1: kConflict otherwise; storing the same
  /// revision again is fine), its notes as audit entries, its stage moves, and, when the phase is final, the endpoint's
  /// new record. `subject` of each entry is "endpoint <endpoint>". A second rollout that is not final on one endpoint
  /// is kConflict. `log_size`: how many entries the audit log had when it was checked that this may be stored;
  /// kConflict when it has others by now, for then what was checked may not hold any more.
  virtual Result<void> commit(const rollout::Transition& transition, const std::string& model,
                              std::optional<std::uint64_t> log_size = {}) = 0;

  virtual Result<std::vector<rollout::State>> active_rollouts() const = 0;
  /// Newest first, final ones too.
  virtual Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const = 0;
  virtual Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const = 0;
  /// By name; also those whose first rollout is under way: they have no stable version yet.
  virtual Result<std::vector<EndpointRecord>> endpoints() const = 0;
  /// The number for the endpoint's next rollout id.
  virtual Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const = 0;
};

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual Result<audit::Entry> append(const audit::Draft& draft) = 0;
  /// All of them, in order, in one transaction; gives the last one's entry. kInvalidArgument when there are none.
  virtual Result<audit::Entry> append_batch(const std::vector<audit::Draft>& drafts) = 0;
  /// How many entries there are: the sequence number of the newest.
  virtual Result<std::uint64_t> size() const = 0;
  /// Entries with sequence >= from, in order, at most `limit`.
  virtual Result<std::vector<audit::Entry>> read(std::uint64_t from, std::size_t limit) const = 0;
  /// A node of the Merkle tree whose leaf i is entry i + 1 (audit::leaf_bytes). kNotFound when the log is too short for
  /// it.
  virtual Result<Digest> tree_node(audit::NodeId node) const = 0;
};

}  // namespace backstay
