#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/store_fixture.hpp"

// Whatever is changed in the store is found, named, and put right from another store.
namespace backstay::blobs {
namespace {

using Kind = BlobProblem::Kind;

class CheckBlobs : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    other = LocalBlobStore::open(folder_ / "other").value();
    for (const Bytes* bytes : {&small, &large, &words}) {
      put(*bytes);
      put(*other, *bytes);
    }
    ASSERT_TRUE(problems().empty());
  }

  /// Repairs what is found and looks again.
  void expect_repaired(const BlobStore* from) {
    for (const BlobProblem& problem : problems()) {
      const auto repaired = store->repair(problem, from);
      ASSERT_TRUE(repaired) << repaired.error().message;
      EXPECT_TRUE(*repaired) << to_string(problem.kind) << " " << problem.path << ": " << problem.where;
    }
    EXPECT_TRUE(problems().empty());
    for (const Bytes* bytes : {&small, &large, &words}) EXPECT_EQ(get(digest_of(*bytes)), *bytes);
  }
  BlobProblem only_problem(const BlobStore* with = nullptr) {
    const auto found = problems(with);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? BlobProblem() : found[0];
  }
  fs::path pack_of(const Bytes& bytes) {
    return layout().pack(load_recipe(layout(), digest_of(bytes)).value().packs.at(0));
  }

  const Bytes small = noise(100'000, 1);
  const Bytes large = noise(6'000'000, 2);
  const Bytes words = text(6'000'000, 3);
  std::unique_ptr<LocalBlobStore> other;
};

TEST_F(CheckBlobs, AChangedByteOfASmallBlob) {
  flip(layout().whole(digest_of(small)), 4'711);
  BlobProblem problem = only_problem();
  EXPECT_EQ(problem.kind, Kind::kChanged);
  EXPECT_EQ(problem.blob, digest_of(small));
  problem = only_problem(other.get());
  EXPECT_EQ(problem.where, "bytes 4711 to 4711 (1 differ)");
  EXPECT_FALSE(store->repair(problem, nullptr).value());
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, ATruncatedAndALongerFile) {
  const fs::path place = layout().whole(digest_of(small));
  fs::permissions(place, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(place, 99'999);
  chmod(place.c_str(), 0444);
  BlobProblem problem = only_problem(other.get());
  EXPECT_EQ(problem.kind, Kind::kTruncated);
  EXPECT_EQ(problem.where, "It has 99999 bytes of 100000.");
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, EveryChangedByteOfALargeBlobNamesItsChunk) {
  const Recipe recipe = load_recipe(layout(), digest_of(large)).value();
  ASSERT_GT(recipe.chunks.size(), 10U);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    const Place& place = recipe.chunks[i].place;
    if (i % 3 == 0) {
      flip(pack_of(large), place.offset + (i * 7919) % place.stored);
      const BlobProblem problem = only_problem();
      EXPECT_EQ(problem.kind, Kind::kChanged);
      EXPECT_EQ(problem.blob, digest_of(large));
      EXPECT_NE(problem.where.find("bytes " + std::to_string(begin) + " to "), std::string::npos) << problem.where;
      EXPECT_NE(problem.where.find("chunk " + std::to_string(i + 1) + " of "), std::string::npos) << problem.where;
      flip(pack_of(large), place.offset + (i * 7919) % place.stored);  // And back.
    }
    begin += place.length;
  }
  flip(pack_of(large), recipe.chunks[5].place.offset);
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, AChangedByteOfACompressedChunk) {
  flip(pack_of(words), 5'000);
  EXPECT_EQ(only_problem().blob, digest_of(words));
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, AChunkWhoseChecksumWasMadeToFitIsFoundByTheDigest) {
  // Someone who may write to the store changes a chunk, its tag in the index and in the list, and signs the list anew.
  Recipe recipe = load_recipe(layout(), digest_of(large)).value();
  Place& place = recipe.chunks[4].place;
  const fs::path pack = pack_of(large);
  flip(pack, place.offset);
  Bytes all = read_file(pack);
  place.tag = tag_of(std::span(all).subspan(place.offset, place.stored));
  fs::permissions(layout().recipe(digest_of(large)), fs::perms::owner_write, fs::perm_options::add);
  write_file(layout().recipe(digest_of(large)), encode(recipe));
  chmod(layout().recipe(digest_of(large)).c_str(), 0444);
  std::vector<BlobProblem> found = problems();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].where.find("chunk 5 of"), std::string::npos) << found[0].where;
  EXPECT_NE(found[0].where.find("made to fit"), std::string::npos) << found[0].where;
  EXPECT_EQ(store->read(digest_of(large), nobody).error().code, ErrorCode::kIntegrity);
  ASSERT_TRUE(store->repair(found[0], other.get()).value());
  EXPECT_EQ(get(digest_of(large)), large);
}

TEST_F(CheckBlobs, AMissingPackAndAPackCutShort) {
  const fs::path pack = pack_of(large);
  const Bytes before = read_file(pack);
  fs::permissions(pack, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(pack, before.size() / 2);
  chmod(pack.c_str(), 0444);
  bool truncated = false;
  for (const BlobProblem& problem : problems()) truncated = truncated || problem.kind == Kind::kTruncated;
  EXPECT_TRUE(truncated);
  fs::remove(pack);
  EXPECT_EQ(only_problem().kind, Kind::kMissingPack);
  EXPECT_EQ(only_problem().where.find("bytes 0 to 5999999"), 0U) << only_problem().where;
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, ADamagedListOfChunks) {
  flip(layout().recipe(digest_of(large)), 100);
  EXPECT_EQ(only_problem().blob, digest_of(large));
  expect_repaired(other.get());
}

TEST_F(CheckBlobs, EveryByteOfAPackCounts) {
  const fs::path pack = pack_of(words);
  const std::uint64_t size = fs::file_size(pack);
  Random random(1);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{15}, size - 1, size - 50, size - 500}) {
    flip(pack, offset);
    EXPECT_FALSE(problems().empty()) << "byte " << offset << " of " << size;
    flip(pack, offset);
  }
  flip(pack, size - 500);
  expect_repaired(nullptr);
}

TEST_F(CheckBlobs, AModeThatLetsWriteIsNamedAndTakenBackWithoutAnotherStore) {
  chmod(layout().whole(digest_of(small)).c_str(), 0644);
  chmod(pack_of(large).c_str(), 0600);
  const auto found = problems();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].kind, Kind::kMode);
  EXPECT_NE(found[0].where.find("0644"), std::string::npos);
  expect_repaired(nullptr);
}

