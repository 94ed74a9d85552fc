#include "storage/local_blobs/local_blob_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/descriptor.hpp"
#include "base/random.hpp"

namespace backstay {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPieceBytes = 1024 * 1024;

Unexpected failed(const std::string& what) {
  return Unexpected(error_from_errno(errno, what));
}

Result<void> sync_folder(const fs::path& folder) {
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file || fsync(file.get()) != 0) return failed("cannot sync " + folder.string());
  return {};
}

Result<void> make_folder(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0755) == 0) return sync_folder(folder.parent_path());
  if (errno == EEXIST) return {};
  return failed("cannot make " + folder.string());
}

Result<void> write_all(int fd, std::span<const std::byte> data, const fs::path& path) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write " + path.string());
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

/// Whether `fd` is the one who uses this file.
bool lock(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/// What can't be removed now is tried again the next time: nobody is kept from working by it.
void remove_abandoned(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && lock(file.get())) unlink(entry.path().c_str());
  }
}

/// A file under a name that nobody else has; gone again unless it was moved.
class LocalBlobWriter : public BlobWriter {
 public:
  LocalBlobWriter(const LocalBlobStore& store, fs::path path, Descriptor file)
      : store_(store), path_(std::move(path)), file_(std::move(file)) {}
  ~LocalBlobWriter() override { unlink(path_.c_str()); }
  LocalBlobWriter(const LocalBlobWriter&) = delete;
  LocalBlobWriter& operator=(const LocalBlobWriter&) = delete;

  Result<void> write(std::span<const std::byte> data) override {
    TRY_DO(write_all(file_.get(), data, path_));
    hash_.update(data);
    size_ += data.size();
    return {};
  }

  Result<BlobInfo> commit() override {
    const BlobInfo info{hash_.finish(), size_};
    if (fchmod(file_.get(), 0444) != 0 || fsync(file_.get()) != 0) return failed("cannot sync " + path_.string());
    const fs::path place = store_.path_of(info.sha256);
    TRY_DO(make_folder(place.parent_path()));
    if (link(path_.c_str(), place.c_str()) != 0) {
      if (errno != EEXIST) return failed("cannot store " + place.string());
      TRY_DO(replace_if_damaged(info, place));
    }
    TRY_DO(sync_folder(place.parent_path()));
    return info;
  }

 private:
  /// What is there already is acknowledged only if it is whole. When it is not, the bytes that should be there are at
  /// hand: they take its place.
  Result<void> replace_if_damaged(const BlobInfo& info, const fs::path& place) {
    auto there = store_.read(info.sha256, [](std::span<const std::byte>) { return Result<void>(); });
    if (there) return {};
    if (there.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(there).error());
    if (rename(path_.c_str(), place.c_str()) != 0) return failed("cannot repair " + place.string());
    return {};
  }

  const LocalBlobStore& store_;
  fs::path path_;
  Descriptor file_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

class LocalBlobReader : public BlobReader {
 public:
  LocalBlobReader(fs::path path, Descriptor file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("cannot read " + path_.string());
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  fs::path path_;
  Descriptor file_;
  std::uint64_t size_;
};

}  // namespace

Result<std::unique_ptr<LocalBlobStore>> LocalBlobStore::open(const fs::path& root) {
  std::error_code problem;
  fs::create_directories(root, problem);
  if (problem) return Unexpected(error_from_errno(problem.value(), "cannot make " + root.string()));
  TRY_DO(make_folder(root / "tmp"));
  TRY_DO(make_folder(root / "sha256"));
  remove_abandoned(root / "tmp");
  return std::unique_ptr<LocalBlobStore>(new LocalBlobStore(root));
}

fs::path LocalBlobStore::path_of(const Digest& sha256) const {
  const std::string hex = sha256.hex();
  return root_ / "sha256" / hex.substr(0, 2) / hex;
}

Result<std::unique_ptr<BlobWriter>> LocalBlobStore::begin() {
  while (true) {
    const fs::path path = root_ / "tmp" / fmt::format("{}-{:016x}", getpid(), secure_random());
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failed("cannot make " + path.string());
    // Someone who opens the store may have taken it for abandoned before it was locked: then another one. Where there
    // are no locks nobody takes anything.
    const bool taken = !lock(file.get()) && errno == EWOULDBLOCK;
    struct stat facts {};
    if (fstat(file.get(), &facts) != 0) return failed("cannot look at " + path.string());
    if (taken || facts.st_nlink == 0) continue;
    return std::unique_ptr<BlobWriter>(std::make_unique<LocalBlobWriter>(*this, path, std::move(file)));
  }
}

Result<bool> LocalBlobStore::contains(const Digest& sha256) const {
  struct stat facts {};
  if (lstat(path_of(sha256).c_str(), &facts) == 0) return S_ISREG(facts.st_mode);
  if (errno == ENOENT) return false;
  return failed("cannot look at " + path_of(sha256).string());
}

Result<BlobInfo> LocalBlobStore::read(const Digest& sha256,
                                      const std::function<Result<void>(std::span<const std::byte>)>& sink) const {
  const fs::path path = path_of(sha256);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT)
    return Unexpected(ErrorCode::kNotFound, fmt::format("The store has no blob {}.", sha256.hex()));
  if (!file) return failed("cannot open " + path.string());
  std::vector<std::byte> piece(kPieceBytes);
  Sha256 hash;
  std::uint64_t size = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path.string());
    if (got == 0) break;
    const std::span<const std::byte> bytes(piece.data(), static_cast<std::size_t>(got));
    hash.update(bytes);
    size += bytes.size();
    TRY_DO(sink(bytes));
  }
  if (hash.finish() != sha256) {
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The blob {} holds other bytes than were stored.", sha256.hex()),
                      "Its file was changed or truncated: restore it from a backup, or register the same files again.");
  }
  return BlobInfo{sha256, size};
}

Result<std::unique_ptr<BlobReader>> LocalBlobStore::open_reader(const Digest& sha256) const {
  const fs::path path = path_of(sha256);
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT)
    return Unexpected(ErrorCode::kNotFound, fmt::format("The store has no blob {}.", sha256.hex()));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) return failed("cannot open " + path.string());
  return std::unique_ptr<BlobReader>(
      std::make_unique<LocalBlobReader>(path, std::move(file), static_cast<std::uint64_t>(facts.st_size)));
}

Result<void> LocalBlobStore::check_out(const Digest& sha256, const fs::path& target) const {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const fs::path part = folder / fmt::format(".{}-{:016x}.part", getpid(), secure_random());
  const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("cannot make " + part.string());
  struct Cleanup {
    const fs::path& path;
    ~Cleanup() { unlink(path.c_str()); }
  } cleanup{part};
  auto copied = read(sha256, [&](std::span<const std::byte> bytes) { return write_all(file.get(), bytes, part); });
  if (!copied) return Unexpected(std::move(copied).error());
  if (fchmod(file.get(), 0444) != 0 || fsync(file.get()) != 0) return failed("cannot sync " + part.string());
  if (link(part.c_str(), target.c_str()) != 0) return failed("cannot make " + target.string());
  return sync_folder(folder);
}

}  // namespace backstay
