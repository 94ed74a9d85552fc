#include "services/prove_audit.hpp"

#include <fmt/format.h>

namespace backstay::services {

namespace {

constexpr const char* kTampered =
    "The log was changed after it was written: keep this copy as evidence and compare it with a backup.";

audit::ReadNode nodes_of(const AuditLog& log) {
  return [&log](audit::NodeId node) { return log.tree_node(node); };
}

/// A checkpoint that claims to be this log's: signed by its key, and what the log was at that size.
Result<audit::Checkpoint> own_checkpoint(const AuditLog& log, const LogSigner& signer, const std::string& note) {
  TRY(const audit::Checkpoint checkpoint, LogKey(signer.verifier()).open(note));
  TRY(const std::uint64_t size, log.size());
  if (checkpoint.tree.size > size)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The checkpoint is of {} entries; the log has {}.", checkpoint.tree.size, size),
                      kTampered);
  TRY(const Digest root, audit::root_of(checkpoint.tree.size, nodes_of(log)));
  if (root != checkpoint.tree.root)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The log's first {} entries are not those of the checkpoint.", checkpoint.tree.size),
                      kTampered);
  return checkpoint;
}

Result<CheckedEvidence> check_inclusion(std::string_view text, const LogKey& key) {
  TRY(const audit::InclusionEvidence evidence, audit::parse_inclusion_evidence(text));
  TRY(const audit::Checkpoint checkpoint, key.open(evidence.checkpoint));
  TRY(audit::Leaf leaf, audit::parse_leaf(evidence.entry));
  TRY_DO(audit::verify_inclusion(audit::leaf_hash(evidence.entry), evidence.index, checkpoint.tree, evidence.proof));
  if (leaf.sequence != evidence.index + 1)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("Entry {} stands in the place of entry {}.", leaf.sequence, evidence.index + 1),
                      kTampered);
  return CheckedEvidence{std::move(leaf), std::nullopt, checkpoint};
}

Result<CheckedEvidence> check_consistency(std::string_view text, const LogKey& key) {
  TRY(const audit::ConsistencyEvidence evidence, audit::parse_consistency_evidence(text));
  TRY(audit::Checkpoint older, key.open(evidence.older));
  TRY(const audit::Checkpoint newer, key.open(evidence.newer));
  if (older.origin != newer.origin)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The checkpoints are of two logs, {} and {}.", older.origin, newer.origin), "");
  TRY_DO(audit::verify_consistency(older.tree, newer.tree, evidence.proof));
  return CheckedEvidence{std::nullopt, std::move(older), newer};
}

/// The stored nodes that an entry completes must be those that follow from the entries.
Result<void> check_nodes(const AuditLog& log, const std::vector<Digest>& completed, std::uint64_t sequence) {
  for (std::size_t level = 0; level < completed.size(); ++level) {
    const auto stored = log.tree_node({static_cast<std::uint32_t>(level), (sequence >> level) - 1});
    if (stored && *stored == completed[level]) continue;
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The audit tree's hashes of entry {} {}.", sequence,
                                  stored ? "are not those of the log" : "are missing"),
                      kTampered);
  }
  return {};
}

Result<void> check_earlier(const audit::Checkpoint& earlier, audit::CompactRange& edge) {
  if (edge.size() != earlier.tree.size) return {};
  TRY(const Digest root, edge.root());
  if (root == earlier.tree.root) return {};
  return Unexpected(
      ErrorCode::kIntegrity,
      fmt::format("The log does not extend the checkpoint: its first {} entries are other ones.", earlier.tree.size),
      kTampered);
}

}  // namespace

signing::NoteKey LogSigner::verifier() const {
  return {fmt::format("backstay-audit/{}", key.public_key().id().substr(0, 16)), key.public_key()};
}

Result<std::string> signed_checkpoint(const AuditLog& log, const LogSigner& signer) {
  const signing::NoteKey verifier = signer.verifier();
  TRY(const std::uint64_t size, log.size());
  TRY(const Digest root, audit::root_of(size, nodes_of(log)));
  return signing::sign_note(audit::to_text(audit::Checkpoint{verifier.name, {size, root}}), verifier.name, signer.key);
}

