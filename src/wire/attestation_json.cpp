#include "wire/attestation_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "wire/scorecard_json.hpp"
#include "wire/strict_json.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;
using namespace registry;

constexpr const char* kStatementType = "https://in-toto.io/Statement/v1";
constexpr const char* kProvenance = "https://slsa.dev/provenance/v1";
constexpr const char* kTestResult = "https://in-toto.io/attestation/test-result/v0.1";
// What the fields mean is in docs/proof.md.
constexpr const char* kBuildType = "urn:backstay:model-training:v1";
constexpr const char* kBuilder = "urn:backstay:declared-at-registration:v1";

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

json sha256_of(const Digest& digest) {
  return {{"sha256", digest.hex()}};
}

json statement(const Manifest& manifest, const char* predicate_type, json predicate) {
  json subjects = json::array();
  for (const Artifact& artifact : manifest.artifacts)
    subjects.push_back({{"name", artifact.path}, {"digest", sha256_of(artifact.sha256)}});
  return {{"_type", kStatementType},
          {"subject", std::move(subjects)},
          {"predicateType", predicate_type},
          {"predicate", std::move(predicate)}};
}

void add_code(json& list, const Code& code) {
  if (!code.repository.empty() || !code.commit.empty()) {
    json item = {{"name", "code"}};
    if (!code.repository.empty()) item["uri"] = code.repository;
    if (is_hex(code.commit)) {
      item["digest"] = {{"gitCommit", code.commit}};
    } else if (!code.commit.empty()) {
      item["annotations"]["commit"] = code.commit;
    }
    if (!code.dirty_diff_sha256.empty()) item["annotations"]["dirty_diff_sha256"] = code.dirty_diff_sha256;
    list.push_back(std::move(item));
  }
  for (const FileDigest& file : code.preprocessing)
    list.push_back({{"name", "preprocessing/" + file.path}, {"digest", sha256_of(file.sha256)}});
}

void add_data(json& list, const std::vector<DataSet>& data) {
  for (const DataSet& set : data) {
    for (const DataSlice& slice : set.slices) {
      json item = {{"name", fmt::format("data/{}/{}/{}", set.role, set.name, slice.name)},
                   {"digest", sha256_of(slice.sha256)}};
      if (!set.uri.empty()) item["uri"] = set.uri;
      if (slice.rows > 0) item["annotations"]["rows"] = slice.rows;
      if (!slice.note.empty()) item["annotations"]["note"] = slice.note;
      list.push_back(std::move(item));
    }
  }
}

void add_environment(json& list, const Environment& environment) {
  if (!environment.image.empty()) {
    json item = {{"name", "image"}, {"uri", environment.image}};
    const std::size_t at = environment.image.find("@sha256:");
    if (at != std::string::npos && is_hex(std::string_view(environment.image).substr(at + 8)))
      item["digest"] = {{"sha256", environment.image.substr(at + 8)}};
    list.push_back(std::move(item));
  }
  for (const FileDigest& file : environment.lock_files)
    list.push_back({{"name", "environment/" + file.path}, {"digest", sha256_of(file.sha256)}});
}

json environment_facts(const Environment& environment) {
  json facts = json::object();
  if (!environment.os.empty()) facts["os"] = environment.os;
  if (!environment.hardware.empty()) facts["hardware"] = environment.hardware;
  if (!environment.frameworks.empty()) facts["frameworks"] = environment.frameworks;
  return facts;
}

/// Sorts a verdict's rules into those that passed, failed, and could not be decided.
void add_rules(json& predicate, const AttestedVerdict& verdict) {
  const json evidence = json::parse(verdict.evidence_json, nullptr, false);
  if (!evidence.is_object() || !evidence.contains("rows")) return;
  for (const json& row : evidence["rows"]) {
    const std::string decision = row.value("decision", "");
    const char* list = decision == "PASS" ? "passedTests" : decision == "FAIL" ? "failedTests" : "warnedTests";
    predicate[list].push_back(fmt::format("{}: {}", verdict.gate, row.value("rule", "")));
  }
}

}  // namespace

