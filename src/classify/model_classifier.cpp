#include "classify/model_classifier.hpp"

#include <utility>

namespace backstay::classify {

ModelClassifier::ModelClassifier(services::ScorePlace place, Start start, milliseconds retry)
    : place_(std::move(place)),
      start_(std::move(start)),
      retry_(retry),
      why_not_(place_.classifier + " is starting."),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Result<std::shared_ptr<ModelClassifier::Served>> ModelClassifier::serve(const std::stop_token& stop) const {
  auto served = std::make_shared<Served>();
  TRY(served->runner, start_(stop));
  TRY(services::TextScorer scorer, services::TextScorer::create(*served->runner, place_));
  served->scorer.emplace(std::move(scorer));
  return served;
}

void ModelClassifier::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto served = serve(stop);
    std::unique_lock lock(mutex_);
    if (!served) {
      why_not_ = served.error().message;
      changed_.wait_for(lock, stop, retry_, [] { return false; });
      continue;
    }
    served_ = *std::move(served);
    changed_.wait(lock, stop, [this] { return served_ == nullptr; });
  }
}

Result<double> ModelClassifier::judge(std::string_view text) {
  std::shared_ptr<Served> served;
  {
    const std::lock_guard lock(mutex_);
    if (!served_) return Unexpected(ErrorCode::kUnavailable, why_not_);
    served = served_;
  }
  const std::string one(text);
  auto scores = served->scorer->score(std::span(&one, 1));
  if (scores) return scores->front();
  // Its supervisor brings back what went away; this says that it couldn't, or that nobody waits for it any more.
  if (scores.error().code == ErrorCode::kUnavailable) {
    {
      const std::lock_guard lock(mutex_);
      why_not_ = scores.error().message;
      served_.reset();
    }
    changed_.notify_all();
  }
  return Unexpected(std::move(scores).error());
}

}  // namespace backstay::classify
