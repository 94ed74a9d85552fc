#include "domain/audit/entry.hpp"

#include <fmt/format.h>

namespace backstay::audit {

namespace {

void add(Sha256& hash, std::string_view field) {
  hash.update(fmt::format("{}:", field.size()));
  hash.update(field);
}

Digest hash_of(const Entry& entry) {
  Sha256 hash;
  hash.update("backstay-audit-1\n");
  add(hash, entry.previous.hex());
  add(hash, std::to_string(entry.sequence));
  add(hash, to_rfc3339(entry.at));
  add(hash, entry.draft.actor);
  add(hash, entry.draft.action);
  add(hash, entry.draft.subject);
  add(hash, entry.draft.reason);
  add(hash, entry.draft.evidence);
  return hash.finish();
}

Unexpected broken(std::uint64_t sequence, std::string_view how) {
  return Unexpected(
      ErrorCode::kIntegrity, fmt::format("Audit entry {} {}.", sequence, how),
      "The log was changed after it was written: keep this copy as evidence and compare it with a backup.");
}

}  // namespace

Entry link(const Entry* previous, Timestamp at, Draft draft) {
  Entry entry;
  entry.sequence = previous == nullptr ? 1 : previous->sequence + 1;
  entry.at = at;
  entry.draft = std::move(draft);
  if (previous != nullptr) entry.previous = previous->hash;
  entry.hash = hash_of(entry);
  return entry;
}

Result<void> verify(const std::vector<Entry>& entries, const Entry* before) {
  for (const Entry& entry : entries) {
    const std::uint64_t expected = before == nullptr ? 1 : before->sequence + 1;
    if (entry.sequence != expected) return broken(expected, "is missing");
    if (entry.previous != (before == nullptr ? Digest{} : before->hash))
      return broken(entry.sequence, "does not follow from the entry before it");
    if (entry.hash != hash_of(entry)) return broken(entry.sequence, "is not what its hash was computed over");
    before = &entry;
  }
  return {};
}

}  // namespace backstay::audit
