#include <bit>
#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "wire/answers_jsonl.hpp"
#include "wire/inference_json.hpp"

using namespace backstay;

namespace {

bool same_bits(const evaluation::NamedTensor& a, const evaluation::NamedTensor& b) {
  if (a.spec != b.spec || a.texts != b.texts || a.numbers.size() != b.numbers.size()) return false;
  for (std::size_t i = 0; i < a.numbers.size(); ++i)
    if (std::bit_cast<std::uint64_t>(a.numbers[i]) != std::bit_cast<std::uint64_t>(b.numbers[i])) return false;
  return true;
}

}  // namespace

/// What a model server answers, and answers that were recorded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto outputs = wire::infer_response("f", text)) {
    // What a journal keeps is what came.
    const auto again = wire::outputs_from_json("copy", wire::outputs_to_json(*outputs));
    CHECK(again && again->size() == outputs->size());
    for (std::size_t i = 0; i < outputs->size(); ++i) CHECK(same_bits((*outputs)[i], (*again)[i]));
  }
  if (const auto metadata = wire::model_metadata("f", text)) CHECK(metadata->inputs.size() <= size);
  CHECK(wire::error_of_answer(text).size() <= 500);
  if (const auto recorded = wire::answer_from_json("f", text)) {
    evaluation::NamedTensor row = recorded->outputs;
    row.spec.shape = {1, static_cast<std::int64_t>(row.numbers.size() + row.texts.size())};
    if (row.numbers.empty() || row.texts.empty()) {
      CHECK(row.spec.shape[1] == 0 || wire::same_answer(row, 0, *recorded));
      const std::string line = wire::answers_to_jsonl(recorded->set, row);
      if (!line.empty()) CHECK(wire::answer_from_json("copy", std::string_view(line).substr(0, line.size() - 1)));
    }
  }
  return 0;
}
