#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What a scan of artifacts says: nothing of them was executed to find it out.
namespace backstay::scan {

/// Ordered: the worst finding decides.
enum class Verdict : std::uint8_t {
  kSafe,        ///< Everything was looked at, and nothing in it can run code that isn't known to be harmless.
  kSuspicious,  ///< Something is unknown, broken or can't be looked into.
  kDangerous,   ///< It runs commands, leaves its folder, exhausts the machine, or is built to escape a scan.
};
const char* to_string(Verdict verdict);  ///< "safe", "suspicious", "dangerous"
/// False when the text is none of the three.
bool verdict_from(std::string_view text, Verdict& out);

/// One thing that was found.
struct Finding {
  Verdict verdict = Verdict::kSuspicious;  ///< kSafe: an import that is known to be harmless, listed for the record.
  std::string kind;    ///< "import", "call", "broken", "archive", "path", "bomb", "unscannable", "lambda", "operator",
                       ///< "external", "limit"
  std::string path;    ///< Of the artifact; members of containers follow a "!": "model.pt!archive/data.pkl".
  std::string import;  ///< "posix.system"; empty when it isn't about an import.
  std::string why;     ///< A sentence.
  std::uint64_t offset = 0;  ///< Where, in bytes from the start of what `path` names.

  bool operator==(const Finding&) const = default;
};

struct Report {
  Verdict verdict = Verdict::kSafe;
  std::vector<Finding> findings;  ///< In the order they were met.

  bool operator==(const Report&) const = default;
  void add(Finding finding);
  /// The worst findings' imports, each once, at most `most`, for one line of text.
  std::vector<std::string> imports(Verdict at_least, std::size_t most) const;
};

/// Changes when the same bytes could get another verdict.
inline constexpr const char* kScannerVersion = "1";

/// Bounds on what a scan spends. What exceeds one is a finding, never a silent stop.
struct Limits {
  std::size_t findings = 1'000;         ///< Per artifact; the worst are kept.
  std::size_t imports = 5'000;          ///< Different ones per pickle.
  std::size_t stack = 1'000'000;        ///< Values on the pickle machine's stack.
  std::size_t memo = 2'000'000;         ///< Memorized values that matter for imports.
  std::size_t text_bytes = 64U << 20;   ///< Remembered strings of a pickle.
  std::uint64_t pickles = 100'000;      ///< One after the other in one file.
  int depth = 8;                        ///< Containers within containers.
  std::uint64_t entries = 200'000;      ///< Members, of all archives of an artifact together.
  std::uint64_t unpacked = 8ULL << 30;  ///< Bytes that are decompressed for one artifact.
  std::uint64_t ratio = 200;            ///< Unpacked bytes per packed byte, once more than ratio_after were unpacked.
  std::uint64_t ratio_after = 64U << 20;
};

}  // namespace backstay::scan
