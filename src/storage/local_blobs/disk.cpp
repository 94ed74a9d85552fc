#include "storage/local_blobs/disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"
#include "base/random.hpp"

namespace backstay::blobs {

namespace {

constexpr std::time_t kSealTime = 946684800;  // 2000-01-01T00:00:00Z
constexpr mode_t kModeBits = 07777;

std::int64_t ns(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Unexpected failed(const std::string& what) {
  return Unexpected(error_from_errno(errno, what));
}

Disk& real_disk() {
  static Disk disk;
  return disk;
}

Result<void> Disk::before(const char*, const fs::path&) {
  return {};
}

Result<void> Disk::make_folder(const fs::path& folder) {
  struct stat facts {};
  if (stat(folder.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)) return {};
  TRY_DO(before("mkdir", folder));
  if (mkdir(folder.c_str(), 0755) == 0) return sync_folder(folder.parent_path());
  if (errno == EEXIST) return {};
  return failed("cannot make " + folder.string());
}

Result<void> Disk::write(int fd, std::span<const std::byte> data, const fs::path& path) {
  TRY_DO(before("write", path));
  return write_all(fd, data, path.string());
}

Result<void> Disk::truncate(int fd, const fs::path& path) {
  TRY_DO(before("truncate", path));
  if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) return failed("cannot write " + path.string());
  return {};
}

Result<void> Disk::sync(int fd, const fs::path& path) {
  TRY_DO(before("sync", path));
  if (fsync(fd) != 0) return failed("cannot sync " + path.string());
  return {};
}

Result<void> Disk::sync_folder(const fs::path& folder) {
  TRY_DO(before("sync folder", folder));
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file || fsync(file.get()) != 0) return failed("cannot sync " + folder.string());
  return {};
}

Result<bool> Disk::link(const fs::path& from, const fs::path& to) {
  TRY_DO(before("link", to));
  if (::link(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  return failed("cannot store " + to.string());
}

Result<void> Disk::rename(const fs::path& from, const fs::path& to) {
  TRY_DO(before("rename", to));
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("cannot store " + to.string());
  return {};
}

Result<void> Disk::unlink(const fs::path& path) {
  TRY_DO(before("unlink", path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("cannot remove " + path.string());
  return {};
}

Result<void> Disk::seal(int fd, const fs::path& path) {
  TRY_DO(before("seal", path));
  const timespec times[] = {{kSealTime, 0}, {kSealTime, 0}};
  if (futimens(fd, times) != 0 || fchmod(fd, 0444) != 0) return failed("cannot seal " + path.string());
  return {};
}

Result<bool> Disk::renew(const fs::path& path) {
  TRY_DO(before("renew", path));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return false;
  if (!file || fchmod(file.get(), 0444) != 0) return failed("cannot renew the lease of " + path.string());
  return true;
}

Result<OpenFile> open_file(const fs::path& path) {
  OpenFile out{Descriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC))};
  if (!out.file && errno == ENOENT) return Unexpected(ErrorCode::kNotFound, fmt::format("{} is gone.", path.string()));
  struct stat facts {};
  if (!out.file || fstat(out.file.get(), &facts) != 0) return failed("cannot open " + path.string());
  out.size = static_cast<std::uint64_t>(facts.st_size);
  out.changed_ns = ns(facts.st_ctim);
  out.device = facts.st_dev;
  out.mode = facts.st_mode & kModeBits;
  out.links = facts.st_nlink;
  out.regular = S_ISREG(facts.st_mode);
  out.sealed = out.regular && out.mode == 0444 && facts.st_mtim.tv_sec == kSealTime && facts.st_mtim.tv_nsec == 0 &&
               (facts.st_uid == geteuid() || facts.st_uid == 0);
  return out;
}

Result<void> read_at(int fd, std::uint64_t offset, std::span<std::byte> into, const fs::path& path) {
  while (!into.empty()) {
    const ssize_t got = pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path.string());
    if (got == 0)
      return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is shorter than it was stored.", path.string()),
                        "See: backstay fsck --help");
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

bool lock_alone(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

Result<Temporary> Temporary::make(const fs::path& folder) {
  while (true) {
    const fs::path path = folder / fmt::format("{}-{:016x}", getpid(), secure_random());
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failed("cannot make " + path.string());
    // Someone who opens the store may have taken it for abandoned before it was locked: then another one. Where there
    // are no locks nobody takes anything.
    const bool taken = !lock_alone(file.get()) && errno == EWOULDBLOCK;
    struct stat facts {};
    if (fstat(file.get(), &facts) != 0) return failed("cannot look at " + path.string());
    if (taken || facts.st_nlink == 0) {
      ::unlink(path.c_str());
      continue;
    }
    return Temporary(path, std::move(file));
  }
}

Temporary::~Temporary() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<StoreLock> StoreLock::take(const fs::path& root, bool exclusive) {
  const fs::path path = root / "lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("cannot open " + path.string());
  while (flock(file.get(), exclusive ? LOCK_EX : LOCK_SH) != 0) {
    if (errno != EINTR) return failed("cannot lock " + path.string());
  }
  return StoreLock(std::move(file));
}

std::string hex(const PackId& id) {
  std::string text;
  for (const std::uint8_t byte : id) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace backstay::blobs
