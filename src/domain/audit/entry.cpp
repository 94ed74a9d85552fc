#include "domain/audit/entry.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace backstay::audit {

namespace {

constexpr std::string_view kLeafHead = "backstay-audit-leaf-1\n";

void add(std::string& bytes, std::string_view field) {
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), field.size()).ptr;
  bytes.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
  bytes += ':';
  bytes += field;
}

std::size_t text_bytes(const Draft& draft) {
  return draft.actor.size() + draft.action.size() + draft.subject.size() + draft.reason.size();
}

constexpr std::size_t kOtherBytes = 256;  // Enough for the head, the lengths, sequence, time and a digest.

void add_line(std::string& bytes, std::string_view field) {
  add(bytes, field);
  bytes += '\n';
}

Digest hash_of(const Entry& entry) {
  std::string bytes;
  bytes.reserve(kOtherBytes + text_bytes(entry.draft) + entry.draft.evidence.size());
  bytes += "backstay-audit-1\n";
  add(bytes, entry.previous.hex());
  add(bytes, std::to_string(entry.sequence));
  add(bytes, to_rfc3339(entry.at));
  add(bytes, entry.draft.actor);
  add(bytes, entry.draft.action);
  add(bytes, entry.draft.subject);
  add(bytes, entry.draft.reason);
  add(bytes, entry.draft.evidence);
  return sha256(bytes);
}

/// Takes one "<length>:<text>\n" off the front.
std::optional<std::string_view> take_line(std::string_view& rest) {
  std::size_t size = 0;
  const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
  const auto digits = static_cast<std::size_t>(end - rest.data());
  if (failure != std::errc() || digits >= rest.size() || *end != ':' || (digits > 1 && rest[0] == '0'))
    return std::nullopt;
  rest.remove_prefix(digits + 1);
  if (size >= rest.size() || rest[size] != '\n') return std::nullopt;
  const std::string_view field = rest.substr(0, size);
  rest.remove_prefix(size + 1);
  return field;
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

std::string leaf_bytes(const Entry& entry) {
  std::string bytes;
  bytes.reserve(kOtherBytes + text_bytes(entry.draft));
  bytes += kLeafHead;
  add_line(bytes, std::to_string(entry.sequence));
  add_line(bytes, to_rfc3339(entry.at));
  add_line(bytes, entry.draft.actor);
  add_line(bytes, entry.draft.action);
  add_line(bytes, entry.draft.subject);
  add_line(bytes, entry.draft.reason);
  add_line(bytes, sha256(entry.draft.evidence).hex());
  return bytes;
}

Result<Leaf> parse_leaf(std::string_view bytes) {
  const Unexpected malformed(ErrorCode::kInvalidArgument, "The text is not an entry of a Backstay audit log.",
                             "It is what `backstay audit prove` wrote, unchanged.");
  if (!bytes.starts_with(kLeafHead)) return malformed;
  std::string_view rest = bytes.substr(kLeafHead.size());
  std::array<std::string_view, 7> fields;
  for (std::string_view& field : fields) {
    const auto taken = take_line(rest);
    if (!taken) return malformed;
    field = *taken;
  }
  Leaf leaf;
  const char* end = fields[0].data() + fields[0].size();
  if (std::from_chars(fields[0].data(), end, leaf.sequence).ptr != end || !rest.empty()) return malformed;
  const auto at = parse_rfc3339(std::string(fields[1]));
  const auto evidence = Digest::from_hex(fields[6]);
  if (!at || !evidence || to_rfc3339(*at) != fields[1] || std::to_string(leaf.sequence) != fields[0]) return malformed;
  leaf.at = *at;
  leaf.actor = fields[2];
  leaf.action = fields[3];
  leaf.subject = fields[4];
  leaf.reason = fields[5];
  leaf.evidence_sha256 = *evidence;
  return leaf;
}

}  // namespace backstay::audit