std::string provenance_statement(const Manifest& manifest, const std::string& program_version) {
  json dependencies = json::array();
  add_code(dependencies, manifest.code);
  add_data(dependencies, manifest.data);
  add_environment(dependencies, manifest.environment);
  for (const VersionRef& parent : manifest.parents)
    dependencies.push_back({{"name", "parent"}, {"uri", "urn:backstay:version:" + parent.str()}});
  json definition = {
      {"buildType", kBuildType},
      {"externalParameters",
       {{"model", manifest.ref.model}, {"version", manifest.ref.version.str()}, {"config", manifest.config}}},
      {"resolvedDependencies", std::move(dependencies)}};
  if (json facts = environment_facts(manifest.environment); !facts.empty())
    definition["internalParameters"] = {{"environment", std::move(facts)}};
  return dump(
      statement(manifest, kProvenance,
                {{"buildDefinition", std::move(definition)},
                 {"runDetails", {{"builder", {{"id", kBuilder}, {"version", {{"backstay", program_version}}}}}}}}));
}

std::string evaluation_statement(const Manifest& manifest, const std::vector<StoredScorecard>& scorecards,
                                 const std::vector<AttestedVerdict>& verdicts) {
  json predicate = {{"configuration", json::array()}, {"passedTests", json::array()}, {"failedTests", json::array()},
                    {"warnedTests", json::array()},   {"verdicts", json::array()},    {"scorecards", json::array()}};
  const auto any = [&](const char* what) {
    return std::any_of(verdicts.begin(), verdicts.end(),
                       [&](const AttestedVerdict& verdict) { return verdict.verdict == what; });
  };
  predicate["result"] = any("FAIL") ? "FAILED" : any("INSUFFICIENT") || verdicts.empty() ? "WARNED" : "PASSED";
  for (const AttestedVerdict& verdict : verdicts) {
    predicate["configuration"].push_back(
        {{"name", "gate/" + verdict.gate}, {"digest", sha256_of(verdict.gate_sha256)}});
    predicate["verdicts"].push_back(
        {{"gate", verdict.gate}, {"verdict", verdict.verdict}, {"at", verdict.at}, {"decided_by", verdict.decided_by}});
    add_rules(predicate, verdict);
  }
  for (const StoredScorecard& card : scorecards) {
    json item = json::parse(to_json(card.scorecard));
    item["at"] = to_rfc3339(card.at);
    predicate["scorecards"].push_back(std::move(item));
  }
  return dump(statement(manifest, kTestResult, std::move(predicate)));
}

Result<StatementHead> statement_head_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  try {
    if (root.at("_type") == kStatementType && root.at("predicate").is_object()) {
      StatementHead head{root.at("predicateType").get<std::string>(), {}};
      for (const json& subject : root.at("subject"))
        head.subjects.push_back({subject.value("name", ""), subject.at("digest").value("sha256", std::string())});
      return head;
    }
  } catch (const json::exception&) {
    // Told below: what is missing matters to nobody who didn't write it.
  }
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not an in-toto statement of version 1.", name),
                    "Give an attestation: backstay attest, or another program that writes in-toto.");
}

Result<std::vector<registry::Scorecard>> scorecards_from_statement(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  if (!root.is_object() || root.value("predicateType", "") != kTestResult)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is not a test result.", name),
                      fmt::format("Its predicateType must be {}.", kTestResult));
  const json* cards = nullptr;
  if (root.contains("predicate") && root["predicate"].is_object() && root["predicate"].contains("scorecards") &&
      root["predicate"]["scorecards"].is_array())
    cards = &root["predicate"]["scorecards"];
  if (cards == nullptr || cards->empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} has no scorecards.", name),
                      "Its predicate must have scorecards: docs/evaluating.md.");
  std::vector<registry::Scorecard> out;
  for (json card : *cards) {
    // When and how it was measured elsewhere; here it counts from when it came, and as signed.
    for (const char* key : {"at", "source"})
      if (card.is_object()) card.erase(key);
    TRY(const Document document, Document::from_json(fmt::format("{}: scorecards[{}]", name, out.size()),
                                                     card.dump(-1, ' ', false, json::error_handler_t::replace)));
    TRY(registry::Scorecard one, scorecard_from(document));
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace backstay::wire
