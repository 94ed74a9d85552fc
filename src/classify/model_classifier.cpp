#include "classify/model_classifier.hpp"

#include <string>
#include <utility>

namespace backstay::classify {

ModelClassifier::ModelClassifier(services::ScorePlace place, std::shared_ptr<ServedVersion> version)
    : place_(std::move(place)), version_(std::move(version)) {}

// To the version as it is served now.
Result<void> ModelClassifier::connect() {
  auto serving = version_->runner();
  if (serving && *serving == runner_) return {};
  scorer_.reset();
  runner_.reset();
  if (!serving) return Unexpected(std::move(serving).error());
  TRY(services::TextScorer scorer, services::TextScorer::create(**serving, place_));
  runner_ = *std::move(serving);
  scorer_.emplace(std::move(scorer));
  return {};
}

Result<double> ModelClassifier::judge(std::string_view text) {
  TRY_DO(connect());
  const std::string one(text);
  auto scores = scorer_->score(std::span(&one, 1));
  if (scores) return scores->front();
  // Its supervisor brings back what went away; this says that it couldn't, or that nobody waits for it any more.
  if (scores.error().code == ErrorCode::kUnavailable) {
    scorer_.reset();
    version_->lost(std::exchange(runner_, nullptr), scores.error().message);
  }
  return Unexpected(std::move(scores).error());
}

}  // namespace backstay::classify
