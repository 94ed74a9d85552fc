#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/time.hpp"
#include "ports/model_runner.hpp"

namespace backstay::classify {

/// A pinned version of the registry on a backend of its own, for whoever asks it: one for all classifiers that name it.
/// A thread of this object starts the backend when it is made, and again after it is gone for good, or `retry` after it
/// could not be started. Thread-safe.
class ServedVersion {
 public:
  /// Returns when the version answers, fails, or was told to stop; may take long.
  using Start = std::function<Result<std::unique_ptr<ModelRunner>>(const std::stop_token& stop)>;

  /// `name`: of the version, for messages.
  ServedVersion(const std::string& name, Start start, milliseconds retry = seconds(30));
  ServedVersion(const ServedVersion&) = delete;
  ServedVersion& operator=(const ServedVersion&) = delete;

  /// kUnavailable while there is none; says why.
  Result<std::shared_ptr<ModelRunner>> runner();
  /// `runner` is gone for good: another one is started, unless someone else said so before.
  void lost(const std::shared_ptr<ModelRunner>& runner, const std::string& why);
  /// Nothing is started any more; a start that is under way gives up.
  void stop() { thread_.request_stop(); }

 private:
  void run(const std::stop_token& stop);

  const Start start_;
  const milliseconds retry_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<ModelRunner> runner_;  ///< nullptr: not ready.
  std::string why_not_;
  std::jthread thread_;  ///< Last: it uses the above.
};

}  // namespace backstay::classify
