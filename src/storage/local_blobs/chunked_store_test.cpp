#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/random.hpp"
#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/chunker.hpp"
#include "storage/local_blobs/store_fixture.hpp"

// What chunks are for: what is stored already is not stored again.
namespace backstay::blobs {
namespace {

std::vector<std::size_t> lengths_of(const Bytes& bytes, std::size_t piece) {
  std::vector<std::size_t> lengths;
  Chunker chunker;
  std::size_t begin = 0;
  for (std::size_t seen = 0; seen < bytes.size();) {
    seen = std::min(bytes.size(), seen + piece);
    while (const std::size_t length = chunker.find_end(std::span(bytes).subspan(begin, seen - begin))) {
      lengths.push_back(length);
      begin += length;
    }
  }
  if (begin < bytes.size()) lengths.push_back(bytes.size() - begin);
  return lengths;
}

TEST(Chunker, CutsTheSameWhereverThePiecesEnd) {
  const Bytes bytes = noise(5'000'000, 1);
  const std::vector<std::size_t> expected = lengths_of(bytes, bytes.size());
  for (const std::size_t piece : {1U << 20, 10'007U, 4096U, 500U}) EXPECT_EQ(lengths_of(bytes, piece), expected);
}

TEST(Chunker, KeepsItsLimitsAndComesNearItsAverage) {
  const std::vector<std::size_t> lengths = lengths_of(noise(40'000'000, 2), 1 << 20);
  for (std::size_t i = 0; i + 1 < lengths.size(); ++i) {
    EXPECT_GT(lengths[i], kMinChunk);
    EXPECT_LE(lengths[i], kMaxChunk);
  }
  const std::size_t average = 40'000'000 / lengths.size();
  EXPECT_GT(average, kNormalChunk);
  EXPECT_LT(average, 90'000U);
}

// The hash and the limits are part of the format: other ends would find none of the stored chunks again.
TEST(Chunker, CutsWhereItAlwaysDid) {
  const std::vector<std::size_t> lengths = lengths_of(noise(1'000'000, 3), 1 << 20);
  EXPECT_EQ(std::vector(lengths.begin(), lengths.begin() + 4), (std::vector<std::size_t>{104638, 84349, 92678, 69307}));
}

class ChunkedStore : public StoreFixture {
 protected:
  /// What one more blob adds to the store.
  double added_share(const Bytes& bytes) {
    const std::uint64_t before = store->usage().value().stored_bytes;
    put(bytes);
    return static_cast<double>(store->usage().value().stored_bytes - before) / static_cast<double>(bytes.size());
  }
  static constexpr std::size_t kSize = 64 * 1024 * 1024;
  Bytes base = noise(kSize, 4);
};

TEST_F(ChunkedStore, AFineTuneThatChangesOneHundredthInPlaceAddsAboutThat) {
  EXPECT_NEAR(added_share(base), 1.0, 0.01);
  Bytes tuned = base;
  const Bytes fresh = noise(kSize / 100, 5);
  std::copy(fresh.begin(), fresh.end(), tuned.begin() + kSize / 3);
  const double share = added_share(tuned);
  EXPECT_GT(share, 0.009);
  EXPECT_LT(share, 0.02);
  EXPECT_EQ(get(digest_of(tuned)), tuned);
}

TEST_F(ChunkedStore, InsertedAndDeletedBytesMoveNothingElse) {
  put(base);
  Bytes longer = base;
  const Bytes fresh = noise(1'001, 6);
  longer.insert(longer.begin() + 1'234'567, fresh.begin(), fresh.end());
  EXPECT_LT(added_share(longer), 0.01);
  Bytes shorter = base;
  shorter.erase(shorter.begin() + 30'000'001, shorter.begin() + 30'700'000);
  EXPECT_LT(added_share(shorter), 0.01);
  EXPECT_EQ(get(digest_of(longer)), longer);
  EXPECT_EQ(get(digest_of(shorter)), shorter);
}

TEST_F(ChunkedStore, TheSameBlobAgainAddsNothing) {
  put(base);
  EXPECT_EQ(added_share(base), 0.0);
}

TEST_F(ChunkedStore, ABlobThatIsOneByteOverAndOverTakesAlmostNothing) {
  EXPECT_LT(added_share(Bytes(kSize, std::byte{0})), 0.002);
}

TEST_F(ChunkedStore, WhatShrinksIsCompressedAndNoiseIsNot) {
  const Bytes words = text(kSize / 4, 7);
  EXPECT_LT(added_share(words), 0.5);
  EXPECT_EQ(get(digest_of(words)), words);
  put(noise(8'000'000, 8));
  bool raw = true;
  const Recipe recipe = load_recipe(layout(), digest_of(noise(8'000'000, 8))).value();
  for (const RecipeChunk& chunk : recipe.chunks) raw = raw && chunk.place.codec == Codec::kRaw;
  EXPECT_TRUE(raw);
}

TEST_F(ChunkedStore, NothingIsWrittenFileByFile) {
  put(base);
  const StoreUsage usage = store->usage().value();
  EXPECT_GT(usage.chunks, 700U);
  EXPECT_EQ(usage.files, 2U);
}

TEST_F(ChunkedStore, ADamagedChunkIsNotSharedButStoredAnew) {
  const Bytes bytes = noise(8'000'000, 9);
  const Digest digest = put(bytes);
  flip(only_pack(), 3'000'000);
  EXPECT_EQ(store->read(digest, nobody).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(put(bytes), digest);
  EXPECT_EQ(get(digest), bytes);
}

TEST_F(ChunkedStore, AStoreFromBeforeThereWereChunksIsReadAsItIs) {
  const Bytes bytes = noise(6'000'000, 10);
  const Digest digest = digest_of(bytes);
  const fs::path place = layout().whole(digest);
  fs::create_directories(place.parent_path());
  write_file(place, bytes);
  chmod(place.c_str(), 0444);
  for (const char* folder : {"recipes", "packs"}) fs::remove_all(folder_ / "blobs" / folder);
  store = LocalBlobStore::open(folder_ / "blobs").value();
  EXPECT_EQ(get(digest), bytes);
  EXPECT_TRUE(store->contains(digest).value());
  const auto first = store->check_out(digest, folder_ / "a").value();
  EXPECT_TRUE(first.hashed);
  EXPECT_FALSE(store->check_out(digest, folder_ / "b").value().hashed);
  EXPECT_TRUE(problems().empty());
}

TEST_F(ChunkedStore, ALinkedCheckoutThatWasWrittenToIsNoticedAndReplacedFromTheChunks) {
  const Bytes bytes = noise(6'000'000, 11);
  const Digest digest = put(bytes);
  const auto first = store->check_out(digest, folder_ / "a").value();
  flip(folder_ / "a", 17);
  const auto second = store->check_out(digest, folder_ / "b");
  ASSERT_TRUE(second) << second.error().message;
  // Where the file system shares blocks instead, what was written to is the checkout's own, and the store's is as it
  // was.
  EXPECT_EQ(second->hashed, first.way == CheckedOutBlob::Way::kHardLink);
  EXPECT_EQ(read_file(folder_ / "b"), bytes);
}

TEST_F(ChunkedStore, AlwaysHashFindsWhatTheSealHides) {
  const Bytes bytes = noise(10'000, 12);
  const Digest digest = put(bytes);
  const fs::path place = layout().whole(digest);
  struct stat facts {};
  ASSERT_EQ(stat(place.c_str(), &facts), 0);
  flip(place, 5);
  const timespec times[] = {facts.st_mtim, facts.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, place.c_str(), times, 0), 0);
  EXPECT_EQ(store->check_out(digest, folder_ / "a", {true, {}}).error().code, ErrorCode::kIntegrity);
  EXPECT_FALSE(fs::exists(folder_ / "a"));
}

class QuotaTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    store = LocalBlobStore::open(folder_ / "blobs", {10'000'000, nullptr}).value();
  }
  std::size_t temporary_files() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_ / "blobs/tmp"), {}));
  }
};

TEST_F(QuotaTest, RefusesWhatCannotFitBeforeAByteIsCopied) {
  const auto refused = store->begin(10'000'001);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().hint.find("gc"), std::string::npos);
  EXPECT_EQ(temporary_files(), 0U);
}