Result<std::string> prove_entry(const AuditLog& log, const LogSigner& signer, std::uint64_t sequence,
                                const std::optional<std::string>& checkpoint) {
  audit::InclusionEvidence evidence;
  if (checkpoint) {
    evidence.checkpoint = *checkpoint;
  } else {
    TRY(evidence.checkpoint, signed_checkpoint(log, signer));
  }
  TRY(const audit::Checkpoint shown, own_checkpoint(log, signer, evidence.checkpoint));
  TRY(const std::vector<audit::Entry> entries, log.read(sequence, 1));
  if (sequence == 0 || entries.empty() || entries[0].sequence != sequence || sequence > shown.tree.size)
    return Unexpected(ErrorCode::kNotFound,
                      fmt::format("There is no entry {} among the checkpoint's {}.", sequence, shown.tree.size),
                      "backstay audit lists the entries; a newer checkpoint has more of them.");
  evidence.entry = audit::leaf_bytes(entries[0]);
  evidence.index = sequence - 1;
  TRY(evidence.proof, audit::inclusion_proof(evidence.index, shown.tree.size, nodes_of(log)));
  // Who made the entry's row other than it was is told here, not by the one who is shown the proof.
  TRY_DO(audit::verify_inclusion(audit::leaf_hash(evidence.entry), evidence.index, shown.tree, evidence.proof));
  return audit::to_text(evidence);
}

Result<std::string> prove_extension(const AuditLog& log, const LogSigner& signer, const std::string& older) {
  TRY(const audit::Checkpoint before, own_checkpoint(log, signer, older));
  audit::ConsistencyEvidence evidence;
  evidence.older = older;
  TRY(evidence.newer, signed_checkpoint(log, signer));
  TRY(const audit::Checkpoint now, LogKey(signer.verifier()).open(evidence.newer));
  TRY(evidence.proof, audit::consistency_proof(before.tree.size, now.tree.size, nodes_of(log)));
  return audit::to_text(evidence);
}

Result<LogKey> LogKey::from_text(std::string_view text) {
  if (!text.starts_with("-----BEGIN")) {
    TRY(signing::NoteKey key, signing::note_key_from(text));
    return LogKey(std::move(key));
  }
  TRY(signing::PublicKey key, signing::PublicKey::from_pem(text));
  if (key.type() != signing::KeyType::kEd25519)
    return Unexpected(ErrorCode::kInvalidArgument, "The key of an audit log is an Ed25519 key.",
                      "Give what `backstay audit key` prints.");
  return LogKey("", std::move(key));
}

Result<audit::Checkpoint> LogKey::open(std::string_view note) const {
  const std::string name = name_.empty() ? std::string(note.substr(0, note.find('\n'))) : name_;
  TRY(const std::string text, signing::open_note(note, {name, key_}));
  TRY(audit::Checkpoint checkpoint, audit::parse_checkpoint(text));
  if (checkpoint.origin != name)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The checkpoint is of the log {}, the key of {}.", checkpoint.origin, name),
                      "Give the public key of the checkpoint's log.");
  return checkpoint;
}

Result<CheckedEvidence> check_evidence(std::string_view text, const LogKey& key) {
  if (audit::is_consistency_evidence(text)) return check_consistency(text, key);
  if (text.starts_with("c2sp.org/tlog-proof@")) return check_inclusion(text, key);
  TRY(const audit::Checkpoint checkpoint, key.open(text));
  return CheckedEvidence{std::nullopt, std::nullopt, checkpoint};
}

Result<audit::TreeHead> verify_log(const AuditLog& log, const std::optional<audit::Checkpoint>& earlier) {
  constexpr std::size_t kPage = 1000;
  audit::CompactRange edge;
  std::optional<audit::Entry> before;
  if (earlier) TRY_DO(check_earlier(*earlier, edge));
  while (true) {
    TRY(const std::vector<audit::Entry> page, log.read(edge.size() + 1, kPage));
    if (page.empty()) break;
    TRY_DO(audit::verify(page, before ? &*before : nullptr));
    for (const audit::Entry& entry : page) {
      TRY(const std::vector<Digest> completed, edge.append(audit::leaf_hash(audit::leaf_bytes(entry))));
      TRY_DO(check_nodes(log, completed, entry.sequence));
      if (earlier) TRY_DO(check_earlier(*earlier, edge));
    }
    before = page.back();
  }
  if (earlier && earlier->tree.size > edge.size())
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The log was cut: it has {} entries, and had {} at the checkpoint.", edge.size(),
                                  earlier->tree.size),
                      kTampered);
  if (log.tree_node({0, edge.size()}))
    return Unexpected(ErrorCode::kIntegrity, "The audit tree has hashes of entries that are not in the log.",
                      kTampered);
  TRY(const Digest root, edge.root());
  return audit::TreeHead{edge.size(), root};
}

}  // namespace backstay::services
