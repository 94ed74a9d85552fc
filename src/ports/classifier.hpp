#pragma once

#include <string_view>

#include "base/result.hpp"

namespace backstay {

/// Judges the text of an answer. Each is called from one thread, off every request's path.
class Classifier {
 public:
  virtual ~Classifier() = default;
  /// How bad it is, from 0 (not at all) to 1. May take long, up to a time-out of its own. A failure is a verdict that
  /// is missing, not a bad one.
  virtual Result<double> judge(std::string_view text) = 0;
  /// Nothing more is asked: a judge() that waits gives up. Any thread.
  virtual void stop() {}
};

}  // namespace backstay
