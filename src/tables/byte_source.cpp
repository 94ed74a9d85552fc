#include "tables/byte_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace backstay::tables {

namespace {

std::int64_t change_of(const struct stat& facts) {
  return static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec;
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(const std::filesystem::path& path, const std::string& name,
                                                     OnBytes on_bytes) {
  // Not blocking: a pipe without a writer must not hold the program up.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno == ENOENT)
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no file {}.", name), "Check the path.");
  if (!file) return Unexpected(error_from_errno(errno, "cannot read " + name));
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return Unexpected(error_from_errno(errno, "cannot read " + name));
  if (!S_ISREG(facts.st_mode))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a regular file.", name),
                      "Give the path of a table.");
  std::unique_ptr<FileSource> out(new FileSource(std::move(file), name, std::move(on_bytes)));
  out->size_ = static_cast<std::uint64_t>(facts.st_size);
  out->changed_ = change_of(facts);
  return out;
}

Result<void> FileSource::read(std::uint64_t offset, std::span<char> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(error_from_errno(errno, "cannot read " + name_));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  struct stat facts {};
  if (fstat(file_.get(), &facts) != 0) return Unexpected(error_from_errno(errno, "cannot read " + name_));
  if (static_cast<std::uint64_t>(facts.st_size) != size_ || change_of(facts) != changed_)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} changed while it was read.", name_),
                      "Wait until whatever writes it is done, then try again.");
  if (done < out.size())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} ends too early.", name_), "Write it again.");
  if (on_bytes_) on_bytes_(out.size());
  return {};
}

Result<void> MemorySource::read(std::uint64_t offset, std::span<char> out) {
  if (offset > bytes_.size() || out.size() > bytes_.size() - offset)
    return Unexpected(ErrorCode::kInvalidArgument, "The table ends too early.", "Write it again.");
  std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return {};
}

}  // namespace backstay::tables
