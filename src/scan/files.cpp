#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/descriptor.hpp"
#include "scan/unpack.hpp"

namespace backstay::scan {

namespace {

constexpr std::size_t kInMemory = 16U << 20;
constexpr const char* kUnpacked = "what was unpacked for the scan";

Result<int> nameless_file() {
  const char* chosen = std::getenv("TMPDIR");
  std::string name = fmt::format("{}/backstay-scan-XXXXXX", chosen != nullptr && *chosen != '\0' ? chosen : "/tmp");
  const int file = mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) return Unexpected(error_from_errno(errno, "cannot make " + name));
  unlink(name.c_str());
  return file;
}

Result<std::size_t> read_all(int file, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = pread(file, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(error_from_errno(errno, "cannot read a file for the scan"));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

Spool::~Spool() {
  if (file_ >= 0) close(file_);
}

Result<void> Spool::append(std::span<const std::byte> data) {
  size_ += data.size();
  if (file_ < 0 && size_ <= kInMemory) {
    memory_.append(reinterpret_cast<const char*>(data.data()), data.size());
    return {};
  }
  if (file_ < 0) {
    TRY(file_, nameless_file());
    TRY_DO(write_all(file_, std::as_bytes(std::span(memory_)), kUnpacked));
    memory_ = {};
  }
  return write_all(file_, data, kUnpacked);
}

Result<std::size_t> Spool::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (file_ < 0) return MemorySource(memory_).read_at(offset, out);
  return read_all(file_, offset, out);
}

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0 && errno == ENOENT)
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no file {}.", path), "Check the path.");
  if (file < 0) return Unexpected(error_from_errno(errno, "cannot open " + path));
  struct stat facts {};
  std::unique_ptr<FileSource> source(new FileSource(file, 0));
  if (fstat(file, &facts) != 0) return Unexpected(error_from_errno(errno, "cannot look at " + path));
  if (!S_ISREG(facts.st_mode))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a regular file.", path),
                      "Give files and folders only.");
  source->size_ = static_cast<std::uint64_t>(facts.st_size);
  return source;
}

FileSource::~FileSource() {
  close(file_);
}

Result<std::size_t> FileSource::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  return read_all(file_, offset, out);
}

}  // namespace backstay::scan
