#include "storage/memory/memory_predictions.hpp"

namespace backstay {

Result<void> MemoryPredictions::remember(const std::vector<Prediction>& predictions) {
  const std::lock_guard lock(mutex_);
  for (const Prediction& prediction : predictions) {
    const traffic::PredictionId& id = prediction.outcome.prediction;
    if (!held_.emplace(id, Held{prediction, false}).second) continue;
    if (order_.size() < most_) {
      order_.push_back(id);
      continue;
    }
    held_.erase(order_[next_]);
    order_[next_] = id;
    next_ = (next_ + 1) % most_;
  }
  return {};
}

Result<std::vector<PredictionStore::Joined>> MemoryPredictions::label(const std::vector<Label>& labels, Timestamp) {
  const std::lock_guard lock(mutex_);
  std::vector<Joined> out;
  for (const Label& label : labels) {
    Joined& joined = out.emplace_back();
    const auto found = held_.find(label.prediction);
    if (found == held_.end()) continue;
    joined.fate = found->second.labelled ? Fate::kDuplicate : Fate::kJoined;
    if (joined.fate == Fate::kDuplicate) continue;
    found->second.labelled = true;
    joined.prediction = found->second.prediction;
    ++totals_[{joined.prediction.endpoint, joined.prediction.version}];
  }
  return out;
}

Result<std::vector<LabelTotal>> MemoryPredictions::totals() const {
  const std::lock_guard lock(mutex_);
  std::vector<LabelTotal> out;
  for (const auto& [key, labels] : totals_) out.push_back({key.first, key.second, labels});
  return out;
}

}  // namespace backstay
