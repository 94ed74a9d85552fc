#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "storage/local_blobs/local_blob_store.hpp"
#include "storage/memory/memory_blob_store.hpp"

// What every store of blobs promises (ports/blob_store.hpp), for blobs of each form.
namespace backstay {
namespace {

namespace fs = std::filesystem;

using Bytes = std::vector<std::byte>;

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  Random random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

Bytes text(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  Random random(seed);
  std::string word;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 16 == 0) word = "token-" + std::to_string(random.below(1000)) + "         ";
    bytes[i] = static_cast<std::byte>(word[i % 16]);
  }
  return bytes;
}

struct InMemory {
  MemoryBlobStore store;
  BlobStore& blobs() { return store; }
  Bytes blob(std::uint64_t seed) { return noise(10'000, seed); }
  static constexpr bool kShares = false;
};
struct OnDisk {
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  std::unique_ptr<LocalBlobStore> store = LocalBlobStore::open(folder / "blobs").value();
  BlobStore& blobs() const { return *store; }
  static constexpr bool kShares = true;
};
struct Empty : OnDisk {
  Bytes blob(std::uint64_t) { return {}; }
};
struct Whole : OnDisk {
  Bytes blob(std::uint64_t seed) { return noise(10'000, seed); }
};
struct LargestWhole : OnDisk {
  Bytes blob(std::uint64_t seed) { return noise(4 * 1024 * 1024, seed); }
};
struct Chunked : OnDisk {
  Bytes blob(std::uint64_t seed) { return noise(6'000'001, seed); }
};
struct Compressed : OnDisk {
  Bytes blob(std::uint64_t seed) { return text(6'000'001, seed); }
};
struct AllTheSame : OnDisk {
  Bytes blob(std::uint64_t seed) { return Bytes(9'000'000, static_cast<std::byte>(seed)); }
};

template <class Form>
class BlobStoreContract : public ::testing::Test {
 protected:
  Digest put(const Bytes& bytes, std::size_t piece = 1'000'000, std::uint64_t hint = 0) {
    auto writer = store.begin(hint).value();
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      EXPECT_TRUE(writer->write(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at))));
    const auto info = writer->commit();
    EXPECT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->size_bytes, bytes.size());
    return info->sha256;
  }
  Bytes get(const Digest& digest) {
    Bytes got;
    const auto info = store.read(digest, [&](std::span<const std::byte> piece) -> Result<void> {
      got.insert(got.end(), piece.begin(), piece.end());
      return {};
    });
    EXPECT_TRUE(info) << info.error().message;
    return got;
  }
  static Digest digest_of(const Bytes& bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
  }
  static Bytes file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string all(std::istreambuf_iterator<char>(in), {});
    const auto view = std::as_bytes(std::span(all));
    return {view.begin(), view.end()};
  }

  Form form;
  BlobStore& store = form.blobs();
  const TemporaryFolder out_folder;
  const fs::path out = out_folder.path();
};

using Forms = ::testing::Types<InMemory, Empty, Whole, LargestWhole, Chunked, Compressed, AllTheSame>;
TYPED_TEST_SUITE(BlobStoreContract, Forms);

TYPED_TEST(BlobStoreContract, GivesBackWhatWasStoredUnderItsDigest) {
  const Bytes bytes = this->form.blob(1);
  const Digest digest = this->put(bytes);
  EXPECT_EQ(digest, this->digest_of(bytes));
  EXPECT_EQ(this->get(digest), bytes);
  EXPECT_TRUE(this->store.contains(digest).value());
  EXPECT_EQ(this->store.size(digest).value(), bytes.size());
}

