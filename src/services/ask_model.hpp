#pragma once

#include "ports/evaluation_journals.hpp"
#include "ports/model_runner.hpp"
#include "services/evaluation_rows.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Where answers are kept and how far asking is.
struct Asking {
  ModelRunner& runner;
  EvaluationJournal& journal;
  std::filesystem::path folder;                   ///< Of the suite.
  std::uint64_t parallel = 1;                     ///< Sessions.
  std::function<void(std::uint64_t rows)> asked;  ///< Rows that were answered, from any thread, one call at a time.
  /// As `asked`, each second that passes without an answer: how long there was none.
  std::function<void(seconds without)> waiting{};
};

/// The answers of one output for all rows, in order: what the journal has, and the rest from the model. `output`: its
/// name; empty: its only one. The first failure ends it; what was answered until then is in the journal.
Result<evaluation::NamedTensor> ask_model(const Question& question, const std::string& output, const Asking& asking);

struct Timing {
  std::vector<double> seconds;  ///< Of each request, sorted.
  double rows_per_second = 0;
};
/// Sends requests one after the other in each of `latency.parallel` sessions, after a warm-up, over and over the set's
/// first rows.
Result<Timing> time_model(const Question& question, const evaluation::Latency& latency, ModelRunner& runner,
                          const std::filesystem::path& folder);

}  // namespace backstay::services
