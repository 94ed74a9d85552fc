#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "classify/served_version.hpp"
#include "ports/classifier.hpp"
#include "services/score_texts.hpp"

namespace backstay::classify {

/// Asks a version of the registry for the number at one place of its answer. Until the version is ready, and while it
/// starts again, a verdict is missing, and says why. Several may ask one version, over a connection each.
class ModelClassifier : public Classifier {
 public:
  ModelClassifier(services::ScorePlace place, std::shared_ptr<ServedVersion> version);

  Result<double> judge(std::string_view text) override;
  /// Stops the version too: all that ask it stop together.
  void stop() override { version_->stop(); }

 private:
  Result<void> connect();

  const services::ScorePlace place_;
  const std::shared_ptr<ServedVersion> version_;
  std::shared_ptr<ModelRunner> runner_;         ///< That the scorer asks.
  std::optional<services::TextScorer> scorer_;  ///< Goes before the runner.
};

}  // namespace backstay::classify
