#include "storage/memory/memory_predictions.hpp"

namespace backstay {

Result<ValuePlanId> MemoryPredictions::value_plan(const std::string& places) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, known] : value_plans_)
    if (known == places) return id;
  const auto id = static_cast<ValuePlanId>(value_plans_.size() + 1);
  value_plans_.emplace(id, places);
  return id;
}

Result<std::map<ValuePlanId, std::string>> MemoryPredictions::value_plans() const {
  const std::lock_guard lock(mutex_);
  return value_plans_;
}

Result<void> MemoryPredictions::remember(const std::vector<Prediction>& predictions) {
  const std::lock_guard lock(mutex_);
  for (const Prediction& prediction : predictions) {
    const traffic::PredictionId& id = prediction.outcome.prediction;
    if (!held_.emplace(id, Held{prediction, {}}).second) continue;
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
    bool& told = found->second.told[static_cast<std::size_t>(label.kind)];
    joined.fate = told ? Fate::kDuplicate : Fate::kJoined;
    if (joined.fate == Fate::kDuplicate) continue;
    told = true;
    joined.prediction = found->second.prediction;
    joined.prediction.outcome.at = {};
    LabelTotal& total = totals_[{joined.prediction.endpoint, joined.prediction.version}];
    total.endpoint = joined.prediction.endpoint;
    total.version = joined.prediction.version;
    switch (label.kind) {
      case FeedbackKind::kLabel: ++total.labels; break;
      case FeedbackKind::kReport: ++total.reports; break;
      case FeedbackKind::kConversion: ++total.conversions; break;
    }
  }
  return out;
}

Result<std::vector<LabelTotal>> MemoryPredictions::totals() const {
  const std::lock_guard lock(mutex_);
  std::vector<LabelTotal> out;
  for (const auto& [key, total] : totals_) out.push_back(total);
  return out;
}

}  // namespace backstay
