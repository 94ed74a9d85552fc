#include "ports/blob_store.hpp"

#include <algorithm>

namespace backstay {

namespace {

class RangeReader : public BlobReader {
 public:
  RangeReader(const BlobStore& store, const Digest& sha256, std::uint64_t size)
      : store_(store), sha256_(sha256), size_(size) {}

  std::uint64_t size() const override { return size_; }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    const std::uint64_t length = offset < size_ ? std::min<std::uint64_t>(out.size(), size_ - offset) : 0;
    std::size_t filled = 0;
    if (length == 0) return filled;
    TRY_DO(store_.read_range(sha256_, offset, length, [&](std::span<const std::byte> piece) -> Result<void> {
      const std::size_t taken = std::min(piece.size(), out.size() - filled);
      std::copy_n(piece.begin(), taken, out.begin() + static_cast<std::ptrdiff_t>(filled));
      filled += taken;
      return {};
    }));
    return filled;
  }

 private:
  const BlobStore& store_;
  const Digest sha256_;
  const std::uint64_t size_;
};

}  // namespace

Result<void> BlobWriter::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    TRY(const std::span<std::byte> room, space());
    const std::size_t bytes = std::min(room.size(), data.size());
    std::copy_n(data.begin(), bytes, room.begin());
    TRY_DO(filled(bytes));
    data = data.subspan(bytes);
  }
  return {};
}

Result<std::unique_ptr<BlobReader>> BlobStore::open_reader(const Digest& sha256) const {
  TRY(const std::uint64_t bytes, size(sha256));
  return std::unique_ptr<BlobReader>(std::make_unique<RangeReader>(*this, sha256, bytes));
}

}  // namespace backstay
