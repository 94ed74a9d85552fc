#include "storage/local_blobs/local_blob_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/check_blobs.hpp"
#include "storage/local_blobs/check_out_blob.hpp"
#include "storage/local_blobs/collect_blobs.hpp"
#include "storage/local_blobs/local_blob_writer.hpp"
#include "storage/local_blobs/repair_blob.hpp"

namespace backstay {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPieceBytes = 1024 * 1024;

/// What can't be removed now is tried again the next time: nobody is kept from working by it.
void remove_abandoned(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && blobs::lock_alone(file.get())) unlink(entry.path().c_str());
  }
}

Result<void> make_ready(const blobs::Layout& layout, blobs::Disk& disk) {
  std::error_code problem;
  fs::create_directories(layout.root, problem);
  if (problem) return Unexpected(error_from_errno(problem.value(), "cannot make " + layout.root.string()));
  for (const fs::path& folder : {layout.tmp(), layout.whole_root(), layout.recipe_root(), layout.pack_root()})
    TRY_DO(disk.make_folder(folder));
  remove_abandoned(layout.tmp());
  return {};
}

class LocalHold : public BlobHold {
 public:
  explicit LocalHold(blobs::Temporary file) : file_(std::move(file)) {}

 private:
  blobs::Temporary file_;
};

Unexpected no_blob(const Digest& sha256) {
  return Unexpected(ErrorCode::kNotFound, fmt::format("The store has no blob {}.", sha256.hex()));
}

bool is_missing(const Error& error) {
  return error.code == ErrorCode::kNotFound;
}

}  // namespace

LocalBlobStore::LocalBlobStore(std::unique_ptr<blobs::StoreParts> parts) : parts_(std::move(parts)) {}
LocalBlobStore::~LocalBlobStore() = default;

Result<std::unique_ptr<LocalBlobStore>> LocalBlobStore::open(const fs::path& root, const Options& options) {
  const blobs::Layout layout{root};
  blobs::Disk& disk = options.disk != nullptr ? *options.disk : blobs::real_disk();
  TRY_DO(make_ready(layout, disk));
  return std::unique_ptr<LocalBlobStore>(new LocalBlobStore(std::unique_ptr<blobs::StoreParts>(
      new blobs::StoreParts{disk, layout, blobs::Quota(layout, options.quota_bytes), {}})));
}

Result<std::unique_ptr<LocalBlobStore>> LocalBlobStore::open_to_read(const fs::path& root) {
  const blobs::Layout layout{root};
  std::error_code failure;
  if (!fs::is_directory(layout.whole_root(), failure))
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no store of blobs at {}.", root.string()),
                      "Name a data directory, or the folder 'blobs' in one.");
  return std::unique_ptr<LocalBlobStore>(new LocalBlobStore(std::unique_ptr<blobs::StoreParts>(
      new blobs::StoreParts{blobs::real_disk(), layout, blobs::Quota(layout, 0), {}})));
}

fs::path LocalBlobStore::path_of(const Digest& sha256) const {
  return parts_->layout.whole(sha256);
}

Result<std::unique_ptr<BlobWriter>> LocalBlobStore::begin(std::uint64_t expected_bytes) {
  return blobs::LocalBlobWriter::make(*parts_, expected_bytes);
}

Result<std::unique_ptr<BlobHold>> LocalBlobStore::hold() {
  TRY(blobs::Temporary file, blobs::Temporary::make(parts_->layout.tmp()));
  return std::unique_ptr<BlobHold>(std::make_unique<LocalHold>(std::move(file)));
}

Result<bool> LocalBlobStore::contains(const Digest& sha256) const {
  TRY(const blobs::StoreLock lock, blobs::StoreLock::take(parts_->layout.root, false));
  for (const fs::path& path : {parts_->layout.whole(sha256), parts_->layout.recipe(sha256)}) {
    struct stat facts {};
    if (lstat(path.c_str(), &facts) != 0) {
      if (errno != ENOENT) return blobs::failed("cannot look at " + path.string());
    } else if (S_ISREG(facts.st_mode)) {
      // Who asks is about to refer to it. What belongs to someone else is theirs to collect.
      const auto renewed = parts_->disk.renew(path);
      if (!renewed && renewed.error().code != ErrorCode::kPermissionDenied) return Unexpected(renewed.error());
      return true;
    }
  }
  return false;
}

