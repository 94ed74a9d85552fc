#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "base/descriptor.hpp"
#include "base/digest.hpp"
#include "base/result.hpp"

namespace backstay::blobs {

namespace fs = std::filesystem;

/// The one door through which the store changes the disk. Thread-safe. Tests put their own in its place to end the
/// process, or to let a call fail, before any step.
class Disk {
 public:
  virtual ~Disk() = default;

  Result<void> make_folder(const fs::path& folder);
  Result<void> write(int fd, std::span<const std::byte> data, const fs::path& path);
  Result<void> truncate(int fd, const fs::path& path);
  Result<void> sync(int fd, const fs::path& path);
  Result<void> sync_folder(const fs::path& folder);
  /// False: something has that name already.
  Result<bool> link(const fs::path& from, const fs::path& to);
  Result<void> rename(const fs::path& from, const fs::path& to);
  /// Nothing there is fine.
  Result<void> unlink(const fs::path& path);
  /// Mode 0444 and the seal's modification time: what this store wrote and hashed while it wrote. Any write to the file
  /// later changes that time.
  Result<void> seal(int fd, const fs::path& path);
  /// Starts an object's lease anew (its ctime becomes now). False: there is no such object.
  Result<bool> renew(const fs::path& path);

 protected:
  /// Asked before each change; an error takes its place.
  virtual Result<void> before(const char* step, const fs::path& path);
};

/// The machine's own.
Disk& real_disk();

Unexpected failed(const std::string& what);

/// An open file and what is known about it.
struct OpenFile {
  Descriptor file;
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  ///< ctime.
  std::uint64_t device = 0;
  std::uint32_t mode = 0;
  std::uint64_t links = 0;
  bool regular = false;
  bool sealed = false;  ///< See Disk::seal; and it belongs to who runs this, or to root.
};
/// kNotFound when there is nothing; symbolic links are not followed.
Result<OpenFile> open_file(const fs::path& path);
/// Reads exactly `into`; kIntegrity when the file is shorter.
Result<void> read_at(int fd, std::uint64_t offset, std::span<std::byte> into, const fs::path& path);

/// A file under a name in ROOT/tmp that nobody else has, locked as long as this lives, and gone again afterwards (it
/// may have been linked or renamed to its place).
class Temporary {
 public:
  static Result<Temporary> make(const fs::path& folder);
  Temporary(Temporary&& other) noexcept : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  Temporary& operator=(Temporary&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~Temporary();
  int fd() const { return file_.get(); }
  const fs::path& path() const { return path_; }

 private:
  Temporary(fs::path path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  fs::path path_;
  Descriptor file_;
};

/// Whether `fd` is the one who uses this file now.
bool lock_alone(int fd);

/// ROOT/lock for one short step: shared by those who renew objects, exclusive for whoever removes one.
class StoreLock {
 public:
  static Result<StoreLock> take(const fs::path& root, bool exclusive);

 private:
  explicit StoreLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

/// 128 random bits that name a pack.
using PackId = std::array<std::uint8_t, 16>;
std::string hex(const PackId& id);

/// Where things are; see LocalBlobStore.
struct Layout {
  fs::path root;
  fs::path tmp() const { return root / "tmp"; }
  fs::path whole_root() const { return root / "sha256"; }
  fs::path recipe_root() const { return root / "recipes"; }
  fs::path pack_root() const { return root / "packs"; }
  fs::path whole(const Digest& sha256) const { return sharded(whole_root(), sha256.hex()); }
  fs::path recipe(const Digest& sha256) const { return sharded(recipe_root(), sha256.hex()); }
  fs::path pack(const PackId& id) const { return pack_root() / hex(id); }

 private:
  static fs::path sharded(const fs::path& folder, const std::string& name) { return folder / name.substr(0, 2) / name; }
};

}  // namespace backstay::blobs
