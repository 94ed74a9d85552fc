#include "storage/local_blobs/repair_blob.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/collect_blobs.hpp"
#include "storage/local_blobs/local_blob_writer.hpp"

namespace backstay::blobs {

namespace {

const BlobSink kNobody = [](std::span<const std::byte>) { return Result<void>(); };

using ReadAll = std::function<Result<BlobInfo>(const BlobSink&)>;

/// Writes the blob anew; what was damaged is replaced.
Result<bool> rewrite(StoreParts& store, const Digest& sha256, std::uint64_t size, const ReadAll& read_all) {
  TRY(const std::unique_ptr<BlobWriter> writer, LocalBlobWriter::make(store, size));
  auto read = read_all([&](std::span<const std::byte> bytes) { return writer->write(bytes); });
  if (!read && read.error().code == ErrorCode::kIntegrity) return false;
  if (!read) return Unexpected(std::move(read).error());
  TRY(const BlobInfo written, writer->commit());
  if (written.sha256 != sha256) return other_bytes(sha256);
  return true;
}

Result<void> drop_damaged_whole(StoreParts& store, const Digest& sha256) {
  const fs::path place = store.layout.whole(sha256);
  std::error_code failure;
  if (!fs::exists(fs::symlink_status(place, failure)) || read_whole(store.layout, sha256, kNobody)) return {};
  TRY_DO(store.disk.unlink(place));
  return store.disk.sync_folder(place.parent_path());
}

/// Moves what blobs need of a damaged pack into a new one. False when one of those chunks is damaged, or when someone
/// is at work who may be about to share a chunk of it.
Result<bool> replace_pack(StoreParts& store, const PackId& id) {
  TRY(const Descriptor lock, lock_collection(store.layout));
  TRY(const Needed needed, needed_chunks(store.layout, {}));
  std::uint64_t written = 0;
  TRY(const std::vector<PackId> moved, move_chunks(store, {id}, needed, written));
  if (moved.empty() && needed.contains(id)) return false;
  TRY(const StoreLock alone, StoreLock::take(store.layout.root, true));
  TRY(const bool busy, anyone_at_work(store.layout));
  if (busy) return false;
  TRY_DO(store.disk.unlink(store.layout.pack(id)));
  TRY_DO(store.disk.sync_folder(store.layout.pack_root()));
  return true;
}

/// Packs in which a chunk of the blob is damaged.
std::set<PackId> damaged_packs(const Layout& layout, const Digest& sha256) {
  std::set<PackId> damaged;
  auto reader = ChunkReader::open(layout, sha256);
  if (!reader) return damaged;
  for (std::size_t i = 0; i < reader->recipe().chunks.size(); ++i) {
    const bool good = reader->chunk(i).has_value();
    if (!good) damaged.insert(reader->recipe().packs[reader->recipe().chunks[i].pack]);
  }
  return damaged;
}

Result<bool> repair_content(StoreParts& store, const Digest& sha256, const BlobStore* from) {
  const Layout& layout = store.layout;
  const bool whole = read_whole(layout, sha256, kNobody).has_value();
  const bool chunks = read_chunks(layout, sha256, kNobody).has_value();
  if (chunks) {
    TRY_DO(drop_damaged_whole(store, sha256));
    return true;
  }
  std::error_code failure;
  const bool chunked = fs::exists(layout.recipe(sha256), failure);
  if (whole && !chunked) return true;
  ReadAll source;
  std::uint64_t size = 0;
  if (whole) {
    TRY(const OpenFile file, open_file(layout.whole(sha256)));
    size = file.size;
    source = [&](const BlobSink& sink) { return read_whole(layout, sha256, sink); };
  } else if (from != nullptr) {
    auto there = from->size(sha256);
    if (!there) return false;
    size = *there;
    source = [&](const BlobSink& sink) { return from->read(sha256, sink); };
  } else {
    return false;
  }
  const std::set<PackId> damaged = damaged_packs(layout, sha256);
  TRY(const bool rewritten, rewrite(store, sha256, size, source));
  if (!rewritten) return false;
  // The damaged chunk is needed by nobody now, unless another blob shares it: then that blob's repair takes it away.
  for (const PackId& pack : damaged) {
    if (fs::exists(layout.pack(pack), failure)) TRY_DO(replace_pack(store, pack));
  }
  TRY_DO(drop_damaged_whole(store, sha256));
  // A small blob never has chunks: a list of them is someone else's.
  if (size <= kWholeBytes && chunked) TRY_DO(store.disk.unlink(layout.recipe(sha256)));
  return true;
}

}  // namespace

Result<bool> repair_blob(StoreParts& store, const BlobProblem& problem, const BlobStore* from) {
  const fs::path path = (store.layout.root / problem.path).lexically_normal();
  switch (problem.kind) {
    case BlobProblem::Kind::kForeign: return false;
    case BlobProblem::Kind::kMode: {
      const Descriptor file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      return file && chmod(path.c_str(), 0444) == 0;
    }
    case BlobProblem::Kind::kChanged:
    case BlobProblem::Kind::kTruncated:
    case BlobProblem::Kind::kMissingPack: break;
  }
  if (problem.blob) return repair_content(store, *problem.blob, from);
  TRY(const std::vector<PackId> packs, list_packs(store.layout));
  for (const PackId& pack : packs) {
    if (hex(pack) == path.filename().string()) return replace_pack(store, pack);
  }
  return false;
}

}  // namespace backstay::blobs
