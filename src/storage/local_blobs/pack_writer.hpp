#pragma once

#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// A pack on its way into the store; dropped, it leaves nothing. Not thread-safe.
class PackWriter {
 public:
  static Result<PackWriter> make(StoreParts& store);
  const PackId& id() const { return id_; }
  std::uint64_t size() const { return size_; }
  const std::vector<Place>& places() const { return places_; }
  /// To read again what was appended.
  int fd() const { return file_.fd(); }
  const fs::path& path() const { return file_.path(); }

  Result<Place> append(std::span<const std::byte> stored, std::uint32_t length, Codec codec, const Tag& tag);
  /// Durable, but for the folder's sync.
  Result<void> seal();

 private:
  PackWriter(StoreParts& store, Temporary file);
  StoreParts* store_;
  PackId id_;
  Temporary file_;
  std::uint64_t size_ = 0;
  std::uint64_t started_writing_ = 0;
  std::vector<Place> places_;
};

/// Puts a blob's list of chunks into its place, over one that is there, and syncs it.
Result<void> store_recipe(StoreParts& store, const Digest& sha256, const Recipe& recipe);

}  // namespace backstay::blobs
