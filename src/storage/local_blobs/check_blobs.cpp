#include "storage/local_blobs/check_blobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/inventory.hpp"

namespace backstay::blobs {

namespace {

using Kind = BlobProblem::Kind;

class Check {
 public:
  Check(const Layout& layout, const BlobStore* other, const OnUpkeep& on_progress,
        const std::function<void(const BlobProblem&)>& on_problem)
      : layout_(layout), other_(other), on_progress_(on_progress), on_problem_(on_problem) {}

  Result<void> run() {
    TRY(const Inventory there, take_inventory(layout_));
    for (const Digest& digest : there.whole) total_ += size_of(layout_.whole(digest));
    for (const Digest& digest : there.recipes) {
      if (const auto recipe = load_recipe(layout_, digest)) total_ += recipe->size;
    }
    for (const fs::path& path : there.foreign)
      report(Kind::kForeign, {}, path, "Nothing of this store has such a name or type.");
    for (const Digest& digest : there.whole) TRY_DO(check_whole(digest));
    for (const Digest& digest : there.recipes) TRY_DO(check_recipe(digest));
    for (const PackId& pack : there.packs) TRY_DO(check_pack(pack));
    return {};
  }

 private:
  static std::uint64_t size_of(const fs::path& path) {
    std::error_code gone;
    const std::uint64_t size = fs::file_size(path, gone);
    return gone ? 0 : size;
  }

  void report(Kind kind, std::optional<Digest> blob, const fs::path& path, std::string where) {
    on_problem_({kind, blob, fs::path(path).lexically_relative(layout_.root).string(), std::move(where)});
  }

  void advance(const std::string& name, std::uint64_t bytes) {
    done_ += bytes;
    if (on_progress_) on_progress_({name, done_, std::max(done_, total_)});
  }

  void check_mode(const OpenFile& file, const fs::path& path) {
    if (file.mode != 0444)
      report(Kind::kMode, {}, path, fmt::format("Its mode is {:04o}; what is stored has 0444.", file.mode));
  }

  /// Nothing: it is gone, which a collection at work may do.
  Result<std::optional<OpenFile>> open(const fs::path& path, std::optional<Digest> blob) {
    auto file = open_file(path);
    if (file) {
      check_mode(*file, path);
      return std::optional<OpenFile>(std::move(*file));
    }
    if (file.error().code == ErrorCode::kPermissionDenied)
      report(Kind::kMode, blob, path, "It can't be read: " + file.error().message);
    else if (file.error().code != ErrorCode::kNotFound)
      return Unexpected(std::move(file).error());
    return std::optional<OpenFile>();
  }

  Result<void> check_whole(const Digest& digest) {
    const fs::path path = layout_.whole(digest);
    TRY(const std::optional<OpenFile> file, open(path, digest));
    if (!file) return {};
    auto read = read_open(*file, path, digest, [&](std::span<const std::byte> bytes) -> Result<void> {
      advance(digest.hex(), bytes.size());
      return {};
    });
    if (read) return {};
    if (read.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(read).error());
    report_difference(digest, *file, path);
    return {};
  }

  /// One file has one digest: which of its bytes is wrong only another copy can say, of this store or of `other_`.
  void report_difference(const Digest& digest, const OpenFile& file, const fs::path& path) {
    std::uint64_t first = 0, last = 0, count = 0, at = 0;
    std::vector<std::byte> here;
    const BlobSink compare = [&](std::span<const std::byte> right) -> Result<void> {
      const std::uint64_t left = at < file.size ? std::min<std::uint64_t>(right.size(), file.size - at) : 0;
      here.resize(left);
      TRY_DO(read_at(file.file.get(), at, here, path));
      for (std::size_t i = 0; i < left; ++i) {
        if (here[i] == right[i]) continue;
        if (count++ == 0) first = at + i;
        last = at + i;
      }
      at += right.size();
      return {};
    };
    const bool known = read_chunks(layout_, digest, compare).has_value() ||
                       (at = count = 0, other_ != nullptr && other_->read(digest, compare).has_value());
    if (!known) {
      report(Kind::kChanged, digest, path,
             fmt::format("Somewhere in its {} bytes; --repair-from a store that has it says where.", file.size));
    } else if (at != file.size) {
      report(Kind::kTruncated, digest, path, fmt::format("It has {} bytes of {}.", file.size, at));
    } else {
      report(Kind::kChanged, digest, path, fmt::format("bytes {} to {} ({} differ)", first, last, count));
    }
  }

  /// Damaged chunks that follow one another are one problem.
  struct Run {
    Kind kind = Kind::kChanged;
    std::size_t first = 0, last = 0;
    std::uint64_t begin = 0, end = 0;
    fs::path path;
    std::string more;
  };

