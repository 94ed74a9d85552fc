#include "storage/memory/memory_blob_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"

namespace backstay {

class MemoryBlobStore::Writer : public BlobWriter {
 public:
  explicit Writer(MemoryBlobStore& store) : store_(store) {}
  Result<std::span<std::byte>> space() override { return std::span<std::byte>(room_); }
  Result<void> filled(std::size_t bytes) override {
    bytes_.insert(bytes_.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(bytes));
    return {};
  }
  Result<BlobInfo> commit() override {
    Sha256 hash;
    hash.update(bytes_);
    const BlobInfo info{hash.finish(), bytes_.size()};
    const std::lock_guard lock(store_.mutex_);
    store_.blobs_[info.sha256] = std::move(bytes_);
    return info;
  }

 private:
  MemoryBlobStore& store_;
  Bytes room_ = Bytes(4096);
  Bytes bytes_;
};

Result<std::unique_ptr<BlobWriter>> MemoryBlobStore::begin(std::uint64_t) {
  return std::unique_ptr<BlobWriter>(std::make_unique<Writer>(*this));
}

Result<std::unique_ptr<BlobHold>> MemoryBlobStore::hold() {
  return std::make_unique<BlobHold>();
}

Result<MemoryBlobStore::Bytes> MemoryBlobStore::find(const Digest& sha256) const {
  const std::lock_guard lock(mutex_);
  const auto found = blobs_.find(sha256);
  if (found == blobs_.end())
    return Unexpected(ErrorCode::kNotFound, fmt::format("The store has no blob {}.", sha256.hex()));
  return found->second;
}

Result<bool> MemoryBlobStore::contains(const Digest& sha256) const {
  const std::lock_guard lock(mutex_);
  return blobs_.contains(sha256);
}

Result<std::uint64_t> MemoryBlobStore::size(const Digest& sha256) const {
  TRY(const Bytes bytes, find(sha256));
  return bytes.size();
}

Result<BlobInfo> MemoryBlobStore::read(const Digest& sha256, const BlobSink& sink) const {
  TRY(const Bytes bytes, find(sha256));
  if (!bytes.empty()) TRY_DO(sink(bytes));
  return BlobInfo{sha256, bytes.size()};
}

Result<void> MemoryBlobStore::read_range(const Digest& sha256, std::uint64_t offset, std::uint64_t length,
                                         const BlobSink& sink) const {
  TRY(const Bytes bytes, find(sha256));
  if (offset > bytes.size() || length > bytes.size() - offset)
    return Unexpected(ErrorCode::kInvalidArgument, "The blob is shorter.", "Ask for a part of it.");
  return sink(std::span(bytes).subspan(offset, length));
}

Result<CheckedOutBlob> MemoryBlobStore::check_out(const Digest& sha256, const std::filesystem::path& target,
                                                  const CheckOutOptions&) const {
  TRY(const Bytes bytes, find(sha256));
  const Descriptor file(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file || ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    return Unexpected(error_from_errno(errno, "cannot make " + target.string()));
  return CheckedOutBlob{CheckedOutBlob::Way::kCopy, true};
}

}  // namespace backstay