Result<std::uint64_t> LocalBlobStore::size(const Digest& sha256) const {
  const auto whole = blobs::open_file(parts_->layout.whole(sha256));
  if (whole && whole->regular) return whole->size;
  if (!whole && !is_missing(whole.error())) return Unexpected(whole.error());
  const auto recipe = blobs::load_recipe(parts_->layout, sha256);
  if (recipe) return recipe->size;
  if (is_missing(recipe.error())) return no_blob(sha256);
  return Unexpected(recipe.error());
}

Result<BlobInfo> LocalBlobStore::read(const Digest& sha256, const BlobSink& sink) const {
  auto whole = blobs::read_whole(parts_->layout, sha256, sink);
  if (whole || !is_missing(whole.error())) return whole;
  auto chunked = blobs::read_chunks(parts_->layout, sha256, sink);
  if (!chunked && is_missing(chunked.error())) return no_blob(sha256);
  return chunked;
}

Result<void> LocalBlobStore::read_range(const Digest& sha256, std::uint64_t offset, std::uint64_t length,
                                        const BlobSink& sink) const {
  TRY(const std::uint64_t bytes, size(sha256));
  if (offset > bytes || length > bytes - offset)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("Bytes {} to {} of a blob of {} were asked for.", offset, offset + length, bytes),
                      "Ask for a part of it.");
  const fs::path path = parts_->layout.whole(sha256);
  if (const auto whole = blobs::open_file(path); whole && whole->regular) {
    std::vector<std::byte> piece(std::min<std::uint64_t>(kPieceBytes, length));
    while (length > 0) {
      const std::span<std::byte> part = std::span(piece).first(std::min<std::uint64_t>(piece.size(), length));
      TRY_DO(blobs::read_at(whole->file.get(), offset, part, path));
      TRY_DO(sink(part));
      offset += part.size();
      length -= part.size();
    }
    return {};
  }
  TRY(blobs::ChunkReader reader, blobs::ChunkReader::open(parts_->layout, sha256));
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < reader.recipe().chunks.size() && length > 0; ++i) {
    const std::uint64_t size = reader.recipe().chunks[i].place.length;
    if (offset < begin + size) {
      TRY(const std::span<const std::byte> chunk, reader.chunk(i));
      const std::uint64_t part = std::min(length, begin + size - offset);
      TRY_DO(sink(chunk.subspan(offset - begin, part)));
      offset += part;
      length -= part;
    }
    begin += size;
  }
  return {};
}

Result<CheckedOutBlob> LocalBlobStore::check_out(const Digest& sha256, const fs::path& target,
                                                 const CheckOutOptions& options) const {
  auto done = blobs::check_out_blob(*parts_, sha256, target, options);
  if (!done && is_missing(done.error())) return no_blob(sha256);
  return done;
}

Result<StoreUsage> LocalBlobStore::usage() const {
  return blobs::measure_usage(parts_->layout);
}

Result<void> LocalBlobStore::check(const BlobStore* other, const OnUpkeep& on_progress,
                                   const std::function<void(const BlobProblem&)>& on_problem) const {
  return blobs::check_blobs(parts_->layout, other, on_progress, on_problem);
}

Result<bool> LocalBlobStore::repair(const BlobProblem& problem, const BlobStore* from) {
  return blobs::repair_blob(*parts_, problem, from);
}

Result<Collected> LocalBlobStore::collect(const std::function<Result<std::vector<Digest>>()>& roots,
                                          const CollectOptions& options, const OnUpkeep& on_progress) {
  return blobs::collect_blobs(*parts_, roots, options, on_progress);
}

}  // namespace backstay
