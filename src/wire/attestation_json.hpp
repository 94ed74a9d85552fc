#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"

/// in-toto statements (v1) about a version. They say what the registry holds and nothing else: what was not recorded is
/// left out.
namespace backstay::wire {

/// SLSA provenance v1: the artifacts; config as external parameters; code, data slices, lock files, image and parents
/// as resolved dependencies; the rest of the environment as internal parameters.
std::string provenance_statement(const registry::Manifest& manifest, const std::string& program_version);

/// A gate's decision, as an attestation has it.
struct AttestedVerdict {
  std::string gate;
  Digest gate_sha256;
  std::string verdict;        ///< "PASS", "FAIL", "INSUFFICIENT"
  std::string evidence_json;  ///< The verdict table (wire/scorecard_json.hpp).
  std::string at;
  std::string decided_by;
};
/// in-toto test-result v0.1: PASSED only if the newest verdict of every gate is PASS, FAILED if one is FAIL, else
/// WARNED; each rule by name; the scorecards under "scorecards". `verdicts` has the newest of each gate.
std::string evaluation_statement(const registry::Manifest& manifest,
                                 const std::vector<registry::StoredScorecard>& scorecards,
                                 const std::vector<AttestedVerdict>& verdicts);

/// What can be said of any statement.
struct StatementHead {
  std::string predicate_type;
  struct Subject {
    std::string name;
    std::string sha256;
  };
  std::vector<Subject> subjects;
};
Result<StatementHead> statement_head_from_json(const std::string& name, std::string_view text);

/// What an in-toto test-result v0.1 says was measured: its predicate's "scorecards", as evaluation_statement() writes
/// them. kUnsupported: another predicate; kInvalidArgument: it has none.
Result<std::vector<registry::Scorecard>> scorecards_from_statement(const std::string& name, std::string_view text);

}  // namespace backstay::wire
