#pragma once

#include <memory>

#include "storage/local_blobs/append_stream.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// A pack on its way into the store; dropped, it leaves nothing. Not thread-safe.
class PackWriter {
 public:
  static Result<PackWriter> make(StoreParts& store);
  const PackId& id() const { return id_; }
  std::uint64_t size() const { return size_; }
  const std::vector<Place>& places() const { return places_; }

  Result<Place> append(std::span<const std::byte> stored, std::uint32_t length, Codec codec, const Tag& tag);
  /// Reads again what was appended.
  Result<void> read(const Place& place, std::vector<std::byte>& stored) const;
  /// No more is appended: it is complete but not durable.
  Result<void> close();
  /// Durable, but for the folder's sync. After close().
  Result<void> seal();

 private:
  PackWriter(StoreParts& store, Temporary file);
  StoreParts* store_;
  PackId id_;
  Temporary file_;
  std::unique_ptr<AppendStream> stream_;  ///< Until it is closed.
  std::uint64_t size_ = 0;
  std::vector<Place> places_;
};

/// Puts a blob's list of chunks into its place, over one that is there, and syncs it.
Result<void> store_recipe(StoreParts& store, const Digest& sha256, const Recipe& recipe);

}  // namespace backstay::blobs
