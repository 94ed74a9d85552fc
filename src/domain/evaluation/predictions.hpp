#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What a model answered about the rows of an evaluation set, beside what was true.
namespace backstay::evaluation {

enum class Task : std::uint8_t { kClassification, kRegression, kRanking };
const char* to_string(Task task);

/// A protected or other attribute of the rows.
struct Attribute {
  std::string name;                 ///< "site"; of an intersection "site,sex"
  std::vector<std::string> values;  ///< Sorted.
  std::vector<std::uint32_t> of_row;
};

/// One number per row in each vector that the task uses; the others are empty.
struct Predictions {
  Task task = Task::kClassification;

  // Classification. With two classes the second one is the positive one.
  std::vector<std::string> classes;
  std::vector<std::uint32_t> truth;
  std::vector<std::uint32_t> predicted;
  /// P(positive) with two classes, else row-major [rows][classes]; empty: the model gives labels only.
  std::vector<double> scores;
  /// With two classes: P(negative) where the model gives it, which need not be 1 - P(positive) to the last bit.
  std::vector<double> complements;

  // Regression: `target` and `value`. Ranking: the same as relevance and score, by query.
  std::vector<double> target;
  std::vector<double> value;
  std::vector<std::uint32_t> query;

  std::vector<Attribute> attributes;

  std::size_t rows() const { return task == Task::kClassification ? truth.size() : target.size(); }
  bool binary() const { return task == Task::kClassification && classes.size() == 2; }
};

/// The rows that are named, some perhaps several times, without attributes.
Predictions select(const Predictions& all, std::span<const std::uint32_t> rows);

/// The rows of each value of an attribute.
std::vector<std::vector<std::uint32_t>> rows_by_value(const Attribute& attribute);

/// Rows told apart by every attribute at once: values like "a,f". Only combinations that occur.
Attribute intersect(std::span<const Attribute> attributes);

}  // namespace backstay::evaluation
