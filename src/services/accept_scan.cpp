#include "services/accept_scan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "services/scan_version.hpp"

namespace backstay::services {

namespace {

Result<StoredScan> dangerous_scan(const VersionStore& versions, const registry::VersionRef& ref) {
  TRY(const std::vector<StoredScan> scans, versions.scans(ref));
  if (scans.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} has not been scanned.", ref.str()),
                      fmt::format("Run: backstay scan {}", ref.str()));
  if (scans.front().report.verdict != scan::Verdict::kDangerous)
    return Unexpected(
        ErrorCode::kConflict,
        fmt::format("The newest scan of {} says {}.", ref.str(), scan::to_string(scans.front().report.verdict)),
        "Only what a scan calls dangerous needs an exception.");
  return scans.front();
}

}  // namespace

Result<ScanException> accept_scan(VersionStore& versions, const registry::VersionRef& ref, const std::string& reason,
                                  milliseconds valid, const signing::PrivateKey& key, const Actor& actor,
                                  Timestamp now) {
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const wire::ExceptionTerms terms, exception_terms(version, reason, valid, actor, now));
  TRY(const StoredScan scan, dangerous_scan(versions, ref));
  ScanException exception;
  exception.findings = digest_of(scan.report);
  const std::string found = scan_summary(scan.report, scan::Verdict::kDangerous);
  TRY(exception.envelope,
      sign_statement(wire::to_json(wire::ScanExceptionStatement{terms, exception.findings, found}), key));
  exception.reason = reason;
  exception.signed_by = actor.name;
  exception.expires = terms.expires;
  const nlohmann::json evidence{{"manifest_sha256", version.identity.hex()},
                                {"findings_sha256", exception.findings.hex()},
                                {"scan", scan.id},
                                {"envelope_sha256", sha256(exception.envelope).hex()},
                                {"key_sha256", key.public_key().id()},
                                {"expires", to_rfc3339(exception.expires)}};
  return versions.add_scan_exception(ref, exception, {actor.name, "scan.accept", ref.str(), reason, evidence.dump()});
}

Result<ScanStanding> scan_standing(const VersionStore& versions, const registry::VersionRef& ref, Timestamp now) {
  ScanStanding standing;
  TRY(std::vector<StoredScan> scans, versions.scans(ref));
  if (scans.empty()) return standing;
  standing.newest = std::move(scans.front());
  const Digest found = digest_of(standing.newest->report);
  TRY(const std::vector<ScanException> exceptions, versions.scan_exceptions(ref));
  for (const ScanException& exception : exceptions) {
    if (exception.findings != found || exception.envelope.empty() || exception.expires <= now) continue;
    standing.exception = exception;
    break;
  }
  return standing;
}

Result<std::optional<wire::ScanExceptionStatement>> trusted_exception(const VersionStore& versions,
                                                                      const TrustedExceptions& trusted,
                                                                      const StoredVersion& version,
                                                                      const scan::Report& report) {
  std::optional<wire::ScanExceptionStatement> none;
  if (trusted.keys.empty()) return none;
  TRY(const std::vector<ScanException> all, versions.scan_exceptions(version.ref));
  const Digest found = digest_of(report);
  for (const ScanException& exception : all) {
    if (exception.envelope.empty()) continue;
    const std::string name = fmt::format("scan exception {} of {}", exception.id, version.ref.str());
    TRY(const std::optional<std::string> text, trusted_statement(trusted, name, exception.envelope));
    if (!text) continue;
    TRY(wire::ScanExceptionStatement statement, wire::scan_exception_from_json(name, *text));
    if (in_force(statement.terms, version, trusted.now) && statement.findings_sha256 == found)
      return std::optional(std::move(statement));
  }
  return none;
}

Result<void> check_scan(const VersionStore& versions, const StoredVersion& version, const TrustedExceptions& trusted) {
  const std::string name = version.ref.str();
  TRY(const ScanStanding standing, scan_standing(versions, version.ref, trusted.now));
  if (!standing.newest)
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("The artifacts of {} have not been scanned.", name),
                      fmt::format("It was registered before there was a scanner. Run: backstay scan {}", name));
  const scan::Report& report = standing.newest->report;
  if (report.verdict != scan::Verdict::kDangerous) return {};
  TRY(const auto exception, trusted_exception(versions, trusted, version, report));
  if (exception) return {};
  const std::string why = standing.exception
                              ? fmt::format(" {} answers for it, with a key that this endpoint does not trust.",
                                            standing.exception->signed_by)
                              : "";
  return Unexpected(
      ErrorCode::kFailedPrecondition,
      fmt::format("The scan calls {} dangerous ({}).{}", name, scan_summary(report, scan::Verdict::kDangerous), why),
      fmt::format("Look at: backstay scan {0}. Register a version without it, or let someone whose key is among the "
                  "endpoint's exception_keys answer for it: backstay scan accept {0} --reason TEXT --expires 30d "
                  "--key KEY",
                  name));
}

Result<std::string> scan_warning(const VersionStore& versions, const StoredVersion& version,
                                 const TrustedExceptions& trusted) {
  TRY(const ScanStanding standing, scan_standing(versions, version.ref, trusted.now));
  if (!standing.newest || standing.newest->report.verdict == scan::Verdict::kSafe) return std::string();
  const scan::Report& report = standing.newest->report;
  std::string text = fmt::format("The scan calls {} {}: {}.", version.ref.str(), scan::to_string(report.verdict),
                                 scan_summary(report, report.verdict));
  TRY(const auto exception, trusted_exception(versions, trusted, version, report));
  if (exception)
    text += fmt::format(" {} answers for it until {} ({}).", exception->terms.signed_by,
                        to_rfc3339(exception->terms.expires), exception->terms.reason);
  return text;
}

}  // namespace backstay::services