  Result<void> check_recipe(const Digest& digest) {
    const fs::path path = layout_.recipe(digest);
    TRY(const std::optional<OpenFile> file, open(path, digest));
    if (!file) return {};
    auto opened = ChunkReader::open(layout_, digest);
    if (!opened) {
      if (opened.error().code == ErrorCode::kNotFound) return {};
      if (opened.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(opened).error());
      report(Kind::kChanged, digest, path,
             fmt::format("Its list of chunks ({} bytes) is not what was written.", file->size));
      return {};
    }
    ChunkReader& reader = *opened;
    Sha256 hash;
    bool whole_so_far = true;
    std::uint64_t begin = 0;
    std::optional<Run> run;
    for (std::size_t i = 0; i < reader.recipe().chunks.size(); ++i) {
      const std::uint64_t length = reader.recipe().chunks[i].place.length;
      auto bytes = reader.chunk(i);
      const RecipeChunk& chunk = reader.recipe().chunks[i];
      const PackId& pack = reader.recipe().packs[chunk.pack];
      used_[pack].insert(chunk.place.offset);
      std::optional<Run> bad;
      if (!bytes) {
        if (bytes.error().code == ErrorCode::kNotFound) return {};  // A collection took the blob meanwhile.
        if (bytes.error().code != ErrorCode::kIntegrity) return Unexpected(std::move(bytes).error());
        bad = Run{kind_of_damage(pack, chunk.place), i, i, begin, begin + length, layout_.pack(pack), ""};
        whole_so_far = false;
      } else if (whole_so_far) {
        hash.update(*bytes);
        if (hash.so_far() != chunk.prefix) {
          bad = Run{Kind::kChanged, i, i, begin, begin + length, layout_.pack(pack), "; its checksum was made to fit"};
          whole_so_far = false;
        }
      }
      if (run && (!bad || bad->kind != run->kind || bad->path != run->path || bad->more != run->more)) {
        report_run(digest, *run, reader.recipe().chunks.size());
        run.reset();
      }
      if (bad && run) {
        run->last = bad->last;
        run->end = bad->end;
      } else if (bad) {
        run = std::move(bad);
      }
      begin += length;
      advance(digest.hex(), length);
    }
    if (run) report_run(digest, *run, reader.recipe().chunks.size());
    return {};
  }

  void report_run(const Digest& digest, const Run& run, std::size_t chunks) {
    const std::string which = run.first == run.last ? fmt::format("chunk {}", run.first + 1)
                                                    : fmt::format("chunks {} to {}", run.first + 1, run.last + 1);
    report(run.kind, digest, run.path,
           fmt::format("bytes {} to {} ({} of {}{})", run.begin, run.end - 1, which, chunks, run.more));
  }

  Kind kind_of_damage(const PackId& id, const Place& place) const {
    const auto pack = open_file(layout_.pack(id));
    if (!pack) return Kind::kMissingPack;
    return pack->size < place.offset + place.stored ? Kind::kTruncated : Kind::kChanged;
  }

  /// Its head and its index, and the chunks that no blob needs.
  Result<void> check_pack(const PackId& id) {
    const fs::path path = layout_.pack(id);
    TRY(const std::optional<OpenFile> file, open(path, {}));
    if (!file) return {};
    std::array<std::byte, kPackHead.size()> head{};
    const auto head_read = read_at(file->file.get(), 0, head, path);
    if (!head_read || !std::ranges::equal(head, std::as_bytes(std::span(kPackHead))))
      report(head_read ? Kind::kChanged : Kind::kTruncated, {}, path, "its first 16 bytes");
    const auto places = read_pack_index(*file, path);
    if (!places) {
      if (places.error().code != ErrorCode::kIntegrity) return Unexpected(places.error());
      report(Kind::kChanged, {}, path, fmt::format("its index, at the end of its {} bytes", file->size));
      return {};
    }
    std::uint64_t expected = kPackHead.size();
    std::vector<std::byte> stored, bytes;
    for (const Place& place : *places) {
      if (place.offset != expected) {
        report(Kind::kChanged, {}, path, fmt::format("bytes {} to {} belong to no chunk", expected, place.offset));
        return {};
      }
      expected += place.stored;
      if (used_[id].contains(place.offset)) continue;
      stored.resize(place.stored);
      if (!read_at(file->file.get(), place.offset, stored, path) || !unpack_chunk(place, stored, bytes))
        report(Kind::kChanged, {}, path,
               fmt::format("bytes {} to {} of the pack (a chunk that no blob needs)", place.offset, expected - 1));
    }
    return {};
  }

  const Layout& layout_;
  const BlobStore* other_;
  const OnUpkeep& on_progress_;
  const std::function<void(const BlobProblem&)>& on_problem_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::map<PackId, std::set<std::uint64_t>> used_;  ///< Offsets of the chunks that were checked.
};

}  // namespace

Result<void> check_blobs(const Layout& layout, const BlobStore* other, const OnUpkeep& on_progress,
                         const std::function<void(const BlobProblem&)>& on_problem) {
  return Check(layout, other, on_progress, on_problem).run();
}

}  // namespace backstay::blobs
