#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/time.hpp"
#include "ports/classifier.hpp"
#include "ports/model_runner.hpp"
#include "services/score_texts.hpp"

namespace backstay::classify {

/// Asks a pinned version of the registry, on a backend of its own. The backend is started by a thread of this object
/// when it is made, and again `retry` after it could not be started or is gone for good; until it is ready a verdict is
/// missing, and says why.
class ModelClassifier : public Classifier {
 public:
  /// Returns when the version answers, fails, or was told to stop; may take long.
  using Start = std::function<Result<std::unique_ptr<ModelRunner>>(const std::stop_token& stop)>;

  ModelClassifier(services::ScorePlace place, Start start, milliseconds retry = seconds(30));
  ~ModelClassifier() override { stop(); }
  ModelClassifier(const ModelClassifier&) = delete;
  ModelClassifier& operator=(const ModelClassifier&) = delete;

  Result<double> judge(std::string_view text) override;
  void stop() override { thread_.request_stop(); }

 private:
  struct Served {
    std::unique_ptr<ModelRunner> runner;
    std::optional<services::TextScorer> scorer;  ///< Goes before the runner.
  };
  void run(const std::stop_token& stop);
  Result<std::shared_ptr<Served>> serve(const std::stop_token& stop) const;

  const services::ScorePlace place_;
  const Start start_;
  const milliseconds retry_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<Served> served_;  ///< nullptr: not ready.
  std::string why_not_;
  std::jthread thread_;  ///< Last: it uses the above.
};

}  // namespace backstay::classify
