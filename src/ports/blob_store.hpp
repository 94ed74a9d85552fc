#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace backstay {

/// What was written: the name it can be found by again.
struct BlobInfo {
  Digest sha256;
  std::uint64_t size_bytes = 0;
};

/// A blob on its way in. Bytes are hashed while they are written; nothing is visible before commit(), and a writer that
/// is dropped (or whose process dies) leaves nothing that could be mistaken for a blob. Not thread-safe.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  /// Room for the next bytes, never empty: fill its beginning, then call filled(). Saves a copy; write() is for bytes
  /// that are in memory already.
  virtual Result<std::span<std::byte>> space() = 0;
  virtual Result<void> filled(std::size_t bytes) = 0;
  Result<void> write(std::span<const std::byte> data);
  /// Makes the blob durable (file and folder are synced) and visible under its digest. Writing the same content twice
  /// is fine: what is there is acknowledged only if it is whole, and replaced when it is damaged.
  virtual Result<BlobInfo> commit() = 0;
};

/// A blob that is read here and there, without checking that it is whole. Not thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual std::uint64_t size() const = 0;
  /// Up to out.size() bytes at `offset`; fewer only at the end.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

/// While it lives, no collection takes what was stored or found again since it began. Also ends with the process.
class BlobHold {
 public:
  virtual ~BlobHold() = default;
};

/// How a blob came to where it was checked out.
struct CheckedOutBlob {
  enum class Way {
    kReflink,   ///< Shares blocks until either is written.
    kHardLink,  ///< Is the store's own read-only file.
    kCopy,
  };
  Way way = Way::kCopy;
  bool hashed = false;  ///< Its bytes were hashed now; else they are unchanged since this store hashed and sealed them.
};

struct CheckOutOptions {
  bool always_hash = false;                     ///< Hash the bytes now, whatever is known about them.
  std::function<void(std::uint64_t)> on_bytes;  ///< How many more were hashed or copied; may be empty.
};

using BlobSink = std::function<Result<void>(std::span<const std::byte>)>;

/// Content-addressed, write-once storage. Thread-safe; several processes may share one.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  /// `expected_bytes` is the size when it is known (0: it is not): what can't fit is then refused before a byte is
  /// copied. kResourceExhausted, here or on a later write, when the store's quota is reached.
  virtual Result<std::unique_ptr<BlobWriter>> begin(std::uint64_t expected_bytes) = 0;
  Result<std::unique_ptr<BlobWriter>> begin() { return begin(0); }
  virtual Result<std::unique_ptr<BlobHold>> hold() = 0;
  virtual Result<bool> contains(const Digest& sha256) const = 0;
  /// Length of the blob; kNotFound.
  virtual Result<std::uint64_t> size(const Digest& sha256) const = 0;
  /// Feeds the blob to `sink` in pieces, hashing on the way; fails with kIntegrity when the bytes are not what the
  /// digest says (after the sink has seen them: write to a temporary place first).
  virtual Result<BlobInfo> read(const Digest& sha256, const BlobSink& sink) const = 0;
  /// Feeds bytes [offset, offset + length) to `sink`. The digest can't be checked: whoever puts the parts together
  /// does.
  virtual Result<void> read_range(const Digest& sha256, std::uint64_t offset, std::uint64_t length,
                                  const BlobSink& sink) const = 0;
  /// Puts the blob at `target` (which must not exist), atomically, mode 0444, verified.
  virtual Result<CheckedOutBlob> check_out(const Digest& sha256, const std::filesystem::path& target,
                                           const CheckOutOptions& options) const = 0;
  Result<CheckedOutBlob> check_out(const Digest& sha256, const std::filesystem::path& target) const {
    return check_out(sha256, target, CheckOutOptions());
  }
  /// For who looks here and there, as the scan does. The store must outlive it.
  Result<std::unique_ptr<BlobReader>> open_reader(const Digest& sha256) const;
};

}  // namespace backstay
