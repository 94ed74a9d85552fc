#include "wire/gate_exception_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wire/strict_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

constexpr const char* kStatementType = "https://in-toto.io/Statement/v1";
constexpr const char* kPredicateType = "urn:backstay:gate-exception:v1";

}  // namespace

std::string to_json(const GateExceptionStatement& s) {
  const json root{{"_type", kStatementType},
                  {"subject", {{{"name", s.version}, {"digest", {{"sha256", s.manifest_sha256.hex()}}}}}},
                  {"predicateType", kPredicateType},
                  {"predicate",
                   {{"gate", s.gate},
                    {"gate_sha256", s.gate_sha256.hex()},
                    {"evidence_sha256", s.evidence_sha256.hex()},
                    {"verdict", s.verdict},
                    {"reason", s.reason},
                    {"signed_by", s.signed_by},
                    {"signed_at", to_rfc3339(s.signed_at)},
                    {"expires", to_rfc3339(s.expires)}}}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<GateExceptionStatement> gate_exception_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  const auto wrong = [&] {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is no exception from a gate.", name),
                      "backstay gate accept makes them.");
  };
  GateExceptionStatement s;
  std::string manifest;
  std::string gate;
  std::string evidence;
  std::string signed_at;
  std::string expires;
  try {
    const json& predicate = root.at("predicate");
    const json& subject = root.at("subject");
    if (root.at("_type") != kStatementType || root.at("predicateType") != kPredicateType || subject.size() != 1)
      return wrong();
    s.version = subject.at(0).at("name").get<std::string>();
    manifest = subject.at(0).at("digest").at("sha256").get<std::string>();
    s.gate = predicate.at("gate").get<std::string>();
    gate = predicate.at("gate_sha256").get<std::string>();
    evidence = predicate.at("evidence_sha256").get<std::string>();
    s.verdict = predicate.at("verdict").get<std::string>();
    s.reason = predicate.at("reason").get<std::string>();
    s.signed_by = predicate.at("signed_by").get<std::string>();
    signed_at = predicate.at("signed_at").get<std::string>();
    expires = predicate.at("expires").get<std::string>();
  } catch (const json::exception&) {
    return wrong();
  }
  TRY(s.manifest_sha256, Digest::from_hex(manifest));
  TRY(s.gate_sha256, Digest::from_hex(gate));
  TRY(s.evidence_sha256, Digest::from_hex(evidence));
  TRY(s.signed_at, parse_rfc3339(signed_at));
  TRY(s.expires, parse_rfc3339(expires));
  return s;
}

}  // namespace backstay::wire
