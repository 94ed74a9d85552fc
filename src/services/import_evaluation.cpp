#include "services/import_evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/add_scorecard.hpp"
#include "services/attest_version.hpp"

namespace backstay::services {

namespace {

Result<void> check_subjects(const std::string& name, const wire::StatementHead& head,
                            const registry::Manifest& manifest) {
  std::set<std::string> stated;
  std::set<std::string> artifacts;
  for (const wire::StatementHead::Subject& subject : head.subjects) stated.insert(subject.sha256);
  for (const registry::Artifact& artifact : manifest.artifacts) artifacts.insert(artifact.sha256.hex());
  if (stated == artifacts) return {};
  return Unexpected(ErrorCode::kIntegrity,
                    fmt::format("{} is about other files than those of {}.", name, manifest.ref.str()),
                    "Its subjects must be the version's artifacts, each with its SHA-256, and no others.");
}

}  // namespace

Result<ImportedEvaluation> import_evaluation(VersionStore& versions, const registry::VersionRef& ref,
                                             const std::string& name, std::string_view envelope,
                                             const signing::PublicKey& trusted, const Actor& actor) {
  TRY(const StoredVersion stored, versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  TRY(const VerifiedAttestation verified, verify_attestation(name, envelope, trusted));
  TRY_DO(check_subjects(name, verified.head, manifest));
  TRY(std::vector<registry::Scorecard> cards, wire::scorecards_from_statement(name, verified.statement));
  ImportedEvaluation done;
  done.statement_sha256 = sha256(verified.statement);
  done.key_id = trusted.id();
  // Of the statement, not of the envelope: one may be signed again and again, with other bytes each time.
  const std::string mark = fmt::format("statement sha256:{}", done.statement_sha256.hex());
  TRY(const std::vector<registry::StoredScorecard> known, versions.scorecards(ref));
  const bool taken = std::any_of(known.begin(), known.end(), [&](const registry::StoredScorecard& card) {
    return card.scorecard.evaluator.find(mark) != std::string::npos;
  });
  if (taken)
    return Unexpected(ErrorCode::kConflict, fmt::format("What {} says was taken already.", name),
                      "Measure anew: an old result does not count as a newer one.");
  for (registry::Scorecard& card : cards) {
    card.source = registry::Source::kSigned;
    card.evaluator =
        fmt::format("{}, signed by key {}, {}", card.evaluator.empty() ? "unnamed" : card.evaluator, done.key_id, mark);
    TRY_DO(registry::validate(card));
  }
  for (const registry::Scorecard& card : cards) {
    TRY(registry::StoredScorecard one, add_scorecard(versions, ref, card, actor));
    done.scorecards.push_back(std::move(one));
  }
  return done;
}

}  // namespace backstay::services
