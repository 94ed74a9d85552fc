#include "services/checkout_version.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>  // renameat2

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "base/random.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

/// A folder that is removed again unless it was moved to its place.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> beside(const fs::path& target) {
    const fs::path parent = target.parent_path().empty() ? fs::path(".") : target.parent_path();
    std::error_code failure;
    fs::create_directories(parent, failure);
    TemporaryFolder folder(parent / fmt::format(".{}.{:016x}", target.filename().string(), secure_random()));
    if (!failure) fs::create_directory(folder.path_, failure);
    if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + folder.path_.string()));
    return folder;
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

  Result<void> move_to(const fs::path& target) {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST)
        return Unexpected(ErrorCode::kConflict, fmt::format("{} exists already.", target.string()),
                          "Name a folder that is not there yet.");
      return Unexpected(error_from_errno(errno, "cannot make " + target.string()));
    }
    path_.clear();
    return {};
  }

 private:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Result<CheckedOutBlob> put(const BlobStore& blobs, const fs::path& folder, const std::string& name,
                           const Digest& sha256, const CheckOutOptions& options) {
  TRY_DO(registry::check_artifact_path(name));
  const fs::path path = folder / name;
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + path.parent_path().string()));
  auto done = blobs.check_out(sha256, path, options);
  if (done) return done;
  if (done.error().code == ErrorCode::kNotFound)
    return Unexpected(
        ErrorCode::kIntegrity, fmt::format("The content of '{}' (sha256 {}) is lost.", name, sha256.hex()),
        "Its file was removed from the store: restore it from a backup, or register the same files again.");
  return Unexpected(std::move(done).error().within(name));
}

}  // namespace

Result<CheckedOut> check_out_version(Registry registry, const registry::VersionRef& ref, const fs::path& target,
                                     const VersionCheckout& options) {
  TRY(const StoredVersion stored, registry.versions.version(ref));
  TRY(registry::Manifest manifest, manifest_of(stored));
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(target, ignored)))
    return Unexpected(ErrorCode::kConflict, fmt::format("{} exists already.", target.string()),
                      "Name a folder that is not there yet.");

  TRY(TemporaryFolder temporary, TemporaryFolder::beside(target));
  CheckedOut out{target, manifest};
  Progress state;
  for (const registry::Artifact& artifact : manifest.artifacts) state.total_bytes += artifact.size_bytes;
  for (const registry::Artifact& artifact : manifest.artifacts) {
    state.name = artifact.path;
    const std::uint64_t end = state.done_bytes + artifact.size_bytes;
    const auto on_bytes = [&](std::uint64_t bytes) {
      // A file that is hashed and then copied is counted once.
      state.done_bytes = std::min(end, state.done_bytes + bytes);
      if (options.progress) options.progress(state);
    };
    TRY(const CheckedOutBlob blob,
        put(registry.blobs, temporary.path(), artifact.path, artifact.sha256, {options.always_hash, on_bytes}));
    state.done_bytes = end;
    if (blob.hashed) out.hashed_bytes += artifact.size_bytes;
    if (blob.way == CheckedOutBlob::Way::kCopy) out.copied_bytes += artifact.size_bytes;
  }
  out.total_bytes = state.total_bytes;
  if (options.progress) options.progress(state);
  const fs::path beside = temporary.path() / ".backstay";
  std::error_code failure;
  fs::create_directory(beside, failure);
  for (const registry::FileDigest& file : manifest.code.preprocessing)
    TRY_DO(put(registry.blobs, beside / "preprocessing", file.path, file.sha256, {options.always_hash, {}}));
  for (const registry::FileDigest& file : manifest.environment.lock_files)
    TRY_DO(put(registry.blobs, beside / "lock", file.path, file.sha256, {options.always_hash, {}}));
  std::ofstream text(beside / "manifest.json", std::ios::binary);
  text << stored.manifest_json;
  text.close();
  bool written = !failure && text;
  if (!options.signature.empty()) {
    std::ofstream file(temporary.path() / "model.sig", std::ios::binary);
    file << options.signature;
    file.close();
    written = written && file;
  }
  if (!written)
    return Unexpected(ErrorCode::kResourceExhausted, fmt::format("cannot write {}", beside.string()),
                      "Check the space that is left there.");
  TRY_DO(temporary.move_to(target));
  return out;
}

}  // namespace backstay::services
