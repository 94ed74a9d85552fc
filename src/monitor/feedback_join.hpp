#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "domain/traffic/outcome.hpp"

namespace backstay::monitor {

/// Remembers which version answered which prediction until its label arrives: the newest predictions, as many as fit.
/// A label counts once. Not thread-safe.
class FeedbackJoin {
 public:
  explicit FeedbackJoin(std::size_t capacity = 1 << 18) : capacity_(capacity) {}

  void remember(const traffic::Outcome& outcome);
  enum class Fate { kJoined, kDuplicate, kUnknown };
  struct Joined {
    Fate fate = Fate::kUnknown;
    traffic::Outcome outcome;  ///< Of the answer the client got; set when joined.
  };
  Joined label(const traffic::PredictionId& prediction);

 private:
  struct Hash {
    std::size_t operator()(const traffic::PredictionId& id) const { return static_cast<std::size_t>(id.high ^ id.low); }
  };
  struct Held {
    traffic::Outcome outcome;
    bool labelled = false;
  };
  std::size_t capacity_;
  std::unordered_map<traffic::PredictionId, Held, Hash> held_;
  std::vector<traffic::PredictionId> order_;  ///< A ring: what is overwritten is forgotten.
  std::size_t next_ = 0;
};

}  // namespace backstay::monitor
