#include "storage/local_blobs/chunk_pipeline.hpp"

#include <algorithm>

namespace backstay::blobs {

ChunkPipeline::ChunkPipeline(StoreParts& store) : shelf_(store) {
  for (Buffer& buffer : buffers_) buffer.stored = true;
  worker_ = std::thread([this] { work(); });
}

ChunkPipeline::~ChunkPipeline() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

std::span<std::byte> ChunkPipeline::space() {
  Buffer& buffer = wait_for_free();
  return buffer.bytes().subspan(buffer.size);
}

Result<void> ChunkPipeline::filled(std::size_t bytes) {
  Buffer& buffer = buffers_[filling_];
  buffer.size += bytes;
  any_ = any_ || bytes > 0;
  if (buffer.size == kBufferBytes) submit(false);
  return failure();
}

Result<ChunkPipeline::Done> ChunkPipeline::finish() {
  wait_for_free();
  submit(true);
  if (unhashed_) hash_cut_buffer(buffers_[*unhashed_]);
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }
  TRY_DO(failure());
  TRY(Recipe recipe, shelf_.finish());
  const Digest digest = sha256_.so_far();
  if (prefixes_.size() < recipe.chunks.size()) prefixes_.push_back(digest);
  if (!any_ || prefixes_.size() != recipe.chunks.size())
    return Unexpected(ErrorCode::kInternal, "The chunks and their digests do not match.", "Please report it.");
  for (std::size_t i = 0; i < prefixes_.size(); ++i) recipe.chunks[i].prefix = prefixes_[i];
  return Done{digest, std::move(recipe)};
}

Result<void> ChunkPipeline::failure() {
  const std::lock_guard lock(mutex_);
  return problem_;
}

/// The buffer that is filled now, which may still be with the worker.
ChunkPipeline::Buffer& ChunkPipeline::wait_for_free() {
  Buffer& buffer = buffers_[filling_];
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return buffer.stored || buffer.size < kBufferBytes; });
  if (buffer.stored) {
    buffer.stored = false;
    buffer.size = 0;
    buffer.cut = false;
    buffer.ends.clear();
  }
  return buffer;
}

void ChunkPipeline::submit(bool last) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back({filling_, last});
  }
  changed_.notify_all();
  if (unhashed_) hash_cut_buffer(buffers_[*unhashed_]);
  unhashed_ = filling_;
  filling_ = (filling_ + 1) % buffers_.size();
}

void ChunkPipeline::hash_cut_buffer(Buffer& buffer) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return buffer.cut; });
  }
  const auto bytes = std::span<const std::byte>(buffer.bytes()).first(buffer.size);
  std::size_t at = 0;
  for (const std::size_t end : buffer.ends) {
    sha256_.update(bytes.subspan(at, end - at));
    prefixes_.push_back(sha256_.so_far());
    at = end;
  }
  sha256_.update(bytes.subspan(at));
}

void ChunkPipeline::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (stop_) return;
    const Task task = tasks_.front();
    tasks_.pop_front();
    Buffer& buffer = buffers_[task.buffer];
    const bool good = problem_.has_value();
    lock.unlock();
    if (good) cut(buffer);
    lock.lock();
    buffer.cut = true;
    changed_.notify_all();
    lock.unlock();
    Result<void> stored;
    if (good) stored = store(buffer, task.last);
    lock.lock();
    if (!stored && problem_) problem_ = std::move(stored);
    buffer.stored = true;
    done_ = task.last;
    changed_.notify_all();
  }
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
  // The unfinished chunk goes before the next buffer's first byte. That place belongs to this thread.
  const std::size_t next = (static_cast<std::size_t>(&buffer - buffers_.data()) + 1) % buffers_.size();
  std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(begin), tail_,
              buffers_[next].memory.begin() + static_cast<std::ptrdiff_t>(kMaxChunk - tail_));
  return {};
}

}  // namespace backstay::blobs
