#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "ports/classifier.hpp"

namespace backstay::classify {

/// Finds words and phrases of a list in a text: 1 when there is one, 0 when not. Whole words, whatever their case (of
/// ASCII letters; others must be as they are written in the list), phrases over any space between. No model: it says
/// the same every time and everywhere, misses what is not in the list, and finds what is only quoted.
class LexiconClassifier : public Classifier {
 public:
  static constexpr std::size_t kMostTerms = 10'000;
  static constexpr std::size_t kMostWords = 8;  ///< Of a phrase.

  /// One term a line or element; empty ones and those that begin with '#' are left out. kInvalidArgument when there are
  /// none or too many, or one has too many words.
  static Result<LexiconClassifier> from_terms(const std::vector<std::string>& terms);
  static Result<LexiconClassifier> from_lines(const std::string& text);

  Result<double> judge(std::string_view text) override;

 private:
  std::unordered_set<std::string> phrases_;  ///< Words with one space between.
  std::size_t longest_ = 1;                  ///< Words of the longest.
};

}  // namespace backstay::classify
