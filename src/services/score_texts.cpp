#include "services/score_texts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::services {

namespace {

using evaluation::NamedTensor;
using evaluation::Safety;

Unexpected wrong(const Safety& test, const std::string& what, const std::string& hint) {
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("The classifier {} of the safety test '{}' {}.", test.classifier, test.name, what),
                    hint);
}

/// Texts as [rows] or [rows, 1], as the classifier takes them.
Result<registry::TensorSpec> input_of(const ModelRunner& classifier, const Safety& test) {
  const std::vector<registry::TensorSpec>& inputs = classifier.signature().inputs;
  const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const registry::TensorSpec& spec) {
    return test.input.empty() ? inputs.size() == 1 : spec.name == test.input;
  });
  const auto is_one = [](std::int64_t size) { return size == 1 || size == -1; };
  if (inputs.size() != 1 || found == inputs.end() || found->datatype != "BYTES" || found->shape.empty() ||
      !std::all_of(found->shape.begin() + 1, found->shape.end(), is_one))
    return wrong(test, "does not take one text per row",
                 "Its only input must have the datatype BYTES and the shape [-1] or [-1, 1].");
  return *found;
}

Result<void> take_scores(const Safety& test, const std::vector<NamedTensor>& outputs, std::size_t rows,
                         std::vector<double>& scores) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const NamedTensor& output) {
    return test.output.empty() ? outputs.size() == 1 : output.spec.name == test.output;
  });
  if (found == outputs.end() || found->numbers.size() != rows)
    return wrong(test, "does not give one number per text", "Name the output with the score: output: toxic");
  for (const double score : found->numbers)
    if (!(score >= 0 && score <= 1))
      return wrong(test, fmt::format("gives {:g}", score), "Its score must be in [0, 1].");
  scores.insert(scores.end(), found->numbers.begin(), found->numbers.end());
  return {};
}

}  // namespace

Result<std::vector<double>> score_texts(ModelRunner& classifier, const Safety& test,
                                        const std::vector<std::string>& texts, std::size_t batch) {
  TRY(const registry::TensorSpec input, input_of(classifier, test));
  const auto session = classifier.open_session();
  std::vector<double> scores;
  for (std::size_t begin = 0; begin < texts.size(); begin += batch) {
    const std::size_t rows = std::min(batch, texts.size() - begin);
    NamedTensor tensor{input, {}, {}};
    tensor.spec.shape.assign(input.shape.size(), 1);
    tensor.spec.shape[0] = static_cast<std::int64_t>(rows);
    const auto first = texts.begin() + static_cast<std::ptrdiff_t>(begin);
    tensor.texts.assign(first, first + static_cast<std::ptrdiff_t>(rows));
    TRY(const Answer answer, session->predict({tensor}));
    TRY_DO(take_scores(test, answer.outputs, rows, scores));
  }
  return scores;
}

}  // namespace backstay::services
