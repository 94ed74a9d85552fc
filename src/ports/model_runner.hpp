#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/evaluation/tensor.hpp"
#include "domain/registry/manifest.hpp"

/// A version that answers, seen by who evaluates it.
namespace backstay {

using evaluation::NamedTensor;

struct Answer {
  std::vector<NamedTensor> outputs;
  nanoseconds took{};  ///< From sending the request to having the whole answer.
};

/// One connection; not thread-safe.
class ModelSession {
 public:
  virtual ~ModelSession() = default;
  /// kInvalidArgument: the model refuses the request, with its own words. kUnavailable: it did not answer, also after
  /// it was given the time to start again. kTimeout: it took longer for one answer than it is given.
  virtual Result<Answer> predict(const std::vector<NamedTensor>& inputs) = 0;
};

/// A version on its own backend, stopped when this object goes. Thread-safe; sessions must not outlive it.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;
  virtual const registry::Signature& signature() const = 0;  ///< As the backend tells it.
  virtual std::unique_ptr<ModelSession> open_session() = 0;
  /// How often its backend went away and was started again so far.
  virtual std::uint64_t restarts() const = 0;
};

}  // namespace backstay
