#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/body_form.hpp"

namespace backstay::gateway {

/// A request that was answered, kept to look into later.
struct RequestSample {
  std::uint32_t endpoint = 0;
  std::string version;   ///< That answered.
  std::string request;   ///< Body, as it came.
  std::string response;  ///< Body; empty when it was not whole at hand.
  BodyForm request_form{};
  BodyForm response_form{};
};

/// A bounded queue of copies of requests from one gateway thread to whoever looks into them: one producer, one
/// consumer, no locks. Full, or with a body above kMaxBody, a sample is dropped and counted, never waited for. Slots
/// keep their memory, so that in the steady state nothing is allocated: at most kSlots * 2 * kMaxBody per thread.
class SampleRing {
 public:
  static constexpr std::size_t kSlots = 64;  ///< A power of two.
  static constexpr std::size_t kMaxBody = 64 * 1024;

  /// Producer.
  void push(std::uint32_t endpoint, std::string_view version, std::string_view request, BodyForm request_form,
            std::string_view response, BodyForm response_form) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (request.size() > kMaxBody || tail - head_.load(std::memory_order_acquire) >= kSlots) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (slots_.empty()) slots_.resize(kSlots);  // Endpoints that are not sampled cost nothing.
    RequestSample& slot = slots_[tail & (kSlots - 1)];
    slot.endpoint = endpoint;
    slot.version.assign(version);
    slot.request.assign(request);
    slot.request_form = request_form;
    slot.response_form = response_form;
    slot.response.assign(response.size() > kMaxBody ? std::string_view() : response);
    tail_.store(tail + 1, std::memory_order_release);
  }

  /// Consumer: calls `take` for each sample there is now; returns how many.
  template <class Take>
  std::size_t drain(Take take) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    for (std::size_t at = head; at != tail; ++at) {
      take(slots_[at & (kSlots - 1)]);
      head_.store(at + 1,
                  std::memory_order_release);  // One by one: looking into a sample takes longer than copying it.
    }
    return tail - head;
  }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  std::vector<RequestSample> slots_;  ///< Sized by the producer before the first release of tail_.
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::size_t> head_{0};
};

}  // namespace backstay::gateway
