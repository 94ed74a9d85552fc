#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"

/// Answers of a model that an evaluation has so far, so that one that was interrupted goes on where it was.
namespace backstay {

/// One at work; thread-safe.
class EvaluationJournal {
 public:
  virtual ~EvaluationJournal() = default;
  /// What was there when it was opened: number of the batch -> what was appended for it.
  virtual const std::map<std::uint64_t, std::string>& recorded() const = 0;
  virtual Result<void> append(std::uint64_t batch, const std::string& text) = 0;
};

class EvaluationJournals {
 public:
  virtual ~EvaluationJournals() = default;
  /// `key`: what was asked of which version. kConflict: another process evaluates the same.
  virtual Result<std::unique_ptr<EvaluationJournal>> open(const Digest& key) = 0;
  /// Forgets it; the evaluation is done. Not while it is open.
  virtual void remove(const Digest& key) = 0;
};

}  // namespace backstay
