#include "storage/local_blobs/collect_blobs.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/store_fixture.hpp"

// A collection takes what nobody refers to and nothing else, whoever is at work meanwhile and wherever it is killed.
namespace backstay::blobs {
namespace {

constexpr milliseconds kOver{-60'000};  // A lease that is over for everything there is.

class CollectBlobs : public StoreFixture {
 protected:
  Result<Collected> collect(const std::vector<Digest>& roots, milliseconds lease = kOver, bool dry_run = false) {
    return store->collect([&] { return Result<std::vector<Digest>>(roots); }, {lease, dry_run}, {});
  }
  /// Half of `bytes` is of its own.
  static Bytes half_of(const Bytes& bytes, std::uint64_t seed) {
    Bytes half = bytes;
    const Bytes fresh = noise(bytes.size() / 2, seed);
    std::copy(fresh.begin(), fresh.end(), half.begin());
    return half;
  }
  std::size_t pack_count() { return list_packs(layout()).value().size(); }
};

TEST_F(CollectBlobs, TakesWhatIsNotReferredToAndKeepsTheRest) {
  const Bytes kept_small = noise(1'000, 1), gone_small = noise(1'000, 2);
  const Bytes kept_large = noise(5'000'000, 3), gone_large = noise(5'000'000, 4);
  for (const Bytes* bytes : {&kept_small, &gone_small, &kept_large, &gone_large}) put(*bytes);
  const Collected dry = collect({digest_of(kept_small), digest_of(kept_large)}, kOver, true).value();
  EXPECT_TRUE(store->contains(digest_of(gone_large)).value());
  const Collected done = collect({digest_of(kept_small), digest_of(kept_large)}).value();
  EXPECT_EQ(done.blobs, 2U);
  EXPECT_EQ(done.packs, 1U);
  EXPECT_GT(done.freed_bytes, 5'000'000U);
  EXPECT_EQ(dry.blobs, done.blobs);
  EXPECT_EQ(dry.packs, done.packs);
  EXPECT_EQ(dry.freed_bytes, done.freed_bytes);
  EXPECT_EQ(get(digest_of(kept_small)), kept_small);
  EXPECT_EQ(get(digest_of(kept_large)), kept_large);
  EXPECT_FALSE(store->contains(digest_of(gone_small)).value());
  EXPECT_FALSE(store->contains(digest_of(gone_large)).value());
  EXPECT_TRUE(problems().empty());
}

TEST_F(CollectBlobs, NeverTakesWhatIsYoungerThanItsLease) {
  const Digest digest = put(noise(5'000'000, 1));
  put(noise(10, 2));
  const Collected done = collect({}, milliseconds{24 * 3600 * 1000}).value();
  EXPECT_EQ(done.blobs, 0U);
  EXPECT_EQ(done.kept_young, 2U);
  EXPECT_TRUE(store->contains(digest).value());
  EXPECT_EQ(pack_count(), 1U);
}

TEST_F(CollectBlobs, RewritesAPackOfWhichMuchIsNotNeededAndKeepsWhatIs) {
  const Bytes base = noise(12'000'000, 1);
  const Bytes tuned = half_of(base, 2);
  put(base);
  put(tuned);
  const std::uint64_t before = store->usage().value().stored_bytes;
  const Collected done = collect({digest_of(tuned)}).value();
  EXPECT_EQ(done.blobs, 1U);
  EXPECT_EQ(done.packs, 1U);
  const std::uint64_t after = store->usage().value().stored_bytes;
  EXPECT_NEAR(static_cast<double>(before - after), 6'000'000, 400'000);
  EXPECT_NEAR(static_cast<double>(done.freed_bytes), static_cast<double>(before - after), 10'000);
  EXPECT_EQ(get(digest_of(tuned)), tuned);
  EXPECT_TRUE(problems().empty());
}

TEST_F(CollectBlobs, AReaderGoesOnWhileItsPackIsRewritten) {
  const Bytes base = noise(12'000'000, 1);
  const Bytes tuned = half_of(base, 2);
  put(base);
  put(tuned);
  Bytes got;
  const auto read = store->read(digest_of(tuned), [&](std::span<const std::byte> piece) -> Result<void> {
    if (got.empty()) {
      EXPECT_TRUE(collect({digest_of(tuned)}));
    }
    got.insert(got.end(), piece.begin(), piece.end());
    return {};
  });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(got, tuned);
}

TEST_F(CollectBlobs, TakesAWholeCopyWhenNoCheckoutSharesIt) {
  const Bytes bytes = noise(5'000'000, 1);
  const Digest digest = put(bytes);
  const auto done = store->check_out(digest, folder_ / "out").value();
  if (done.way == CheckedOutBlob::Way::kHardLink) {
    EXPECT_EQ(collect({digest}).value().copies, 0U);
    EXPECT_TRUE(fs::exists(layout().whole(digest)));
  }
  fs::remove(folder_ / "out");
  EXPECT_EQ(collect({digest}).value().copies, 1U);
  EXPECT_FALSE(fs::exists(layout().whole(digest)));
  EXPECT_EQ(get(digest), bytes);
}

TEST_F(CollectBlobs, TheLastGoodCopyStaysWhenTheChunksAreDamaged) {
  const Bytes bytes = noise(5'000'000, 1);
  const Digest digest = put(bytes);
  ASSERT_TRUE(store->check_out(digest, folder_ / "out"));
  fs::remove(folder_ / "out");
  flip(only_pack(), 1'000'000);
  EXPECT_EQ(collect({digest}).value().copies, 0U);
  EXPECT_EQ(get(digest), bytes);
}

TEST_F(CollectBlobs, TakesNothingOfPacksWhenAListOfChunksCantBeRead) {
  const Digest digest = put(noise(5'000'000, 1));
  put(noise(5'000'000, 2));
  flip(layout().recipe(digest), 60);
  EXPECT_EQ(collect({digest}).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(pack_count(), 2U);
}

TEST_F(CollectBlobs, WhatAHoldSawStaysHoweverShortTheLease) {
  const Digest old = put(noise(5'000'000, 1));
  auto hold = store->hold().value();
  const Digest stored = put(noise(1'000, 2));
  ASSERT_TRUE(store->contains(old).value());  // Found again: its lease begins anew.
  EXPECT_EQ(collect({}).value().blobs, 0U);
  hold.reset();
  EXPECT_EQ(collect({}).value().blobs, 2U);
  EXPECT_FALSE(store->contains(stored).value());
}

TEST_F(CollectBlobs, AWriterKeepsThePacksItSharesUntilItIsDone) {
  const Bytes base = noise(8'000'000, 1);
  put(base);
  wait_for_next_tick();
  auto writer = store->begin(base.size()).value();
  ASSERT_TRUE(writer->write(std::span(base).first(6'000'000)));
  ASSERT_TRUE(collect({}));  // The only blob that named the pack goes.
  EXPECT_FALSE(store->contains(digest_of(base)).value());
  ASSERT_TRUE(writer->write(std::span(base).subspan(6'000'000)));
  const auto done = writer->commit();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(get(done->sha256), base);
}

TEST_F(CollectBlobs, AsksForTheRootsAfterItsMomentIsFixed) {
  // A blob that is stored and referred to between the two is kept: by its age where the roots were asked before.
  Digest digest;
  const auto done = store->collect(
      [&]() -> Result<std::vector<Digest>> {
        digest = put(noise(5'000'000, 1));
        return std::vector<Digest>();
      },
      {milliseconds{0}, false}, {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->blobs, 0U);
  EXPECT_TRUE(store->contains(digest).value());
}

TEST_F(CollectBlobs, OnlyOneRunsAtATime) {
  const auto done = store->collect(
      [&]() -> Result<std::vector<Digest>> {
        EXPECT_EQ(collect({}).error().code, ErrorCode::kConflict);
        return std::vector<Digest>();
      },
      {}, {});
  EXPECT_TRUE(done);
}

TEST_F(CollectBlobs, FailsWithItsRootsAndTakesNothing) {
  const Digest digest = put(noise(100, 1));
  const auto done = store->collect(
      [&]() -> Result<std::vector<Digest>> {
        return Unexpected(ErrorCode::kIntegrity, "The ledger can't be read.", "");
      },
      {kOver, false}, {});
  EXPECT_EQ(done.error().code, ErrorCode::kIntegrity);
  EXPECT_TRUE(store->contains(digest).value());
}

TEST_F(CollectBlobs, WritersAndCollectionsAtOnceLoseNothing) {
  const Bytes base = noise(5'000'000, 1);
  std::atomic<bool> stop{false};
  std::thread collector([&] {
    auto mine = LocalBlobStore::open(folder_ / "blobs").value();
    while (!stop) {
      const auto done = mine->collect([] { return Result<std::vector<Digest>>(std::vector<Digest>()); },
                                      {milliseconds{0}, false}, {});
      EXPECT_TRUE(done) << done.error().message;
    }
  });
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto hold = store->hold().value();
    Bytes tuned = base;
    tuned[i * 200'000] ^= std::byte{1};
    const Digest digest = put(tuned);
    EXPECT_EQ(get(digest), tuned) << i;
  }
  stop = true;
  collector.join();
}

/// Ends the process before the step of a number.
class DyingDisk : public Disk {
 public:
  explicit DyingDisk(int step) : step_(step) {}

 protected:
  Result<void> before(const char*, const fs::path&) override {
    if (step_-- == 0) _exit(9);
    return {};
  }

 private:
  std::atomic<int> step_;  ///< Packs are written by a thread of their own.
};

/// Refuses the step of a number as a full disk would, and goes on.
class FailingDisk : public Disk {
 public:
  explicit FailingDisk(int step) : step_(step) {}

 protected:
  Result<void> before(const char* what, const fs::path&) override {
    if (step_-- == 0) return Unexpected(ErrorCode::kResourceExhausted, std::string(what) + " was refused.", "");
    return {};
  }

 private:
  std::atomic<int> step_;  ///< Packs are written by a thread of their own.
};

class CollectionInterrupted : public CollectBlobs {
 protected:
  void SetUp() override {
    CollectBlobs::SetUp();
    put(base);
    put(tuned);
    put(gone_small);
    put(kept_small);
    put(gone);
    EXPECT_TRUE(store->check_out(digest_of(tuned), folder_ / "out"));
    fs::remove(folder_ / "out");
    fs::copy(folder_ / "blobs", folder_ / "before", fs::copy_options::recursive);
  }
  void start_again() {
    store.reset();
    fs::remove_all(folder_ / "blobs");
    fs::copy(folder_ / "before", folder_ / "blobs", fs::copy_options::recursive);
  }
  Result<Collected> collect_with(Disk& disk) {
    TRY(const auto mine, LocalBlobStore::open(folder_ / "blobs", {0, &disk}));
    return mine->collect([&] { return Result<std::vector<Digest>>(roots); }, {kOver, false}, {});
  }
  void expect_whole(int step) {
    store = LocalBlobStore::open(folder_ / "blobs").value();
    EXPECT_EQ(get(digest_of(tuned)), tuned) << "after step " << step;
    EXPECT_EQ(get(digest_of(kept_small)), kept_small) << "after step " << step;
    for (const BlobProblem& problem : problems())
      ADD_FAILURE() << "after step " << step << ": " << problem.path << " " << problem.where;
    // What is there says what it is; and storing and collecting go on.
    for (const Bytes* bytes : {&base, &gone, &gone_small}) {
      if (!store->contains(digest_of(*bytes)).value()) continue;
      EXPECT_EQ(get(digest_of(*bytes)), *bytes);
    }
    put(base);
    EXPECT_EQ(get(digest_of(base)), base);
    ASSERT_TRUE(collect(roots));
    EXPECT_FALSE(store->contains(digest_of(gone)).value());
    EXPECT_EQ(get(digest_of(tuned)), tuned);
    EXPECT_EQ(get(digest_of(kept_small)), kept_small);
  }

  const Bytes base = noise(5'000'000, 1);
  const Bytes tuned = half_of(base, 2);
  const Bytes gone = noise(4'500'000, 3);
  const Bytes gone_small = noise(2'000, 4);
  const Bytes kept_small = noise(2'000, 5);
  const std::vector<Digest> roots{digest_of(tuned), digest_of(kept_small)};
};

TEST_F(CollectionInterrupted, KilledBeforeAnyStepItLeavesAWholeStore) {
  int steps = 0;
  for (bool finished = false; !finished; ++steps) {
    ASSERT_LT(steps, 1'000);
    start_again();
    const pid_t child = fork();
    if (child == 0) {
      DyingDisk disk(steps);
      _exit(collect_with(disk) ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    finished = WEXITSTATUS(status) == 0;
    ASSERT_TRUE(finished || WEXITSTATUS(status) == 9);
    expect_whole(steps);
  }
  EXPECT_GT(steps, 20) << "a collection has that many steps";
}

TEST_F(CollectionInterrupted, RefusedAnyStepItLeavesAWholeStore) {
  for (int step = 0;; ++step) {
    ASSERT_LT(step, 1'000);
    start_again();
    FailingDisk disk(step);
    const bool finished = collect_with(disk).has_value();
    expect_whole(step);
    if (finished) break;
  }
}

TEST_F(CollectionInterrupted, AWriterThatIsKilledBeforeAnyStepLeavesAWholeStoreAndNoRubbish) {
  const Bytes fresh = half_of(base, 77);
  int steps = 0;
  for (bool finished = false; !finished; ++steps) {
    ASSERT_LT(steps, 1'000);
    start_again();
    const pid_t child = fork();
    if (child == 0) {
      DyingDisk disk(steps);
      auto mine = LocalBlobStore::open(folder_ / "blobs", {0, &disk});
      if (!mine) _exit(1);
      auto writer = (*mine)->begin(fresh.size());
      const bool stored = writer && (*writer)->write(fresh) && (*writer)->commit();
      _exit(stored ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    finished = WEXITSTATUS(status) == 0;
    store = LocalBlobStore::open(folder_ / "blobs").value();
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "blobs/tmp"), {}), 0);
    EXPECT_TRUE(problems().empty());
    const bool stored = store->contains(digest_of(fresh)).value();
    EXPECT_TRUE(!finished || stored);
    if (stored) {
      EXPECT_EQ(get(digest_of(fresh)), fresh);
    }
  }
  EXPECT_GT(steps, 15);
}

}  // namespace
}  // namespace backstay::blobs