TEST_F(QuotaTest, StopsAtTheByteThatDoesNotFitAndForgetsTheRest) {
  const Digest first = put(noise(6'000'000, 1));
  {
    auto writer = store->begin().value();
    auto stored = writer->write(noise(6'000'000, 2));
    if (stored && !writer->commit()) stored = Unexpected(ErrorCode::kResourceExhausted, "", "");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(temporary_files(), 0U);
  EXPECT_EQ(put(noise(3'000'000, 3)), digest_of(noise(3'000'000, 3)));
  EXPECT_EQ(put(noise(6'000'000, 1)), first) << "what is there already takes no space";
}

/// Holds up what is written, as a slow disk does.
class SlowDisk : public Disk {
 public:
  std::atomic<bool> held{false};

 protected:
  Result<void> before(const char* step, const fs::path&) override {
    if (std::string_view(step) == "write") held.wait(true);
    return {};
  }
};

TEST_F(QuotaTest, CountsWhatHasNotReachedTheDiskYet) {
  SlowDisk disk;
  store = LocalBlobStore::open(folder_ / "blobs", {10'000'000, &disk}).value();
  put(noise(8'000'000, 1));
  disk.held = true;
  {
    auto writer = store->begin(5'000'000).value();
    const Result<void> stored = writer->write(noise(2'900'000, 2));
    EXPECT_FALSE(stored);
    disk.held = false;
    disk.held.notify_all();
  }
  EXPECT_EQ(temporary_files(), 0U);
}

}  // namespace
}  // namespace backstay::blobs