TEST_F(CheckBlobs, ForeignFilesAreNamedAndLeftAlone) {
  std::ofstream(folder_ / "blobs/notes.txt") << "mine";
  std::ofstream(folder_ / "blobs/packs/zz") << "mine";
  fs::create_symlink("/etc/passwd", layout().whole(digest_of(small)).parent_path() / digest_of(large).hex());
  const auto found = problems();
  ASSERT_EQ(found.size(), 3U);
  for (const BlobProblem& problem : found) {
    EXPECT_EQ(problem.kind, Kind::kForeign);
    EXPECT_FALSE(store->repair(problem, other.get()).value());
  }
}

TEST_F(CheckBlobs, ADamagedCopyOfAChunkedBlobIsPutRightFromItsChunks) {
  ASSERT_TRUE(store->check_out(digest_of(large), folder_ / "out"));
  const fs::path copy = layout().whole(digest_of(large));
  ASSERT_TRUE(fs::exists(copy));
  flip(copy, 12'345);
  EXPECT_EQ(only_problem().where, "bytes 12345 to 12345 (1 differ)");
  expect_repaired(nullptr);
}

TEST_F(CheckBlobs, LostChunksAreMadeAgainFromAWholeCopy) {
  ASSERT_TRUE(store->check_out(digest_of(large), folder_ / "out"));
  fs::remove(pack_of(large));
  EXPECT_EQ(only_problem().kind, Kind::kMissingPack);
  expect_repaired(nullptr);
}

TEST_F(CheckBlobs, AStoreThatIsDamagedItselfRepairsNothing) {
  flip(layout().whole(digest_of(small)), 1);
  auto third = LocalBlobStore::open(folder_ / "third").value();
  put(*third, small);
  flip(third->path_of(digest_of(small)), 2);
  EXPECT_FALSE(store->repair(only_problem(), third.get()).value());
  EXPECT_EQ(problems().size(), 1U);
}

TEST_F(CheckBlobs, TellsHowFarItIs) {
  std::uint64_t last = 0, total = 0;
  ASSERT_TRUE(store->check(
      nullptr,
      [&](const UpkeepProgress& progress) {
        EXPECT_GE(progress.done_bytes, last);
        last = progress.done_bytes;
        total = progress.total_bytes;
      },
      [](const BlobProblem&) {}));
  EXPECT_EQ(last, small.size() + large.size() + words.size());
  EXPECT_EQ(last, total);
}

}  // namespace
}  // namespace backstay::blobs
