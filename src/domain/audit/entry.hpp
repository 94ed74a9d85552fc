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

/// Checks sequence numbers, links and hashes of consecutive entries; the first must be entry 1 unless `before` is
/// given. Fails with kIntegrity and names the first entry that does not fit.
Result<void> verify(const std::vector<Entry>& entries, const Entry* before = nullptr);

}  // namespace backstay::audit
