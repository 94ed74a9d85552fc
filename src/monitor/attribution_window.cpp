#include "monitor/attribution_window.hpp"

namespace backstay::monitor {

using guardrails::Measurement;

std::optional<Measurement> AttributionWindow::open(const traffic::Outcome& outcome, bool candidate, double pi) {
  const bool first = users_.insert(outcome.cluster);
  if (order_.size() >= kMost) return std::nullopt;
  Measurement answer{candidate, pi, 0, outcome.cluster, outcome.at};
  answer.answered = outcome.at;
  answer.stage = Measurement::Stage::kOpened;
  const auto [opened, is_new] = open_.emplace(outcome.prediction, answer);
  if (!is_new) return std::nullopt;
  opened->second.repeated = !first;
  if (candidate) opened->second.number = numbered_++;
  order_.push_back(outcome.prediction);
  return opened->second;
}

std::optional<Measurement> AttributionWindow::take(const traffic::PredictionId& id, Monotonic now) {
  const auto found = open_.find(id);
  if (found == open_.end() || now - found->second.at > within_) return std::nullopt;
  Measurement out = found->second;
  open_.erase(found);
  out.stage = Measurement::Stage::kSettled;
  out.at = now;
  return out;
}

std::optional<Measurement> AttributionWindow::close_one(Monotonic now) {
  while (!order_.empty()) {
    const auto oldest = open_.find(order_.front());
    if (oldest == open_.end()) {
      order_.pop_front();
      continue;
    }
    if (now - oldest->second.at <= within_) return std::nullopt;
    Measurement out = oldest->second;
    open_.erase(oldest);
    order_.pop_front();
    out.stage = Measurement::Stage::kSettled;
    out.at = now;
    return out;
  }
  return std::nullopt;
}

void AttributionWindow::clear() {
  users_ = {};
  open_.clear();
  order_.clear();
  numbered_ = 0;
}

}  // namespace backstay::monitor
