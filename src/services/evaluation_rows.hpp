#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "base/digest.hpp"
#include "domain/evaluation/interpret.hpp"
#include "domain/evaluation/suite.hpp"
#include "domain/evaluation/tensor.hpp"

/// The rows of an evaluation set: read twice, so that memory depends on labels and groups and not on the features.
/// First for what is true of them, then, for each question that is asked of the model, as requests.
namespace backstay::services {

/// What the first reading tells.
struct SetFacts {
  Digest sha256;  ///< Of the file's bytes; of the list of the files' digests when there are several.
  std::uint64_t rows = 0;
  evaluation::Predictions truth;
  std::vector<double> deviations;   ///< Standard deviation of each input column, in the order of the inputs.
  std::vector<std::size_t> widths;  ///< Numbers in a cell of each: 1, and of lists how long they all are.
  std::vector<std::vector<std::uint32_t>> chosen;  ///< By robustness test: the rows that its `where` chooses.
};
/// kConflict: the set pins another digest.
Result<SetFacts> read_facts(const evaluation::Set& set, const std::filesystem::path& folder);

/// How a row's cells become one input tensor.
struct TensorPlan {
  registry::TensorSpec spec;  ///< Its shape is that of one row.
  std::size_t first = 0;      ///< Its first column among all input columns.
  const evaluation::Input* input = nullptr;
};
/// kInvalidArgument: the set's inputs are not those of the model.
Result<std::vector<TensorPlan>> plan_tensors(const evaluation::Set& set, const SetFacts& facts,
                                             const registry::Signature& signature);

/// Rows that are sent together.
struct Batch {
  std::uint64_t number = 0;  ///< From 0.
  std::uint64_t rows = 0;
  std::vector<evaluation::NamedTensor> inputs;
};

/// One question: every row of the set, with a change of its cells.
struct Question {
  const evaluation::Set* set = nullptr;
  const SetFacts* facts = nullptr;
  const std::vector<TensorPlan>* plan = nullptr;
  std::string name;  ///< Empty: the rows as they are.
  evaluation::Change change;
  std::uint64_t seed = 1;
  std::uint64_t batch_rows = 64;
};
/// Makes the batches in order; `wanted` false: it is counted and not made. kConflict: the files changed since the facts
/// were read. `take` gives false to end early.
Result<void> make_batches(const Question& question, const std::filesystem::path& folder,
                          const std::function<bool(std::uint64_t number)>& wanted,
                          const std::function<Result<bool>(Batch)>& take);

}  // namespace backstay::services
