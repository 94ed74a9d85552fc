#include "services/keep_bytes.hpp"

namespace backstay::services {

Result<void> KeptBytes::write(std::span<const std::byte> data) {
  size_ += data.size();
  if (blobs_ == nullptr) {
    hash_.update(data);
    return {};
  }
  if (!writer_) {
    TRY(writer_, blobs_->begin());
  }
  return writer_->write(data);
}

Result<BlobInfo> KeptBytes::finish() {
  if (blobs_ == nullptr) return BlobInfo{hash_.finish(), size_};
  if (!writer_) {
    TRY(writer_, blobs_->begin());
  }
  return writer_->commit();
}

Result<Digest> keep_text(BlobStore* blobs, std::string_view text) {
  KeptBytes kept(blobs);
  TRY_DO(kept.write(std::as_bytes(std::span(text.data(), text.size()))));
  TRY(const BlobInfo blob, kept.finish());
  return blob.sha256;
}

}  // namespace backstay::services
