#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>

#include "base/descriptor.hpp"
#include "services/local_files.hpp"
#include "storage/local_blobs/chunker.hpp"
#include "storage/local_blobs/local_blob_store.hpp"

/// One measurement of the store per call, as JSON: wall and CPU seconds. bench/store.py calls it in turns.
namespace backstay {
namespace {

namespace fs = std::filesystem;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) fail(result.error().message);
}

std::vector<std::byte> read_all(const fs::path& path) {
  std::vector<std::byte> bytes;
  bytes.reserve(fs::file_size(path));
  must(services::read_file(path, [&](std::span<const std::byte> piece) -> Result<void> {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  }));
  return bytes;
}

/// Hashes 1 MiB at a time what is in memory: what one core can do at most.
void hash(std::span<const std::byte> bytes) {
  Sha256 sha256;
  constexpr std::size_t kPiece = 1024 * 1024;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    sha256.update(bytes.subspan(at, std::min(kPiece, bytes.size() - at)));
  sha256.finish();
}

void ingest(LocalBlobStore& store, const fs::path& file) {
  const auto writer = must(store.begin(fs::file_size(file)));
  must(services::read_file_into(file, *writer, [](std::uint64_t) {}));
  must(writer->commit());
}

/// The alternative to packs: each chunk in a file of its own, synced one by one or all at once at the end.
void file_per_chunk(std::span<const std::byte> bytes, const fs::path& folder, bool sync_each) {
  fs::create_directories(folder);
  blobs::Chunker chunker;
  std::size_t begin = 0;
  for (std::size_t number = 0; begin < bytes.size(); ++number) {
    std::size_t length = chunker.find_end(bytes.subspan(begin));
    if (length == 0) length = bytes.size() - begin;
    const Descriptor file(open((folder / std::to_string(number)).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0444));
    if (!file || write(file.get(), bytes.data() + begin, length) != static_cast<ssize_t>(length) ||
        (sync_each && fsync(file.get()) != 0))
      fail("cannot write a chunk");
    begin += length;
  }
  const Descriptor all(open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (syncfs(all.get()) != 0) fail("cannot sync");
}

int run(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const fs::path file = argc > 2 ? argv[2] : "";
  const fs::path folder = argc > 3 ? argv[3] : "";
  std::vector<std::byte> bytes;
  if (what == "sha256" || what.starts_with("files")) bytes = read_all(file);
  std::unique_ptr<LocalBlobStore> store;
  if (what == "ingest" || what == "checkout" || what == "usage") store = must(LocalBlobStore::open(folder));
  Digest digest;
  if (what == "checkout") digest = must(Digest::from_hex(argv[2]));

  const double cpu = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  if (what == "sha256") {
    hash(bytes);
  } else if (what == "ingest") {
    ingest(*store, file);
  } else if (what == "checkout" && argc > 4) {
    must(store->check_out(digest, argv[4]));
  } else if (what == "files-each") {
    file_per_chunk(bytes, folder, true);
  } else if (what == "files-once") {
    file_per_chunk(bytes, folder, false);
  } else if (what != "usage") {
    fail(
        "usage: bench-store sha256 FILE | ingest FILE STORE | checkout SHA256 STORE TARGET | files-each|files-once "
        "FILE "
        "FOLDER | usage - STORE");
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  fmt::print("{{\"wall_s\":{},\"cpu_s\":{}", wall.count(), cpu_seconds() - cpu);
  if (store) {
    const StoreUsage usage = must(store->usage());
    fmt::print(",\"stored_bytes\":{},\"files\":{},\"chunks\":{}", usage.stored_bytes, usage.files, usage.chunks);
  }
  fmt::print("}}\n");
  return 0;
}

}  // namespace
}  // namespace backstay

int main(int argc, char** argv) {
  return backstay::run(argc, argv);
}
