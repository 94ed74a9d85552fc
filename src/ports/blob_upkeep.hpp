#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ports/blob_store.hpp"

namespace backstay {

/// Something in the store that is not as it was stored.
struct BlobProblem {
  enum class Kind {
    kChanged,      ///< Bytes differ; `where` says which.
    kTruncated,    ///< A file is shorter or longer than what was stored.
    kMissingPack,  ///< A blob's chunks are in a pack that is gone.
    kMode,         ///< A file can be written to, or not read.
    kForeign,      ///< Not made by this store.
  };
  Kind kind = Kind::kChanged;
  std::optional<Digest> blob;  ///< The blob that can't be read as it was stored; none: no blob is harmed.
  std::string path;            ///< Relative to the store.
  std::string where;           ///< "bytes 65536 to 131071 (chunk 2 of 12)", in the blob; or what else is wrong.
};
/// "changed", "truncated", "missing_pack", "mode", "foreign"
const char* to_string(BlobProblem::Kind kind);

struct StoreUsage {
  std::uint64_t blobs = 0;
  std::uint64_t blob_bytes = 0;    ///< What the blobs would take one by one.
  std::uint64_t stored_bytes = 0;  ///< What they take.
  std::uint64_t files = 0;
  std::uint64_t chunks = 0;
};

/// How far a long walk through the store is.
struct UpkeepProgress {
  std::string name;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
};
using OnUpkeep = std::function<void(const UpkeepProgress&)>;

struct CollectOptions {
  milliseconds lease{24 * 3600 * 1000};  ///< What is younger stays, whoever refers to it.
  bool dry_run = false;
};
struct Collected {
  std::uint64_t blobs = 0;   ///< That nobody refers to any more.
  std::uint64_t copies = 0;  ///< Whole copies of chunked blobs that no checkout shares any more.
  std::uint64_t packs = 0;   ///< Removed, or rewritten without what nobody needs.
  std::uint64_t freed_bytes = 0;
  std::uint64_t kept_young = 0;  ///< Would have gone, but their lease runs.
};

/// What keeps a store of blobs in order. Thread-safe.
class BlobUpkeep {
 public:
  virtual ~BlobUpkeep() = default;
  virtual Result<StoreUsage> usage() const = 0;
  /// Hashes everything there is and tells every problem. Where `other` (may be null) has a blob whose bytes differ
  /// here, they are compared to say exactly which. Fails only when it can't look.
  virtual Result<void> check(const BlobStore* other, const OnUpkeep& on_progress,
                             const std::function<void(const BlobProblem&)>& on_problem) const = 0;
  /// Puts right what one problem is about, with verified bytes of `from`, or without it (null) where what is here is
  /// enough. False: it can't be.
  virtual Result<bool> repair(const BlobProblem& problem, const BlobStore* from) = 0;
  /// Removes what is not among the roots. `roots` is asked once, after the moment is fixed before which an object must
  /// have been renewed last to be taken. kConflict when another collection runs. Killed anywhere, it leaves a whole
  /// store.
  virtual Result<Collected> collect(const std::function<Result<std::vector<Digest>>()>& roots,
                                    const CollectOptions& options, const OnUpkeep& on_progress) = 0;
};

}  // namespace backstay
