#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/audit/merkle.hpp"

/// The texts that leave the registry as evidence, in C2SP's formats where there are such:
/// https://c2sp.org/tlog-checkpoint and https://c2sp.org/tlog-proof. They are read back strictly; what they say is not
/// checked here.
namespace backstay::audit {

/// What a log states about itself, before it is signed (signing/note.hpp): three lines, origin, size, root in base64.
/// Further lines of other programs are allowed and ignored.
struct Checkpoint {
  std::string origin;  ///< The log's name; no line ends.
  TreeHead tree;
};
std::string to_text(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint(std::string_view text);

/// A .tlog-proof file: an entry, its place, the proof, and the signed checkpoint it was made for.
struct InclusionEvidence {
  std::string entry;  ///< The leaf's bytes (leaf_bytes in entry.hpp), as the file's "extra" data.
  std::uint64_t index = 0;
  std::vector<Digest> proof;
  std::string checkpoint;  ///< The signed note, verbatim.
};
std::string to_text(const InclusionEvidence& evidence);

/// That the log of the newer checkpoint only added to that of the older one. No standard has a file for it; this one is
/// shaped like the other: a head line, "old <base64 of the older signed note>", one hash per line, an empty line, the
/// newer signed note.
struct ConsistencyEvidence {
  std::string older;
  std::vector<Digest> proof;
  std::string newer;
};
std::string to_text(const ConsistencyEvidence& evidence);

Result<InclusionEvidence> parse_inclusion_evidence(std::string_view text);
Result<ConsistencyEvidence> parse_consistency_evidence(std::string_view text);
/// Which of the two a text claims to be.
bool is_consistency_evidence(std::string_view text);

}  // namespace backstay::audit
