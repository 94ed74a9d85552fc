#include "services/score_texts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::services {

namespace {

Unexpected wrong(const ScorePlace& place, const std::string& what, const std::string& hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The classifier {} {}.", place.classifier, what), hint);
}

/// "label, probabilities"
template <class Tensors, class Name>
std::string names_of(const Tensors& tensors, Name name) {
  std::string names;
  for (const auto& tensor : tensors) names += (names.empty() ? "" : ", ") + name(tensor);
  return names;
}

}  // namespace

Result<TextScorer> TextScorer::create(ModelRunner& classifier, ScorePlace place) {
  const std::vector<registry::TensorSpec>& inputs = classifier.signature().inputs;
  const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const registry::TensorSpec& spec) {
    return place.input.empty() ? inputs.size() == 1 : spec.name == place.input;
  });
  const auto is_one = [](std::int64_t size) { return size == 1 || size == -1; };
  if (inputs.size() != 1 || found == inputs.end() || found->datatype != "BYTES" || found->shape.empty() ||
      !std::all_of(found->shape.begin() + 1, found->shape.end(), is_one))
    return wrong(place, "does not take one text per row",
                 "Its only input must have the datatype BYTES and the shape [-1] or [-1, 1].");
  registry::TensorSpec input = *found;
  return TextScorer(std::move(place), std::move(input), classifier.open_session());
}

Result<std::vector<double>> TextScorer::score(std::span<const std::string> texts) {
  NamedTensor tensor{input_, {}, {}};
  tensor.spec.shape.assign(input_.shape.size(), 1);
  tensor.spec.shape[0] = static_cast<std::int64_t>(texts.size());
  tensor.texts.assign(texts.begin(), texts.end());
  TRY(const Answer answer, session_->predict({tensor}));
  std::vector<double> scores(texts.size());
  TRY_DO(take_scores(answer.outputs, scores));
  return scores;
}

Result<void> TextScorer::take_scores(const std::vector<NamedTensor>& outputs, std::vector<double>& scores) const {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const NamedTensor& output) {
    return place_.output.empty() ? outputs.size() == 1 : output.spec.name == place_.output;
  });
  const std::string names = names_of(outputs, [](const NamedTensor& output) { return output.spec.name; });
  if (found == outputs.end())
    return wrong(
        place_, fmt::format("does not give one number per text: its outputs are {}", names),
        fmt::format("Name the one with the score: output: {}", outputs.empty() ? "toxic" : outputs.back().spec.name));
  const std::size_t each = scores.empty() ? 0 : found->numbers.size() / scores.size();
  if (each == 0 || found->numbers.size() != each * scores.size() || (each > 1 && !place_.index))
    return wrong(place_,
                 fmt::format("does not give one number per text: '{}' has {} for {}", found->spec.name,
                             found->numbers.size(), scores.size()),
                 "Of several numbers for each text say which is the score: index: 1 is the second.");
  const std::uint64_t at = place_.index.value_or(0);
  if (at >= each)
    return wrong(place_, fmt::format("has {} numbers per text in '{}' and no index {}", each, found->spec.name, at),
                 "The first has the index 0.");
  for (std::size_t row = 0; row < scores.size(); ++row) {
    scores[row] = found->numbers[row * each + at];
    if (!(scores[row] >= 0 && scores[row] <= 1))
      return wrong(place_, fmt::format("gives {:g}", scores[row]), "Its score must be in [0, 1].");
  }
  return {};
}

Result<std::vector<double>> score_texts(ModelRunner& classifier, const ScorePlace& place,
                                        std::span<const std::string> texts, std::size_t batch) {
  TRY(TextScorer scorer, TextScorer::create(classifier, place));
  std::vector<double> scores;
  for (std::size_t begin = 0; begin < texts.size(); begin += batch) {
    TRY(const std::vector<double> some, scorer.score(texts.subspan(begin, std::min(batch, texts.size() - begin))));
    scores.insert(scores.end(), some.begin(), some.end());
  }
  return scores;
}

}  // namespace backstay::services
