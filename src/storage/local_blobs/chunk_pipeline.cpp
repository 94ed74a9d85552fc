#include "storage/local_blobs/chunk_pipeline.hpp"

#include <algorithm>

namespace backstay::blobs {

ChunkPipeline::ChunkPipeline(StoreParts& store) : shelf_(store), hasher_([this] { hash(); }) {}

ChunkPipeline::~ChunkPipeline() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (hasher_.joinable()) hasher_.join();
}

/// Of the buffer that is filled now.
std::span<std::byte> ChunkPipeline::space() {
  Buffer& buffer = buffers_[submitted_ % buffers_.size()];
  return buffer.bytes().subspan(buffer.size);
}

Result<void> ChunkPipeline::filled(std::size_t bytes) {
  Buffer& buffer = buffers_[submitted_ % buffers_.size()];
  buffer.size += bytes;
  any_ = any_ || bytes > 0;
  return buffer.size == kBufferBytes ? submit(false) : Result<void>();
}

Result<ChunkPipeline::Done> ChunkPipeline::finish() {
  TRY_DO(submit(true));
  TRY(Recipe recipe, shelf_.finish());
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hashed_ == submitted_; });
  }
  const Digest digest = sha256_.so_far();
  if (prefixes_.size() < recipe.chunks.size()) prefixes_.push_back(digest);
  if (!any_ || prefixes_.size() != recipe.chunks.size())
    return Unexpected(ErrorCode::kInternal, "The chunks and their digests do not match.", "Please report it.");
  for (std::size_t i = 0; i < prefixes_.size(); ++i) recipe.chunks[i].prefix = prefixes_[i];
  return Done{digest, std::move(recipe)};
}

/// Cuts the buffer, hands it to the hashing thread, stores its chunks meanwhile, and sees that the next one is free.
Result<void> ChunkPipeline::submit(bool last) {
  Buffer& buffer = buffers_[submitted_ % buffers_.size()];
  cut(buffer);
  ++submitted_;
  {
    const std::lock_guard lock(mutex_);
    ready_ = submitted_;
  }
  changed_.notify_all();
  TRY_DO(store(buffer, last));
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hashed_ + buffers_.size() > submitted_; });
  }
  Buffer& next = buffers_[submitted_ % buffers_.size()];
  next.size = 0;
  next.ends.clear();
  return {};
}

void ChunkPipeline::cut(Buffer& buffer) {
  const auto memory = std::span<const std::byte>(buffer.memory).first(kMaxChunk + buffer.size);
  std::size_t begin = kMaxChunk - tail_;
  while (begin < memory.size()) {
    const std::size_t length = chunker_.find_end(memory.subspan(begin));
    if (length == 0) break;
    begin += length;
    buffer.ends.push_back(begin - kMaxChunk);
  }
}

Result<void> ChunkPipeline::store(Buffer& buffer, bool last) {
  const auto memory = std::span<const std::byte>(buffer.memory).first(kMaxChunk + buffer.size);
  std::size_t begin = kMaxChunk - tail_;
  for (const std::size_t end : buffer.ends) {
    TRY_DO(shelf_.put(memory.subspan(begin, kMaxChunk + end - begin)));
    begin = kMaxChunk + end;
  }
  tail_ = memory.size() - begin;
  if (last && tail_ > 0) return shelf_.put(memory.subspan(begin));
  // The unfinished chunk goes before the next buffer's first byte. That place is never hashed, so it is free already.
  const std::size_t next = (static_cast<std::size_t>(&buffer - buffers_.data()) + 1) % buffers_.size();
  std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(begin), tail_,
              buffers_[next].memory.begin() + static_cast<std::ptrdiff_t>(kMaxChunk - tail_));
  return {};
}

void ChunkPipeline::hash() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || ready_ > hashed_; });
    if (stop_) return;
    Buffer& buffer = buffers_[hashed_ % buffers_.size()];
    lock.unlock();
    const auto bytes = std::span<const std::byte>(buffer.bytes()).first(buffer.size);
    std::size_t at = 0;
    for (const std::size_t end : buffer.ends) {
      sha256_.update(bytes.subspan(at, end - at));
      prefixes_.push_back(sha256_.so_far());
      at = end;
    }
    sha256_.update(bytes.subspan(at));
    lock.lock();
    ++hashed_;
    changed_.notify_all();
  }
}

}  // namespace backstay::blobs
