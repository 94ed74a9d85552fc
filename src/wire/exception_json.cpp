#include "wire/exception_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wire/strict_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

constexpr const char* kStatementType = "https://in-toto.io/Statement/v1";
constexpr const char* kGatePredicate = "urn:backstay:gate-exception:v1";
constexpr const char* kScanPredicate = "urn:backstay:scan-exception:v1";

/// The statement with what is said beside the terms.
std::string statement_of(const ExceptionTerms& terms, const char* predicate_type, json predicate) {
  predicate.update({{"reason", terms.reason},
                    {"signed_by", terms.signed_by},
                    {"signed_at", to_rfc3339(terms.signed_at)},
                    {"expires", to_rfc3339(terms.expires)}});
  const json root{{"_type", kStatementType},
                  {"subject", {{{"name", terms.version}, {"digest", {{"sha256", terms.manifest_sha256.hex()}}}}}},
                  {"predicateType", predicate_type},
                  {"predicate", std::move(predicate)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Reads a statement of one predicate type, member by member; the first that is not as it should be is the error.
class StatementReader {
 public:
  static Result<StatementReader> open(const std::string& name, std::string_view text, const char* predicate_type,
                                      const char* what) {
    TRY(json root, parse_strict_json(name, text));
    StatementReader reader;
    reader.wrong_ = {ErrorCode::kInvalidArgument, fmt::format("{} is no exception from a {}.", name, what),
                     fmt::format("backstay {} accept makes them.", what)};
    const auto text_at = [&](const char* member) { return root.is_object() ? root.value(member, json()) : json(); };
    const json subject = text_at("subject");
    reader.predicate_ = text_at("predicate");
    if (text_at("_type") != kStatementType || text_at("predicateType") != predicate_type || !subject.is_array() ||
        subject.size() != 1 || !subject[0].is_object() || !reader.predicate_.is_object())
      return Unexpected(std::move(reader.wrong_));
    reader.subject_ = subject[0];
    return reader;
  }

  Result<ExceptionTerms> terms() const {
    ExceptionTerms out;
    const json digests = subject_.value("digest", json());
    TRY(out.version, text_of(subject_, "name"));
    TRY(const std::string manifest, text_of(digests, "sha256"));
    TRY(out.manifest_sha256, Digest::from_hex(manifest));
    TRY(out.reason, text("reason"));
    TRY(out.signed_by, text("signed_by"));
    TRY(out.signed_at, time("signed_at"));
    TRY(out.expires, time("expires"));
    return out;
  }
  Result<std::string> text(const char* member) const { return text_of(predicate_, member); }
  Result<Digest> digest(const char* member) const {
    TRY(const std::string hex, text(member));
    return Digest::from_hex(hex);
  }

 private:
  Result<std::string> text_of(const json& object, const char* member) const {
    const auto found = object.find(member);  // end() when it is no object.
    if (found == object.end() || !found->is_string()) return Unexpected(wrong_);
    return found->get<std::string>();
  }
  Result<Timestamp> time(const char* member) const {
    TRY(const std::string written, text(member));
    return parse_rfc3339(written);
  }

  Error wrong_;
  json subject_;
  json predicate_;
};

}  // namespace

std::string to_json(const GateExceptionStatement& s) {
  return statement_of(s.terms, kGatePredicate,
                      {{"gate", s.gate},
                       {"gate_sha256", s.gate_sha256.hex()},
                       {"evidence_sha256", s.evidence_sha256.hex()},
                       {"verdict", s.verdict}});
}

std::string to_json(const ScanExceptionStatement& s) {
  return statement_of(s.terms, kScanPredicate, {{"findings_sha256", s.findings_sha256.hex()}, {"found", s.found}});
}

Result<GateExceptionStatement> gate_exception_from_json(const std::string& name, std::string_view text) {
  TRY(const StatementReader reader, StatementReader::open(name, text, kGatePredicate, "gate"));
  GateExceptionStatement s;
  TRY(s.terms, reader.terms());
  TRY(s.gate, reader.text("gate"));
  TRY(s.gate_sha256, reader.digest("gate_sha256"));
  TRY(s.evidence_sha256, reader.digest("evidence_sha256"));
  TRY(s.verdict, reader.text("verdict"));
  return s;
}

Result<ScanExceptionStatement> scan_exception_from_json(const std::string& name, std::string_view text) {
  TRY(const StatementReader reader, StatementReader::open(name, text, kScanPredicate, "scan"));
  ScanExceptionStatement s;
  TRY(s.terms, reader.terms());
  TRY(s.findings_sha256, reader.digest("findings_sha256"));
  TRY(s.found, reader.text("found"));
  return s;
}

}  // namespace backstay::wire
