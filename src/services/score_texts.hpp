#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ports/model_runner.hpp"

namespace backstay::services {

/// Which number of a classifier's answer is the score of a text.
struct ScorePlace {
  std::string classifier;  ///< "toxic-text@1.2.0", for errors.
  std::string input;       ///< Of texts. Empty: its only one.
  std::string output;      ///< Empty: its only one.
  /// Of several numbers for each text, such as probabilities by class: which one.
  std::optional<std::uint64_t> index;
};

/// Asks a version of the registry how bad texts are: one number in [0, 1] for each. Has a session of its own, so it is
/// not thread-safe and must not outlive the runner.
class TextScorer {
 public:
  /// kInvalidArgument: the classifier does not take texts as [rows] or [rows, 1].
  static Result<TextScorer> create(ModelRunner& classifier, ScorePlace place);
  /// In one request. kInvalidArgument: what it says is no score; others as ModelSession::predict.
  Result<std::vector<double>> score(std::span<const std::string> texts);

 private:
  TextScorer(ScorePlace place, registry::TensorSpec input, std::unique_ptr<ModelSession> session)
      : place_(std::move(place)), input_(std::move(input)), session_(std::move(session)) {}
  Result<void> take_scores(const std::vector<NamedTensor>& outputs, std::vector<double>& scores) const;

  ScorePlace place_;
  registry::TensorSpec input_;
  std::unique_ptr<ModelSession> session_;
};

/// What a classifier says of each text. `batch`: texts per request.
Result<std::vector<double>> score_texts(ModelRunner& classifier, const ScorePlace& place,
                                        std::span<const std::string> texts, std::size_t batch);

}  // namespace backstay::services