TYPED_TEST(BlobStoreContract, TheSizeOfThePiecesAndTheHintDoNotMatter) {
  const Bytes bytes = this->form.blob(2);
  const Digest digest = this->put(bytes, 65'537);
  EXPECT_EQ(this->put(bytes, 3'333'333, bytes.size()), digest);
  EXPECT_EQ(this->put(bytes, 1'048'576, 1), digest);
  EXPECT_EQ(this->put(bytes, 1'048'576, 100'000'000), digest);
  EXPECT_EQ(this->get(digest), bytes);
}

TYPED_TEST(BlobStoreContract, WhatIsNotThereIsNotFound) {
  const Digest digest = sha256("never stored");
  EXPECT_FALSE(this->store.contains(digest).value());
  EXPECT_EQ(this->store.size(digest).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->store.read(digest, [](auto) { return Result<void>(); }).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->store.check_out(digest, this->out / "a").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(this->out / "a"));
}

TYPED_TEST(BlobStoreContract, AWriterThatIsDroppedStoresNothing) {
  const Bytes bytes = this->form.blob(3);
  {
    auto writer = this->store.begin().value();
    EXPECT_TRUE(writer->write(bytes));
  }
  EXPECT_FALSE(this->store.contains(this->digest_of(bytes)).value());
}

TYPED_TEST(BlobStoreContract, ReadsAnyPart) {
  const Bytes bytes = this->form.blob(4);
  const Digest digest = this->put(bytes);
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    Bytes got;
    const auto done =
        this->store.read_range(digest, offset, length, [&](std::span<const std::byte> piece) -> Result<void> {
          got.insert(got.end(), piece.begin(), piece.end());
          return {};
        });
    EXPECT_TRUE(done) << done.error().message;
    return got;
  };
  Random random(5);
  for (int i = 0; i < 20; ++i) {
    const std::size_t offset = random.below(bytes.size() + 1);
    const std::size_t length = random.below(bytes.size() - offset + 1);
    const auto expected = std::span(bytes).subspan(offset, length);
    EXPECT_EQ(part(offset, length), Bytes(expected.begin(), expected.end())) << offset << " " << length;
  }
  EXPECT_EQ(part(0, bytes.size()), bytes);
  EXPECT_FALSE(this->store.read_range(digest, bytes.size(), 1, [](auto) { return Result<void>(); }));
  EXPECT_FALSE(this->store.read_range(digest, UINT64_MAX, 2, [](auto) { return Result<void>(); }));
}

TYPED_TEST(BlobStoreContract, ChecksOutAgainAndAgainReadOnlyAndNeverOverAFile) {
  const Bytes bytes = this->form.blob(6);
  const Digest digest = this->put(bytes);
  for (const char* name : {"a", "b", "c"}) {
    const auto done = this->store.check_out(digest, this->out / name);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(this->file(this->out / name), bytes);
    EXPECT_EQ(fs::status(this->out / name).permissions(), static_cast<fs::perms>(0444));
  }
  EXPECT_TRUE(this->store.check_out(digest, this->out / "d", {true, {}}).value().hashed);
  std::ofstream(this->out / "mine") << "mine";
  EXPECT_FALSE(this->store.check_out(digest, this->out / "mine"));
  EXPECT_EQ(fs::file_size(this->out / "mine"), 4U);
  EXPECT_FALSE(this->store.check_out(digest, this->out / "no/such/folder"));
}

TYPED_TEST(BlobStoreContract, ASinkThatRefusesEndsTheRead) {
  const Bytes bytes = this->form.blob(7);
  if (bytes.empty()) return;
  const Digest digest = this->put(bytes);
  const auto read = this->store.read(
      digest, [](auto) -> Result<void> { return Unexpected(ErrorCode::kResourceExhausted, "No more.", ""); });
  EXPECT_EQ(read.error().code, ErrorCode::kResourceExhausted);
}

TYPED_TEST(BlobStoreContract, ManyWritersAtOnceStoreOneBlobAndTheirOwn) {
  const Bytes shared = this->form.blob(8);
  std::vector<std::thread> threads;
  std::vector<Digest> own(4);
  for (std::size_t i = 0; i < own.size(); ++i) {
    threads.emplace_back([&, i] {
      this->put(shared);
      own[i] = this->put(this->form.blob(100 + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(this->get(this->digest_of(shared)), shared);
  for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(this->get(own[i]), this->form.blob(100 + i));
}

TYPED_TEST(BlobStoreContract, ACheckoutOnTheSameFileSystemSharesTheStoredFile) {
  if (!TypeParam::kShares) return;
  const Digest digest = this->put(this->form.blob(9));
  ASSERT_TRUE(this->store.check_out(digest, this->out / "first"));
  const auto second = this->store.check_out(digest, this->out / "second");
  ASSERT_TRUE(second);
  EXPECT_NE(second->way, CheckedOutBlob::Way::kCopy);
  EXPECT_FALSE(second->hashed);
}

}  // namespace
}  // namespace backstay
