#include "storage/local_blobs/append_stream.hpp"

#include <atomic>

#include "storage/local_blobs/store_fixture.hpp"

namespace backstay::blobs {
namespace {

class AppendStreamTest : public StoreFixture {
 protected:
  Temporary file = Temporary::make(fs::temp_directory_path()).value();
};

/// Refuses writes from a number on.
class FullDisk : public Disk {
 public:
  explicit FullDisk(int writes) : writes_(writes) {}

 protected:
  Result<void> before(const char*, const fs::path&) override {
    if (writes_-- > 0) return {};
    return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.", "");
  }

 private:
  std::atomic<int> writes_;
};

TEST_F(AppendStreamTest, TheFileHasWhatWasAppendedInPiecesOfAnySize) {
  const Bytes bytes = noise(9'876'543, 1);
  AppendStream stream(real_disk(), file.fd(), file.path());
  std::size_t at = 0;
  for (std::size_t piece = 1; at < bytes.size(); piece = piece * 3 + 1) {
    const std::size_t size = std::min(piece % 2'500'000, bytes.size() - at);
    ASSERT_TRUE(stream.append(std::span(bytes).subspan(at, size)));
    at += size;
    EXPECT_EQ(stream.size(), at);
  }
  ASSERT_TRUE(stream.finish());
  EXPECT_EQ(read_file(file.path()), bytes);
}

TEST_F(AppendStreamTest, WhatWasAppendedIsReadWhereverItIs) {
  const Bytes bytes = noise(3'500'000, 2);
  AppendStream stream(real_disk(), file.fd(), file.path());
  ASSERT_TRUE(stream.append(bytes));
  struct Part {
    std::size_t offset, size;
  };
  // In the file; across blocks; from the file into the block that is being filled; in that block.
  for (const Part part : {Part{3, 1'000}, Part{1'048'000, 2'000}, Part{3'145'000, 5'000}, Part{3'400'001, 99'999}}) {
    Bytes read(part.size);
    ASSERT_TRUE(stream.read(part.offset, read));
    EXPECT_TRUE(std::equal(read.begin(), read.end(), bytes.begin() + static_cast<std::ptrdiff_t>(part.offset)));
  }
}

TEST_F(AppendStreamTest, ARefusedWriteIsToldToWhoeverAppendsOrFinishes) {
  FullDisk disk(1);
  AppendStream stream(disk, file.fd(), file.path());
  const Bytes bytes = noise(16'000'000, 3);
  const Result<void> appended = stream.append(bytes);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kResourceExhausted);

  // Whether the first block's failure is known when the block is handed over depends on the writing thread.
  Temporary other = Temporary::make(fs::temp_directory_path()).value();
  FullDisk full(0);
  AppendStream two_blocks(full, other.fd(), other.path());
  EXPECT_FALSE(two_blocks.append(noise(1'100'000, 4)) && two_blocks.finish());

  Temporary third = Temporary::make(fs::temp_directory_path()).value();
  AppendStream part_of_a_block(full, third.fd(), third.path());
  EXPECT_TRUE(part_of_a_block.append(noise(1'000, 5)));
  EXPECT_FALSE(part_of_a_block.finish());
}

TEST_F(AppendStreamTest, ThatIsDroppedHalfWayEndsAtOnce) {
  AppendStream stream(real_disk(), file.fd(), file.path());
  ASSERT_TRUE(stream.append(noise(5'000'000, 5)));
}

}  // namespace
}  // namespace backstay::blobs
