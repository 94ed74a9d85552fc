#include "services/local_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/descriptor.hpp"
#include "domain/registry/manifest.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPieceBytes = 1024 * 1024;
constexpr std::size_t kMaxFiles = 100'000;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

class Walk {
 public:
  Result<void> visit(const fs::path& path, const std::string& name) {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) {
      if (errno == ENOENT)
        return Unexpected(ErrorCode::kNotFound, fmt::format("There is no file {}.", path.string()),
                          "Paths are relative to the folder of the version's YAML file.");
      return Unexpected(error_from_errno(errno, "cannot read " + path.string()));
    }
    if (S_ISLNK(info.st_mode))
      return invalid(fmt::format("{} is a symbolic link.", path.string()),
                     "Links are refused because what they point to can change: give the file itself.");
    if (S_ISDIR(info.st_mode)) return visit_folder(path, name);
    if (!S_ISREG(info.st_mode))
      return invalid(fmt::format("{} is not a regular file.", path.string()), "Give files and folders only.");
    TRY_DO(registry::check_artifact_path(name));
    if (found.size() >= kMaxFiles)
      return invalid(fmt::format("There are more than {} files.", kMaxFiles), "Pack them into an archive.");
    found.push_back({path, name, static_cast<std::uint64_t>(info.st_size)});
    return {};
  }

  std::vector<FoundFile> found;

 private:
  Result<void> visit_folder(const fs::path& path, const std::string& name) {
    if (++depth_ > 64) return invalid(fmt::format("{} is nested too deep.", path.string()), "");
    std::error_code failure;
    std::vector<std::string> names;
    for (fs::directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure))
      names.push_back(entry->path().filename().string());
    if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read the folder " + path.string()));
    std::sort(names.begin(), names.end());
    const std::string prefix = name.empty() ? "" : name + "/";
    for (const std::string& child : names) TRY_DO(visit(path / child, fmt::format("{}{}", prefix, child)));
    --depth_;
    return {};
  }
  int depth_ = 0;
};

std::string without_trailing_slash(std::string name) {
  while (!name.empty() && name.back() == '/') name.pop_back();
  return name;
}

}  // namespace

Result<std::vector<FoundFile>> find_files(const fs::path& base, const std::vector<wire::LocalFile>& files) {
  Walk walk;
  for (const wire::LocalFile& file : files) {
    const std::size_t before = walk.found.size();
    std::string name = without_trailing_slash(file.name);
    if (name == ".") name.clear();
    const fs::path path = without_trailing_slash((base / file.source).string());
    TRY_DO(walk.visit(path, name));
    if (walk.found.size() == before)
      return invalid(fmt::format("The folder {} has no file.", path.string()), "Give the folder with the model.");
  }
  std::sort(walk.found.begin(), walk.found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < walk.found.size(); ++i) {
    if (walk.found[i].name == walk.found[i - 1].name)
      return invalid(fmt::format("Two files would be called '{}': {} and {}.", walk.found[i].name,
                                 walk.found[i - 1].source.string(), walk.found[i].source.string()),
                     "Rename one with {path: ..., as: ...}.");
  }
  return std::move(walk.found);
}

namespace {

/// A file that is read once and must not change meanwhile.
class SteadyFile {
 public:
  static Result<SteadyFile> open(const fs::path& path) {
    SteadyFile file(path);
    file.file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file.file_ && errno == ELOOP)
      return invalid(fmt::format("{} is a symbolic link.", path.string()),
                     "Links are refused because what they point to can change: give the file itself.");
    if (!file.file_ || fstat(file.file_.get(), &file.before_) != 0)
      return Unexpected(error_from_errno(errno, "cannot read " + path.string()));
    if (!S_ISREG(file.before_.st_mode))
      return invalid(fmt::format("{} is not a regular file.", path.string()), "Give files and folders only.");
    posix_fadvise(file.file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    return file;
  }

  /// 0 at the end.
  Result<std::size_t> read(std::span<std::byte> into) {
    while (true) {
      const ssize_t size = ::read(file_.get(), into.data(), into.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return Unexpected(error_from_errno(errno, "cannot read " + path_.string()));
      total_ += static_cast<std::uint64_t>(size);
      return static_cast<std::size_t>(size);
    }
  }

  Result<void> check_unchanged() const {
    struct stat after {};
    if (fstat(file_.get(), &after) == 0 && same_content(before_, after) &&
        total_ == static_cast<std::uint64_t>(after.st_size))
      return {};
    return Unexpected(ErrorCode::kConflict, fmt::format("{} changed while it was read.", path_.string()),
                      "Wait until whatever writes it is done, then register again.");
  }

 private:
  explicit SteadyFile(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
  Descriptor file_;
  struct stat before_ {};
  std::uint64_t total_ = 0;
};

}  // namespace

Result<void> read_file(const fs::path& path, const std::function<Result<void>(std::span<const std::byte>)>& sink) {
  TRY(SteadyFile file, SteadyFile::open(path));
  std::vector<std::byte> piece(kPieceBytes);
  while (true) {
    TRY(const std::size_t size, file.read(piece));
    if (size == 0) return file.check_unchanged();
    TRY_DO(sink(std::span(piece.data(), size)));
  }
}

Result<void> read_file_into(const fs::path& path, BlobWriter& writer,
                            const std::function<void(std::uint64_t)>& on_piece) {
  TRY(SteadyFile file, SteadyFile::open(path));
  while (true) {
    TRY(const std::span<std::byte> room, writer.space());
    TRY(const std::size_t size, file.read(room.first(std::min(room.size(), kPieceBytes))));
    if (size == 0) return file.check_unchanged();
    TRY_DO(writer.filled(size));
    on_piece(size);
  }
}

}  // namespace backstay::services
