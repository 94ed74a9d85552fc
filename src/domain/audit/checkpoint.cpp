#include "domain/audit/checkpoint.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/base64.hpp"

namespace backstay::audit {

namespace {

constexpr std::string_view kInclusionHead = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kConsistencyHead = "backstay-consistency-proof@v1";
constexpr std::size_t kMaxHashes = 128;  // Twice what a tree of 2^64 leaves needs.

Unexpected malformed(const char* what, const char* why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The text is not a {}: {}.", what, why),
                    "Give the file as it was written, without changes.");
}

std::string digest_text(const Digest& digest) {
  return to_base64({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
}

std::optional<Digest> digest_from(std::string_view text) {
  const auto bytes = from_base64(text);
  Digest digest;
  if (!bytes || bytes->size() != digest.bytes.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
  return digest;
}

/// Decimal without leading zeros.
std::optional<std::uint64_t> number_from(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  return number;
}

/// Takes a line that must end with '\n' off the front.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

std::optional<std::string_view> after(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  return line.substr(prefix.size());
}

/// Hash lines up to the empty one.
std::optional<std::vector<Digest>> take_hashes(std::string_view& rest) {
  std::vector<Digest> hashes;
  while (true) {
    const auto line = take_line(rest);
    if (!line) return std::nullopt;
    if (line->empty()) return hashes;
    const auto digest = digest_from(*line);
    if (!digest || hashes.size() == kMaxHashes) return std::nullopt;
    hashes.push_back(*digest);
  }
}

std::string hash_lines(const std::vector<Digest>& hashes) {
  std::string lines;
  for (const Digest& hash : hashes) lines += digest_text(hash) + "\n";
  return lines;
}

}  // namespace

std::string to_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.tree.size, digest_text(checkpoint.tree.root));
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  constexpr const char* kWhat = "checkpoint";
  const auto origin = take_line(text);
  const auto size_line = take_line(text);
  const auto root_line = take_line(text);
  if (!origin || !size_line || !root_line || origin->empty())
    return malformed(kWhat, "its lines are an origin, a size and a root");
  const auto size = number_from(*size_line);
  if (!size) return malformed(kWhat, "its second line is not a size");
  const auto root = digest_from(*root_line);
  if (!root) return malformed(kWhat, "its third line is not a root hash in base64");
  return Checkpoint{std::string(*origin), {*size, *root}};
}

std::string to_text(const InclusionEvidence& evidence) {
  return fmt::format("{}\nextra {}\nindex {}\n{}\n{}", kInclusionHead, to_base64(evidence.entry), evidence.index,
                     hash_lines(evidence.proof), evidence.checkpoint);
}

Result<InclusionEvidence> parse_inclusion_evidence(std::string_view text) {
  constexpr const char* kWhat = "proof of an audit entry";
  if (take_line(text) != kInclusionHead) return malformed(kWhat, "its first line is not c2sp.org/tlog-proof@v1");
  const auto extra = take_line(text);
  if (!extra || !after(*extra, "extra ")) return malformed(kWhat, "its second line doesn't hold the entry");
  InclusionEvidence evidence;
  auto entry = from_base64(*after(*extra, "extra "));
  if (!entry) return malformed(kWhat, "the entry is not base64");
  evidence.entry = *std::move(entry);
  const auto index_line = take_line(text);
  const auto index =
      index_line && after(*index_line, "index ") ? number_from(*after(*index_line, "index ")) : std::nullopt;
  if (!index) return malformed(kWhat, "its third line doesn't hold the index");
  evidence.index = *index;
  auto hashes = take_hashes(text);
  if (!hashes) return malformed(kWhat, "its hashes are not lines of base64 up to an empty line");
  evidence.proof = *std::move(hashes);
  evidence.checkpoint = text;
  return evidence;
}

std::string to_text(const ConsistencyEvidence& evidence) {
  return fmt::format("{}\nold {}\n{}\n{}", kConsistencyHead, to_base64(evidence.older), hash_lines(evidence.proof),
                     evidence.newer);
}

bool is_consistency_evidence(std::string_view text) {
  return text.starts_with(kConsistencyHead);
}

Result<ConsistencyEvidence> parse_consistency_evidence(std::string_view text) {
  constexpr const char* kWhat = "consistency proof";
  if (take_line(text) != kConsistencyHead) return malformed(kWhat, "its first line says something else");
  const auto old_line = take_line(text);
  if (!old_line || !after(*old_line, "old "))
    return malformed(kWhat, "its second line doesn't hold the older checkpoint");
  ConsistencyEvidence evidence;
  auto older = from_base64(*after(*old_line, "old "));
  if (!older) return malformed(kWhat, "the older checkpoint is not base64");
  evidence.older = *std::move(older);
  auto hashes = take_hashes(text);
  if (!hashes) return malformed(kWhat, "its hashes are not lines of base64 up to an empty line");
  evidence.proof = *std::move(hashes);
  evidence.newer = text;
  return evidence;
}

}  // namespace backstay::audit
