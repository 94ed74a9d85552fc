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
  virtual Result<void> write(std::span<const std::byte> data) = 0;
  /// Makes the blob durable (file and folder are synced) and visible under its digest. Writing the same content twice
  /// is fine.
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

/// Content-addressed, write-once storage. Thread-safe; several processes may share one.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual Result<std::unique_ptr<BlobWriter>> begin() = 0;
  virtual Result<bool> contains(const Digest& sha256) const = 0;
  /// Feeds the blob to `sink` in pieces, hashing on the way; fails with kIntegrity when the bytes are not what the
  /// digest says (after the sink has seen them: write to a temporary place first).
  virtual Result<BlobInfo> read(const Digest& sha256,
                                const std::function<Result<void>(std::span<const std::byte>)>& sink) const = 0;
  virtual Result<std::unique_ptr<BlobReader>> open_reader(const Digest& sha256) const = 0;
  /// Puts the verified blob at `target` (which must not exist), atomically, mode 0444.
  virtual Result<void> check_out(const Digest& sha256, const std::filesystem::path& target) const = 0;
};

}  // namespace backstay
