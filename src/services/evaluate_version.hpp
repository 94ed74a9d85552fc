#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/evaluation/suite.hpp"
#include "ports/evaluation_journals.hpp"
#include "ports/model_runner.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Starts a version on a backend of its own.
using RunModel = std::function<Result<std::unique_ptr<ModelRunner>>(const registry::VersionRef& version,
                                                                    const evaluation::BackendChoice& backend)>;

struct EvaluationPorts {
  Registry registry;
  EvaluationJournals& journals;
  RunModel run;
  /// Whether a version may judge texts: kFailedPrecondition when it is in quarantine. Empty: all may.
  std::function<Result<void>(const registry::VersionRef& version)> check_classifier{};
};

struct EvaluationRequest {
  registry::VersionRef version;
  std::string suite_name;  ///< What errors call the suite's file.
  std::string suite_text;
  std::filesystem::path folder;                  ///< Files of sets are relative to it.
  std::optional<registry::VersionRef> baseline;  ///< Also measured on the same rows, and compared with.
  std::string program_version;
  OnProgress progress;  ///< Counts rows.
};

struct Evaluation {
  evaluation::Suite suite;
  Digest suite_sha256;
  std::vector<registry::StoredScorecard> scorecards;
  std::vector<std::pair<std::string, evaluation::NamedTensor>> answers;  ///< By set, to the rows as they are.
  std::uint64_t rows = 0;                                                ///< That answers were needed for.
  std::uint64_t restarts = 0;         ///< Of backends that went away while they were asked.
  std::vector<std::string> warnings;  ///< Sentences: what was not measured and why, what went wrong on the way.
  std::uint64_t resumed_rows = 0;     ///< Of these, answered by a run before that was interrupted.
};

/// Runs a version over a suite's sets and stores what was measured as scorecards, those of the first set last, so that
/// they are the newest. What was answered when it is interrupted is kept: the same evaluation goes on from there. Not
/// so when the model's answers are the failure.
Result<Evaluation> evaluate_version(const EvaluationPorts& ports, const EvaluationRequest& request, const Actor& actor);

}  // namespace backstay::services
