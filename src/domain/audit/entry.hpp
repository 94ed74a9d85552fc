#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay::audit {

/// What is to be recorded: who did what to which thing, why, and on what evidence.
struct Draft {
  std::string actor;     ///< "alice", or "backstay" for decisions of its own.
  std::string action;    ///< "version.register", "gate.verdict", "rollout.start", "rollout.rollback", ...
  std::string subject;   ///< "breast-cancer@2.0.0", "endpoint diagnosis", ...
  std::string reason;    ///< Why, in the actor's words.
  std::string evidence;  ///< Canonical JSON, "{}" when there is none.
};

/// A draft in its place in the chain: hash = SHA-256 over the previous entry's hash and this entry's fields, each
/// preceded by its length, so that no two different entries give the same bytes.
struct Entry {
  std::uint64_t sequence = 0;  ///< 1, 2, 3, ... without gaps.
  Timestamp at;
  Draft draft;
  Digest previous;  ///< All zero for the first entry.
  Digest hash;
};

/// The entry that follows `previous` (nullptr: the first one).
Entry link(const Entry* previous, Timestamp at, Draft draft);

/// What the Merkle log's leaf says about an entry: everything but the evidence itself, of which it has the digest. So a
/// proof can be handed on without the documents, and a document can be checked against it.
struct Leaf {
  std::uint64_t sequence = 0;
  Timestamp at;
  std::string actor;
  std::string action;
  std::string subject;
  std::string reason;
  Digest evidence_sha256;
  bool operator==(const Leaf&) const = default;
};

/// The leaf's bytes: the line "backstay-audit-leaf-1", then one line per field, "<length>:<text>", where the length is
/// that of the text in bytes (a text may hold line ends). Equal entries give equal bytes and different ones never do.
std::string leaf_bytes(const Entry& entry);
/// Strict: leaf_bytes of what it gives are the same bytes.
Result<Leaf> parse_leaf(std::string_view bytes);

/// Checks sequence numbers, links and hashes of consecutive entries; the first must be entry 1 unless `before` is
/// given. Fails with kIntegrity and names the first entry that does not fit.
Result<void> verify(const std::vector<Entry>& entries, const Entry* before = nullptr);

}  // namespace backstay::audit
