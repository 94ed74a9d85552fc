#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "domain/traffic/outcome.hpp"

namespace backstay::gateway {

/// A copy of an answer that was given, for whoever looks at it later.
struct AnswerSample {
  traffic::Outcome outcome;
  std::string version;
  std::string body;  ///< The content, any chunking undone.
};

/// Sampled answers on their way from the gateway's threads to the one that examines them. Nobody waits for room: what
/// does not fit is counted and lost. Thread-safe.
class AnswerQueue {
 public:
  static constexpr std::size_t kMost = 1024;
  static constexpr std::size_t kMostBytes = 32 * 1024 * 1024;

  /// False: there was no room.
  bool push(AnswerSample sample);
  /// Too long to be copied, or a stream, or there was no room.
  void miss();
  /// Waits for one; nullopt: the queue is closed and empty.
  std::optional<AnswerSample> pop();
  void close();
  std::uint64_t missed() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AnswerSample> samples_;
  std::size_t bytes_ = 0;
  std::uint64_t missed_ = 0;
  bool closed_ = false;
};

}  // namespace backstay::gateway
