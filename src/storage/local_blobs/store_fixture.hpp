#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "storage/local_blobs/chunk_index.hpp"
#include "storage/local_blobs/local_blob_store.hpp"

/// What the tests of the store on disk share.
namespace backstay::blobs {

using Bytes = std::vector<std::byte>;

inline Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  Random random(seed);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t bits = random.next();
    for (std::size_t j = i; j < std::min(size, i + 8); ++j) bytes[j] = static_cast<std::byte>(bits >> (8 * (j - i)));
  }
  return bytes;
}

inline Bytes text(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  Random random(seed);
  std::string word;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 16 == 0) word = "token-" + std::to_string(random.below(100'000)) + "          ";
    bytes[i] = static_cast<std::byte>(word[i % 16]);
  }
  return bytes;
}

inline Digest digest_of(const Bytes& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

inline Bytes read_file(const fs::path& path) {
  const OpenFile file = open_file(path).value();
  Bytes bytes(file.size);
  EXPECT_TRUE(read_at(file.file.get(), 0, bytes, path));
  return bytes;
}

inline void write_file(const fs::path& path, const Bytes& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
}

/// Changes one byte where it is.
inline void flip(const fs::path& path, std::uint64_t offset) {
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  std::FILE* file = std::fopen(path.c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::fseek(file, static_cast<long>(offset), SEEK_SET);
  const int byte = std::fgetc(file);
  std::fseek(file, static_cast<long>(offset), SEEK_SET);
  std::fputc(byte ^ 1, file);
  std::fclose(file);
  fs::permissions(path, static_cast<fs::perms>(0444));
}

inline const BlobSink nobody = [](std::span<const std::byte>) { return Result<void>(); };

class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override { store = LocalBlobStore::open(folder_ / "blobs").value(); }

  Layout layout() const { return {folder_ / "blobs"}; }
  Digest put(const Bytes& bytes) { return put(*store, bytes); }
  static Digest put(BlobStore& into, const Bytes& bytes) {
    auto writer = into.begin(bytes.size()).value();
    EXPECT_TRUE(writer->write(bytes));
    const auto info = writer->commit();
    EXPECT_TRUE(info) << info.error().message;
    return info->sha256;
  }
  Bytes get(const Digest& digest) {
    Bytes bytes;
    const auto info = store->read(digest, [&](std::span<const std::byte> piece) -> Result<void> {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
      return {};
    });
    EXPECT_TRUE(info) << info.error().message;
    return bytes;
  }
  fs::path only_pack() const {
    const auto packs = list_packs(layout()).value();
    EXPECT_EQ(packs.size(), 1U);
    return layout().pack(packs.at(0));
  }
  /// Returns when the file system's clock, which ticks some hundred times a second, has gone on.
  void wait_for_next_tick() const {
    const auto now = [&] { return open_file(Temporary::make(layout().tmp()).value().path()).value().changed_ns; };
    const std::int64_t before = now();
    while (now() == before) {
    }
  }
  std::vector<BlobProblem> problems(const BlobStore* other = nullptr) {
    std::vector<BlobProblem> found;
    EXPECT_TRUE(store->check(other, {}, [&](const BlobProblem& problem) { found.push_back(problem); }));
    return found;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  std::unique_ptr<LocalBlobStore> store;
};

}  // namespace backstay::blobs
