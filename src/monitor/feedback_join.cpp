#include "monitor/feedback_join.hpp"

namespace backstay::monitor {

void FeedbackJoin::remember(const traffic::Outcome& outcome) {
  if (!held_.emplace(outcome.prediction, Held{outcome, false}).second) return;
  if (order_.size() < capacity_) {
    order_.push_back(outcome.prediction);
    return;
  }
  held_.erase(order_[next_]);
  order_[next_] = outcome.prediction;
  next_ = (next_ + 1) % capacity_;
}

FeedbackJoin::Joined FeedbackJoin::label(const traffic::PredictionId& prediction) {
  const auto found = held_.find(prediction);
  if (found == held_.end()) return {Fate::kUnknown, {}};
  if (found->second.labelled) return {Fate::kDuplicate, {}};
  found->second.labelled = true;
  return {Fate::kJoined, found->second.outcome};
}

}  // namespace backstay::monitor
