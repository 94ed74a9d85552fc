#include "monitor/attribution_window.hpp"

namespace backstay::monitor {

using guardrails::Measurement;

void AttributionWindow::open(const traffic::Outcome& outcome, bool candidate, double pi) {
  if (order_.size() >= kMost) {
    open_.erase(order_.front());
    order_.pop_front();
  }
  const auto [opened, is_new] =
      open_.emplace(outcome.prediction, Measurement{candidate, pi, 0, outcome.cluster, outcome.at});
  if (!is_new) return;
  opened->second.repeated = !users_.insert(outcome.cluster);
  order_.push_back(outcome.prediction);
}

std::optional<Measurement> AttributionWindow::take(const traffic::PredictionId& id, Monotonic now) {
  const auto found = open_.find(id);
  if (found == open_.end() || now - found->second.at > within_) return std::nullopt;
  Measurement out = found->second;
  open_.erase(found);
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
    out.at = now;
    return out;
  }
  return std::nullopt;
}

void AttributionWindow::clear() {
  users_ = {};
  open_.clear();
  order_.clear();
}

}  // namespace backstay::monitor
