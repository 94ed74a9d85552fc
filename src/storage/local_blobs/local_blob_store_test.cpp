#include "storage/local_blobs/local_blob_store.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "base/temporary_folder.hpp"

namespace backstay {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class LocalBlobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { store = LocalBlobStore::open(folder / "blobs").value(); }
  Digest put(const std::string& text) {
    auto writer = store->begin().value();
    EXPECT_TRUE(writer->write(bytes(text)));
    return writer->commit().value().sha256;
  }
  std::size_t leftovers() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder / "blobs/tmp"), {}));
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  std::unique_ptr<LocalBlobStore> store;
};

TEST_F(LocalBlobStoreTest, GivesBackWhatWasStoredUnderItsDigest) {
  const Digest digest = put("hello");
  EXPECT_EQ(digest, sha256("hello"));
  EXPECT_EQ(put("hello"), digest);
  EXPECT_TRUE(store->contains(digest).value());
  EXPECT_FALSE(store->contains(sha256("other")).value());
  ASSERT_TRUE(store->check_out(digest, folder / "out"));
  std::ifstream in(folder / "out");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "hello");
  EXPECT_FALSE(store->check_out(digest, folder / "out"));
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(LocalBlobStoreTest, AWriterThatIsDroppedLeavesNothing) {
  { ASSERT_TRUE(store->begin().value()->write(bytes("half"))); }
  EXPECT_EQ(leftovers(), 0U);
  EXPECT_FALSE(store->contains(sha256("half")).value());
}

TEST_F(LocalBlobStoreTest, WhatAKilledWriterLeftGoesAndWhatIsBeingWrittenStays) {
  std::ofstream(folder / "blobs/tmp/left") << "half";
  auto writer = store->begin().value();
  ASSERT_TRUE(writer->write(bytes("whole")));
  EXPECT_EQ(leftovers(), 2U);
  ASSERT_TRUE(LocalBlobStore::open(folder / "blobs"));
  EXPECT_EQ(leftovers(), 1U);
  EXPECT_EQ(writer->commit().value().sha256, sha256("whole"));
}

TEST_F(LocalBlobStoreTest, FindsAChangedByteAndATruncatedFileAndChecksNothingOut) {
  for (const char* damaged : {"hellO", "hell", ""}) {
    const Digest digest = put("hello");
    fs::remove(store->path_of(digest));
    std::ofstream(store->path_of(digest)) << damaged;
    const auto result = store->check_out(digest, folder / "out");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kIntegrity);
    EXPECT_FALSE(fs::exists(folder / "out"));
    fs::remove(store->path_of(digest));
  }
}

TEST_F(LocalBlobStoreTest, StoringTheSameContentAgainRepairsWhatWasDamaged) {
  const Digest digest = put("hello");
  fs::remove(store->path_of(digest));
  std::ofstream(store->path_of(digest)) << "hellO";
  EXPECT_EQ(put("hello"), digest);
  EXPECT_TRUE(store->check_out(digest, folder / "out"));
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(LocalBlobStoreTest, DoesNotFollowASymlinkInPlaceOfABlob) {
  const Digest digest = sha256("secret");
  std::ofstream(folder / "secret") << "secret";
  fs::create_directories(store->path_of(digest).parent_path());
  fs::create_symlink(folder / "secret", store->path_of(digest));
  EXPECT_FALSE(store->contains(digest).value());
  EXPECT_FALSE(store->check_out(digest, folder / "out"));
}

TEST_F(LocalBlobStoreTest, RefusedBytesLeaveNothingHalfDone) {
  // A limit on file size stands in for a full disk: write() fails in the middle.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1'000;
  setrlimit(RLIMIT_FSIZE, &small);
  const auto written = store->begin().value()->write(bytes(std::string(5'000, 'x')));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(written);
  EXPECT_EQ(leftovers(), 0U);
  EXPECT_EQ(put("still works"), sha256("still works"));
}

}  // namespace
}  // namespace backstay
