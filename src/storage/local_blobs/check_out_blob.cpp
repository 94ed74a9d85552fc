#include "storage/local_blobs/check_out_blob.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.hpp"
#include "storage/local_blobs/blob_reader.hpp"

namespace backstay::blobs {

namespace {

std::string by_descriptor(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

/// A file beside the target that becomes it.
class Part {
 public:
  static Result<Part> beside(const fs::path& target) {
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    fs::path path = folder / fmt::format(".{}-{:016x}.part", getpid(), secure_random());
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failed("cannot make " + path.string());
    return Part(std::move(path), std::move(file));
  }
  Part(Part&& other) noexcept : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  Part& operator=(Part&&) = delete;
  ~Part() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  int fd() const { return file_.get(); }
  const fs::path& path() const { return path_; }
  Result<void> become(Disk& disk, const fs::path& target) {
    if (fchmod(fd(), 0444) != 0) return failed("cannot write " + path_.string());
    TRY_DO(disk.sync(fd(), path_));
    if (::link(path_.c_str(), target.c_str()) != 0) return failed("cannot make " + target.string());
    return {};
  }

 private:
  Part(fs::path path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  fs::path path_;
  Descriptor file_;
};

class CheckOut {
 public:
  CheckOut(StoreParts& store, const Digest& sha256, const fs::path& target, const CheckOutOptions& options)
      : store_(store), sha256_(sha256), target_(target), options_(options), place_(store.layout.whole(sha256)) {}

  Result<CheckedOutBlob> run() {
    auto whole = open_file(place_);
    if (whole) {
      auto done = from_whole(std::move(*whole));
      if (done || done.error().code != ErrorCode::kIntegrity || !has_recipe()) return done;
      // The copy was changed; the chunks have what should be in it.
    } else if (whole.error().code != ErrorCode::kNotFound) {
      return Unexpected(std::move(whole).error());
    }
    return from_chunks();
  }

 private:
  BlobSink counted() const {
    return [this](std::span<const std::byte> bytes) -> Result<void> {
      if (options_.on_bytes) options_.on_bytes(bytes.size());
      return {};
    };
  }
  BlobSink written_to(int fd, const fs::path& path) const {
    return [this, fd, &path](std::span<const std::byte> bytes) -> Result<void> {
      TRY_DO(counted()(bytes));
      return store_.disk.write(fd, bytes, path);
    };
  }

  bool has_recipe() const {
    std::error_code failure;
    return fs::exists(store_.layout.recipe(sha256_), failure);
  }

  bool on_same_device() const {
    struct stat there {
    }, here{};
    const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    return stat(folder.c_str(), &there) == 0 && stat(store_.layout.root.c_str(), &here) == 0 &&
           there.st_dev == here.st_dev;
  }

  Result<CheckedOutBlob> from_whole(OpenFile whole) {
    if (whole.sealed && !options_.always_hash) {
      TRY(const std::optional<CheckedOutBlob> shared, share(whole.file.get()));
      if (shared) return *shared;
    }
    if (!on_same_device()) return copy(whole);
    TRY_DO(read_open(whole, place_, sha256_, counted()));
    // What can't be sealed, because it is someone else's, is hashed every time.
    if (!whole.sealed && !store_.disk.seal(whole.file.get(), place_)) return copy(whole);
    TRY(std::optional<CheckedOutBlob> shared, share(whole.file.get()));
    if (!shared) return copy(whole);
    shared->hashed = true;
    return *shared;
  }

  /// Nothing when the file system can't.
  Result<std::optional<CheckedOutBlob>> share(int fd) {
    using Way = CheckedOutBlob::Way;
    if (store_.reflinks) {
      TRY(Part part, Part::beside(target_));
      if (ioctl(part.fd(), FICLONE, fd) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOTTY) store_.reflinks = false;
      } else {
        TRY_DO(part.become(store_.disk, target_));
        return std::optional(CheckedOutBlob{Way::kReflink, false});
      }
    }
    // The very file that was looked at, whatever its name stands for now.
    if (linkat(AT_FDCWD, by_descriptor(fd).c_str(), AT_FDCWD, target_.c_str(), AT_SYMLINK_FOLLOW) == 0)
      return std::optional(CheckedOutBlob{Way::kHardLink, false});
    if (errno == EEXIST) return failed("cannot make " + target_.string());
    return std::optional<CheckedOutBlob>();
  }

  Result<CheckedOutBlob> copy(const OpenFile& whole) {
    TRY(Part part, Part::beside(target_));
    TRY_DO(read_open(whole, place_, sha256_, written_to(part.fd(), part.path())));
    TRY_DO(part.become(store_.disk, target_));
    return CheckedOutBlob{CheckedOutBlob::Way::kCopy, true};
  }

  Result<CheckedOutBlob> from_chunks() {
    if (!on_same_device()) {
      TRY(Part part, Part::beside(target_));
      TRY_DO(read_chunks(store_.layout, sha256_, written_to(part.fd(), part.path())));
      TRY_DO(part.become(store_.disk, target_));
      return CheckedOutBlob{CheckedOutBlob::Way::kCopy, true};
    }
    TRY(const Temporary whole, Temporary::make(store_.layout.tmp()));
    TRY_DO(read_chunks(store_.layout, sha256_, written_to(whole.fd(), whole.path())));
    TRY_DO(store_.disk.seal(whole.fd(), whole.path()));
    TRY_DO(store_.disk.sync(whole.fd(), whole.path()));
    TRY(std::optional<CheckedOutBlob> shared, share(whole.fd()));
    TRY_DO(store_.disk.make_folder(place_.parent_path()));
    TRY_DO(store_.disk.rename(whole.path(), place_));
    TRY_DO(store_.disk.sync_folder(place_.parent_path()));
    if (!shared) {
      TRY(const OpenFile stored, open_file(place_));
      return copy(stored);
    }
    shared->hashed = true;
    return *shared;
  }

  StoreParts& store_;
  const Digest& sha256_;
  const fs::path& target_;
  const CheckOutOptions& options_;
  const fs::path place_;
};

}  // namespace

Result<CheckedOutBlob> check_out_blob(StoreParts& store, const Digest& sha256, const fs::path& target,
                                      const CheckOutOptions& options) {
  TRY(const CheckedOutBlob done, CheckOut(store, sha256, target, options).run());
  TRY_DO(store.disk.sync_folder(target.has_parent_path() ? target.parent_path() : fs::path(".")));
  return done;
}

}  // namespace backstay::blobs
