#include "storage/local_blobs/store_parts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace backstay::blobs {

namespace {
constexpr std::chrono::seconds kLookAgain{10};

/// Of the temporary files: those of this process, which begin with its number, and the others.
struct Temporaries {
  std::uint64_t own = 0;
  std::uint64_t others = 0;
};
Result<Temporaries> size_of_temporaries(const fs::path& folder) {
  Temporaries out;
  std::error_code failure;
  const std::string mine = fmt::format("{}-", getpid());
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    std::error_code gone;
    const std::uint64_t bytes = entry->file_size(gone);
    if (!gone) (entry->path().filename().string().starts_with(mine) ? out.own : out.others) += bytes;
  }
  if (failure && failure != std::errc::no_such_file_or_directory)
    return Unexpected(error_from_errno(failure.value(), "cannot read " + folder.string()));
  return out;
}
}  // namespace

Result<FolderSize> size_of_folder(const fs::path& folder) {
  FolderSize out;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code gone;  // A collection may be at work.
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    const std::uint64_t bytes = entry->file_size(gone);
    if (gone) continue;
    out.bytes += bytes;
    ++out.files;
  }
  if (failure && failure != std::errc::no_such_file_or_directory)
    return Unexpected(error_from_errno(failure.value(), "cannot read " + folder.string()));
  return out;
}

Result<void> Quota::look(bool now) {
  const auto time = std::chrono::steady_clock::now();
  if (!now && looked_ && time - *looked_ < kLookAgain) return {};
  std::uint64_t total = 0;
  for (const fs::path& folder : {layout_.whole_root(), layout_.recipe_root(), layout_.pack_root()}) {
    TRY(const FolderSize size, size_of_folder(folder));
    total += size.bytes;
  }
  TRY(const Temporaries temporary, size_of_temporaries(layout_.tmp()));
  used_ = total + temporary.others + std::max(temporary.own, open_);
  looked_ = time;
  return {};
}

Unexpected Quota::refused(std::uint64_t bytes) const {
  return Unexpected(
      ErrorCode::kResourceExhausted,
      fmt::format("The store's quota is {} bytes, {} are used, and {} more do not fit.", limit_, used_, bytes),
      "Free space with backstay gc, or raise quota_bytes in DATA_DIR/store.yaml.");
}

Result<void> Quota::expect(std::uint64_t bytes) {
  if (limit_ == 0) return {};
  const std::lock_guard lock(mutex_);
  TRY_DO(look(false));
  // A large blob may be there already but for a few chunks; what can't be in the store at all is refused.
  if (bytes > limit_ || used_ >= limit_) {
    TRY_DO(look(true));
    if (bytes > limit_ || used_ >= limit_) return refused(bytes);
  }
  return {};
}

Result<void> Quota::take(std::uint64_t bytes) {
  if (limit_ == 0) return {};
  const std::lock_guard lock(mutex_);
  TRY_DO(look(false));
  if (used_ + bytes > limit_) {
    TRY_DO(look(true));
    if (used_ + bytes > limit_) return refused(bytes);
  }
  used_ += bytes;
  open_ += bytes;
  return {};
}

void Quota::give_back(std::uint64_t bytes) {
  if (limit_ == 0) return;
  const std::lock_guard lock(mutex_);
  used_ -= std::min(used_, bytes);
  open_ -= std::min(open_, bytes);
}

void Quota::settle(std::uint64_t bytes) {
  if (limit_ == 0) return;
  const std::lock_guard lock(mutex_);
  open_ -= std::min(open_, bytes);
}

}  // namespace backstay::blobs
