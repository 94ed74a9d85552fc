#include "services/uploads.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.hpp"
#include "storage/memory/memory_blob_store.hpp"

namespace backstay::services {
namespace {

namespace fs = std::filesystem;

class HandClock : public Clock {
 public:
  Timestamp now() const override { return at; }
  Monotonic monotonic() const override { return {}; }
  Timestamp at = system_clock().now();
};

class UploadsTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() { uploads = Uploads::open(blobs, folder / "uploads", seconds(3600), clock).value(); }
  static std::function<bool(const BlobSink&)> sends(const std::string& text, bool whole = true) {
    return [text, whole](const BlobSink& sink) { return sink(std::as_bytes(std::span(text))).has_value() && whole; };
  }
  std::size_t files() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder / "uploads"), {}));
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  MemoryBlobStore blobs;
  HandClock clock;
  std::unique_ptr<Uploads> uploads;
};

TEST_F(UploadsTest, GoesOnWhereItWasInterruptedAlsoAfterARestart) {
  const auto made = uploads->create(11, sha256("hello world")).value();
  EXPECT_EQ(made.offset, 0U);
  EXPECT_EQ(uploads->append(made.id, 0, sends("hello", false))->offset, 5U);
  reopen();
  EXPECT_EQ(uploads->find(made.id)->offset, 5U);
  EXPECT_FALSE(blobs.contains(sha256("hello world")).value());
  EXPECT_EQ(uploads->append(made.id, 5, sends(" world"))->offset, 11U);
  EXPECT_TRUE(blobs.contains(sha256("hello world")).value());
  // Whoever did not hear that it is done, hears it now, and may send the end again.
  EXPECT_EQ(uploads->find(made.id)->offset, 11U);
  EXPECT_TRUE(uploads->append(made.id, 11, sends("")));
}

TEST_F(UploadsTest, AnotherOffsetIsAConflictThatNamesTheRightOne) {
  const auto made = uploads->create(10, sha256("0123456789")).value();
  ASSERT_TRUE(uploads->append(made.id, 0, sends("0123")));
  for (const std::uint64_t wrong : {0U, 3U, 5U, 10U}) {
    const auto refused = uploads->append(made.id, wrong, sends("x"));
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
    EXPECT_NE(refused.error().message.find("offset 4"), std::string::npos);
  }
  EXPECT_EQ(uploads->find(made.id)->offset, 4U);
}

TEST_F(UploadsTest, OneRequestAtATimeWrites) {
  const auto made = uploads->create(10, sha256("0123456789")).value();
  const auto outer = uploads->append(made.id, 0, [&](const BlobSink& sink) {
    EXPECT_EQ(uploads->append(made.id, 0, sends("zzz")).error().code, ErrorCode::kConflict);
    return sends("0123456789")(sink);
  });
  EXPECT_TRUE(outer);
  EXPECT_TRUE(blobs.contains(sha256("0123456789")).value());
}

TEST_F(UploadsTest, OtherBytesThanWereSaidStoreNothing) {
  const auto made = uploads->create(5, sha256("hello")).value();
  EXPECT_EQ(uploads->append(made.id, 0, sends("hellO")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(blobs.contains(sha256("hellO")).value());
  EXPECT_EQ(uploads->find(made.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files(), 0U);
}

TEST_F(UploadsTest, MoreBytesThanWereSaidAreRefused) {
  const auto made = uploads->create(5, sha256("hello")).value();
  EXPECT_EQ(uploads->append(made.id, 0, sends("hello world")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(uploads->find(made.id)->offset, 0U);
}

TEST_F(UploadsTest, AnEmptyBlobIsStoredAtOnce) {
  EXPECT_TRUE(uploads->create(0, sha256("")));
  EXPECT_TRUE(blobs.contains(sha256("")).value());
}

TEST_F(UploadsTest, IsForgottenWhenNothingComesForItsLifetime) {
  const auto made = uploads->create(5, sha256("hello")).value();
  ASSERT_TRUE(uploads->append(made.id, 0, sends("he")));
  clock.at += seconds(3000);
  EXPECT_EQ(uploads->forget_expired().value(), 0U);
  EXPECT_TRUE(uploads->find(made.id));
  clock.at += seconds(700);
  EXPECT_EQ(uploads->find(made.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(uploads->append(made.id, 2, sends("llo")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(uploads->forget_expired().value(), 1U);
  EXPECT_EQ(files(), 0U);
}

TEST_F(UploadsTest, WhatHadComeWholeWhenTheServerWasKilledIsStoredWhenItStarts) {
  const auto made = uploads->create(5, sha256("hello")).value();
  std::ofstream(folder / "uploads" / (made.id + ".data"), std::ios::app) << "hello";
  const auto other = uploads->create(5, sha256("hello")).value();
  std::ofstream(folder / "uploads" / (other.id + ".data"), std::ios::app) << "hellO";
  reopen();
  EXPECT_TRUE(blobs.contains(sha256("hello")).value());
  EXPECT_EQ(uploads->find(made.id)->offset, 5U);
  EXPECT_EQ(uploads->find(other.id).error().code, ErrorCode::kNotFound);
}

TEST_F(UploadsTest, CanBeGivenUp) {
  const auto made = uploads->create(5, sha256("hello")).value();
  EXPECT_TRUE(uploads->remove(made.id));
  EXPECT_EQ(uploads->find(made.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files(), 0U);
}

TEST_F(UploadsTest, AnIdIsNeverAPath) {
  std::ofstream(folder / "secret.json") << "{}";
  for (const char* id : {"../secret", "", "..", "ABCDEF0123456789ABCDEF0123456789", "a/b"}) {
    EXPECT_EQ(uploads->find(id).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(uploads->remove(id).error().code, ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace backstay::services
