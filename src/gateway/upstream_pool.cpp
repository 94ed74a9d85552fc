#include "gateway/upstream_pool.hpp"

#include <algorithm>

namespace backstay::gateway {

namespace {
constexpr std::size_t kMaxIdlePerBackend = 1024;
constexpr seconds kIdleTime{55};  // Shorter than the minute after which many servers close.
}  // namespace

std::unique_ptr<Stream> UpstreamPool::take(const Address& address) {
  const auto found = idle_.find(key(address));
  if (found == idle_.end()) return nullptr;
  auto& streams = found->second;
  while (!streams.empty()) {
    std::unique_ptr<Stream> stream = std::move(streams.back());
    streams.pop_back();
    stream->stop_watching();
    if (!stream->disturbed()) return stream;
  }
  return nullptr;
}

void UpstreamPool::put(const Address& address, std::unique_ptr<Stream> stream) {
  auto& streams = idle_[key(address)];
  if (stream->disturbed() || streams.size() >= kMaxIdlePerBackend) return;
  struct Discard {
    UpstreamPool* pool;
    std::uint64_t key;
    void operator()(Stream* disturbed) const { pool->discard(key, disturbed); }
  };
  stream->watch_idle(Discard{this, key(address)}, reactor_.now() + kIdleTime);
  streams.push_back(std::move(stream));
}

void UpstreamPool::discard(std::uint64_t key, Stream* stream) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return;
  auto& streams = found->second;
  const auto place =
      std::find_if(streams.begin(), streams.end(), [&](const auto& held) { return held.get() == stream; });
  if (place != streams.end()) streams.erase(place);
}

}  // namespace backstay::gateway
