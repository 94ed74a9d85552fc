#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/evaluation/predictions.hpp"
#include "domain/evaluation/suite.hpp"
#include "domain/evaluation/tensor.hpp"

/// From the cells of a table and the numbers of a model to truth and predictions.
namespace backstay::evaluation {

/// The same text for the same class, however it is written: "1.0" and "1" are "1".
std::string class_text(std::string_view written);

/// The classes of a set as its predictions have them: of two, the positive one is last.
std::vector<std::string> classes_of(const Set& set);

/// A finite number that takes the whole text.
std::optional<double> number_in(std::string_view text);

/// What the rows of a set say is true, taken row by row. `row` in errors counts from 1.
class Truth {
 public:
  explicit Truth(const Set& set);
  /// `groups` as Set::groups. kInvalidArgument: the label is missing, of no known class, or no number.
  Result<void> add(std::string_view label, std::string_view query, const std::vector<std::string_view>& groups);
  std::uint64_t rows() const { return rows_; }
  /// With `attributes`: the groups, and their intersection when the set asks for it.
  Predictions finish();

 private:
  Result<void> add_label(std::string_view label);
  const Set& set_;
  Predictions truth_;
  std::vector<std::vector<std::string>> groups_;
  std::vector<std::string> queries_;
  std::uint64_t rows_ = 0;
};

/// `answers`: one output for all rows in order, its first dimension the rows. kInvalidArgument when it is not what the
/// set says that it is: a score outside of [0, 1], probabilities that don't add up, an unknown class.
Result<Predictions> interpret(const Set& set, const Predictions& truth, const NamedTensor& answers);

}  // namespace backstay::evaluation
