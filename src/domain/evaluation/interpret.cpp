#include "domain/evaluation/interpret.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace backstay::evaluation {

namespace {

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

/// The texts sorted, each once, and for each row which it is.
Attribute index_texts(std::string name, const std::vector<std::string>& texts) {
  Attribute out;
  out.name = std::move(name);
  std::map<std::string, std::uint32_t> indexes;
  for (const std::string& text : texts) indexes.emplace(text, 0);
  for (auto& [text, index] : indexes) {
    index = static_cast<std::uint32_t>(out.values.size());
    out.values.push_back(text);
  }
  for (const std::string& text : texts) out.of_row.push_back(indexes[text]);
  return out;
}

std::optional<std::uint32_t> class_index(const std::vector<std::string>& classes, const std::string& text) {
  const auto found = std::find(classes.begin(), classes.end(), text);
  if (found == classes.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - classes.begin());
}

Unexpected wrong_width(const Set& set, const NamedTensor& answers, const std::string& wanted) {
  if (answers.numbers.empty() && !answers.texts.empty())
    return invalid(fmt::format("The output '{}' holds texts (BYTES), and the set '{}' wants {} per row.",
                               answers.spec.name, set.name, wanted),
                   "Name another output of the model, or another kind: label or text.");
  return invalid(fmt::format("The output '{}' has shape [{}], and the set '{}' wants {} per row.", answers.spec.name,
                             fmt::join(answers.spec.shape, ","), set.name, wanted),
                 "Name another output of the model, or another kind: score, probabilities, label, value or text.");
}

Result<void> take_scores(const Set& set, const NamedTensor& answers, Predictions& out) {
  const double threshold = set.output.threshold.value_or(0.5);
  for (std::size_t i = 0; i < answers.numbers.size(); ++i) {
    const double score = answers.numbers[i];
    if (!(score >= 0 && score <= 1))
      return invalid(
          fmt::format("The score of row {} of the set '{}' is {:g}, outside of [0, 1].", i + 1, set.name, score),
          "A score is a probability. A model that gives logits is one whose output is no score.");
    out.predicted.push_back(score >= threshold ? 1 : 0);
  }
  out.scores = answers.numbers;
  return {};
}

Result<void> take_probabilities(const Set& set, const NamedTensor& answers, Predictions& out) {
  constexpr double kSlack = 1e-3;  // Of a softmax in half precision.
  const std::size_t width = set.classes.size();
  std::vector<std::uint32_t> index;  // Of an output's column among the predictions' classes.
  for (const std::string& name : set.classes) index.push_back(*class_index(out.classes, class_text(name)));
  std::vector<double> row(width);
  for (std::size_t i = 0; i < out.truth.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < width; ++k) {
      const double p = answers.numbers[i * width + k];
      if (!(p >= -kSlack && p <= 1 + kSlack)) sum = -1e9;
      row[index[k]] = std::clamp(p, 0.0, 1.0);
      sum += p;
    }
    if (std::abs(sum - 1) > kSlack)
      return invalid(
          fmt::format("The probabilities of row {} of the set '{}' are not in [0, 1] with the sum 1.", i + 1, set.name),
          "Name the output with probabilities; logits are none.");
    if (out.binary()) {
      out.scores.push_back(row[1]);
      out.complements.push_back(row[0]);
      // A tie is the class's that is named first, as in scikit-learn.
      const bool first = index.front() == 1;
      const bool more = row[1] > row[0] || (first && row[1] == row[0]);
      const bool positive = set.output.threshold ? row[1] >= *set.output.threshold : more;
      out.predicted.push_back(positive ? 1 : 0);
      continue;
    }
    out.scores.insert(out.scores.end(), row.begin(), row.end());
    out.predicted.push_back(static_cast<std::uint32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return {};
}

Result<void> take_labels(const Set& set, const NamedTensor& answers, Predictions& out) {
  for (std::size_t i = 0; i < out.truth.size(); ++i) {
    const std::string text =
        answers.texts.empty() ? fmt::format("{}", answers.numbers[i]) : class_text(answers.texts[i]);
    const auto index = class_index(out.classes, text);
    if (!index)
      return invalid(fmt::format("The model calls row {} of the set '{}' '{}', which is none of its classes: {}.",
                                 i + 1, set.name, text.substr(0, 100), fmt::join(out.classes, ", ")),
                     "Name every class as the model writes it.");
    out.predicted.push_back(*index);
  }
  return {};
}

}  // namespace

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::string class_text(std::string_view written) {
  if (const auto number = number_in(written)) return fmt::format("{}", *number);
  return std::string(written);
}

std::vector<std::string> classes_of(const Set& set) {
  std::vector<std::string> classes;
  for (const std::string& name : set.classes) classes.push_back(class_text(name));
  if (classes.size() == 2 && !set.positive.empty() && class_text(set.positive) == classes[0])
    std::swap(classes[0], classes[1]);
  return classes;
}

Truth::Truth(const Set& set) : set_(set), groups_(set.groups.size()) {
  truth_.task = set.task;
  truth_.classes = classes_of(set);
}

Result<void> Truth::add_label(std::string_view label) {
  if (set_.label.empty()) return {};
  if (label.empty())
    return invalid(fmt::format("Row {} of the set '{}' has no {}.", rows_, set_.name, set_.label),
                   "Leave rows without the truth out of the set.");
  if (set_.task != Task::kClassification) {
    const auto number = number_in(label);
    const bool good = number && (set_.task == Task::kRegression || *number >= 0);
    if (!good)
      return invalid(fmt::format("Row {} of the set '{}' has the {} '{}', which is no number{}.", rows_, set_.name,
                                 set_.label, label.substr(0, 100), set_.task == Task::kRanking ? " of 0 or more" : ""),
                     set_.task == Task::kRanking ? "Relevance is 0 for what does not belong, and more for what does."
                                                 : "Leave rows without the truth out of the set.");
    truth_.target.push_back(*number);
    return {};
  }
  const auto index = class_index(truth_.classes, class_text(label));
  if (!index)
    return invalid(fmt::format("Row {} of the set '{}' has the {} '{}', which is none of its classes: {}.", rows_,
                               set_.name, set_.label, label.substr(0, 100), fmt::join(truth_.classes, ", ")),
                   "Name every class in the suite.");
  truth_.truth.push_back(*index);
  return {};
}

Result<void> Truth::add(std::string_view label, std::string_view query, const std::vector<std::string_view>& groups) {
  ++rows_;
  TRY_DO(add_label(label));
  if (set_.task == Task::kRanking) queries_.emplace_back(query);
  for (std::size_t i = 0; i < groups_.size(); ++i)
    groups_[i].push_back(fmt::format("{}={}", set_.groups[i], groups[i].empty() ? "(missing)" : groups[i]));
  return {};
}

Predictions Truth::finish() {
  for (std::size_t i = 0; i < groups_.size(); ++i) truth_.attributes.push_back(index_texts(set_.groups[i], groups_[i]));
  if (set_.intersections && truth_.attributes.size() > 1)
    truth_.attributes.push_back(intersect(std::vector<Attribute>(truth_.attributes)));
  if (set_.task == Task::kRanking) truth_.query = index_texts("", queries_).of_row;
  return std::move(truth_);
}

Result<Predictions> interpret(const Set& set, const Predictions& truth, const NamedTensor& answers) {
  Predictions out = truth;
  const std::size_t rows = truth.rows();
  const bool labels = set.output.kind == Output::Kind::kLabel;
  const std::size_t width = set.output.kind == Output::Kind::kProbabilities ? set.classes.size() : 1;
  const std::size_t elements = labels && !answers.texts.empty() ? answers.texts.size() : answers.numbers.size();
  if (elements != rows * width)
    return wrong_width(set, answers,
                       width == 1 ? (labels ? "one label" : "one number") : fmt::format("{} numbers", width));
  switch (set.output.kind) {
    case Output::Kind::kScore: TRY_DO(take_scores(set, answers, out)); break;
    case Output::Kind::kProbabilities: TRY_DO(take_probabilities(set, answers, out)); break;
    case Output::Kind::kLabel: TRY_DO(take_labels(set, answers, out)); break;
    case Output::Kind::kValue: out.value = answers.numbers; break;
    case Output::Kind::kText: break;
  }
  return out;
}

}  // namespace backstay::evaluation
