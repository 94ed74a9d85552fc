#pragma once

#include <array>
#include <map>
#include <mutex>
#include <unordered_map>

#include "ports/predictions.hpp"

namespace backstay {

/// The newest predictions, as many as fit: for tests and measurements. Thread-safe.
class MemoryPredictions : public PredictionStore {
 public:
  explicit MemoryPredictions(std::size_t most = 1 << 18) : most_(most) {}

  Result<ValuePlanId> value_plan(const std::string& places) override;
  Result<std::map<ValuePlanId, std::string>> value_plans() const override;
  Result<void> remember(const std::vector<Prediction>& predictions) override;
  Result<std::vector<Joined>> label(const std::vector<Label>& labels, Timestamp now) override;
  Result<std::vector<LabelTotal>> totals() const override;

 private:
  struct Hash {
    std::size_t operator()(const traffic::PredictionId& id) const { return static_cast<std::size_t>(id.high ^ id.low); }
  };
  struct Held {
    Prediction prediction;
    std::array<bool, kFeedbackKinds> told{};  ///< By kind.
  };
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::map<ValuePlanId, std::string> value_plans_;
  std::unordered_map<traffic::PredictionId, Held, Hash> held_;
  std::vector<traffic::PredictionId> order_;  ///< A ring: what is overwritten is forgotten.
  std::size_t next_ = 0;
  std::map<std::pair<std::string, std::string>, LabelTotal> totals_;
};

}  // namespace backstay
