#pragma once

#include <optional>
#include <string>

#include "domain/audit/checkpoint.hpp"
#include "ports/ledger.hpp"
#include "signing/note.hpp"

/// Evidence about the audit log that somebody else can check without the registry: with the log's public key only.
namespace backstay::services {

/// Who signs for a log. The log's name comes from its key, so that it is the same wherever the registry is moved.
struct LogSigner {
  signing::PrivateKey key;
  signing::NoteKey verifier() const;
};

/// The log as it is now: a signed checkpoint.
Result<std::string> signed_checkpoint(const AuditLog& log, const LogSigner& signer);

/// A .tlog-proof file for an entry, for `checkpoint` (a signed note of this log) or else for the log as it is now.
Result<std::string> prove_entry(const AuditLog& log, const LogSigner& signer, std::uint64_t sequence,
                                const std::optional<std::string>& checkpoint);

/// That the log as it is now only added to what `older`, a signed checkpoint of it, stood for.
Result<std::string> prove_extension(const AuditLog& log, const LogSigner& signer, const std::string& older);

/// A key as people hand it over: a note key, or an Ed25519 key in PEM form, which has no name: then the log's own name
/// in the note counts.
class LogKey {
 public:
  static Result<LogKey> from_text(std::string_view text);
  explicit LogKey(signing::NoteKey key) : name_(std::move(key.name)), key_(std::move(key.key)) {}
  /// The checkpoint in a note that this key signed.
  Result<audit::Checkpoint> open(std::string_view note) const;

 private:
  LogKey(std::string name, signing::PublicKey key) : name_(std::move(name)), key_(std::move(key)) {}
  std::string name_;
  signing::PublicKey key_;
};

/// What a proof file shows, once it is checked.
struct CheckedEvidence {
  std::optional<audit::Leaf> entry;        ///< Of a proof of an entry.
  std::optional<audit::Checkpoint> older;  ///< Of a consistency proof.
  audit::Checkpoint checkpoint;
};
/// Checks a file that prove_entry, prove_extension or signed_checkpoint made. Needs nothing but its arguments.
Result<CheckedEvidence> check_evidence(std::string_view text, const LogKey& key);

/// Checks every link, hash and tree node of the log; with a checkpoint of an earlier time also that the log still holds
/// all that it stood for. Gives the log's size and root.
Result<audit::TreeHead> verify_log(const AuditLog& log, const std::optional<audit::Checkpoint>& earlier);

}  // namespace backstay::services
