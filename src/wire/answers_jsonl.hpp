#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/evaluation/tensor.hpp"

/// Answers of a model row by row, which later evaluations compare theirs with, bit by bit. One JSON object per line:
///
///     {"set":"held-out","row":0,"outputs":[0.25]}
///
/// Numbers are the shortest that read back as the same bits.
namespace backstay::wire {

/// Lines for every row of `answers`, whose first dimension is the rows.
std::string answers_to_jsonl(const std::string& set, const evaluation::NamedTensor& answers);

struct RecordedAnswer {
  std::string set;
  std::uint64_t row = 0;
  evaluation::NamedTensor outputs;  ///< `numbers` or `texts` only.
};
Result<RecordedAnswer> answer_from_json(const std::string& name, std::string_view line);

/// Whether a row of `answers` is what was recorded: as many elements, numbers with the same bits, texts byte by byte.
bool same_answer(const evaluation::NamedTensor& answers, std::uint64_t row, const RecordedAnswer& recorded);

}  // namespace backstay::wire
