#include "services/scan_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scan/scanner.hpp"
#include "scan/unpack.hpp"
#include "services/local_files.hpp"
#include "wire/scan_json.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kMostFindings = 2'000;  // Of a version; the worst are kept.
constexpr milliseconds kLongestException = std::chrono::hours(24 * 366);

/// A stored blob as the scanner reads it.
class BlobSource : public scan::ByteSource {
 public:
  explicit BlobSource(const BlobReader& reader) : reader_(reader) {}
  std::uint64_t size() const override { return reader_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    return reader_.read_at(offset, out);
  }

 private:
  const BlobReader& reader_;
};

void append(scan::Report& all, scan::Report one) {
  all.verdict = std::max(all.verdict, one.verdict);
  for (scan::Finding& finding : one.findings) all.findings.push_back(std::move(finding));
  if (all.findings.size() <= kMostFindings) return;
  std::stable_sort(all.findings.begin(), all.findings.end(),
                   [](const scan::Finding& a, const scan::Finding& b) { return a.verdict > b.verdict; });
  all.findings.resize(kMostFindings);
}

}  // namespace

Result<scan::Report> scan_artifacts(const BlobStore& blobs, const registry::Manifest& manifest, bool verify) {
  std::set<std::string> names;
  for (const auto& artifact : manifest.artifacts) names.insert(artifact.path);
  const scan::HasFile has_file = [&](const std::string& path) { return names.contains(path); };
  scan::Report report;
  for (const auto& artifact : manifest.artifacts) {
    if (verify) TRY_DO(blobs.read(artifact.sha256, [](std::span<const std::byte>) { return Result<void>(); }));
    TRY(const std::unique_ptr<BlobReader> reader, blobs.open_reader(artifact.sha256));
    TRY(scan::Report one, scan::scan_artifact(BlobSource(*reader), artifact.path, has_file));
    append(report, std::move(one));
  }
  return report;
}

Result<StoredScan> new_scan(const BlobStore& blobs, const registry::Manifest& manifest, const Actor& actor,
                            bool verify) {
  StoredScan scan;
  TRY(scan.report, scan_artifacts(blobs, manifest, verify));
  scan.scanner = std::string(scan::kScannerVersion);
  scan.by = actor.name;
  return scan;
}

Result<StoredScan> scan_version(Registry registry, const registry::VersionRef& ref, const Actor& actor) {
  TRY(const StoredVersion version, registry.versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(version));
  TRY(const StoredScan scan, new_scan(registry.blobs, manifest, actor, true));
  const std::string verdict = scan::to_string(scan.report.verdict);
  return registry.versions.add_scan(
      ref, scan,
      {actor.name, "version.scan", ref.str(), fmt::format("The scan says {}.", verdict),
       fmt::format("{{\"manifest_sha256\":\"{}\",\"scan\":\"{}\"}}", version.identity.hex(), verdict)});
}

Result<StoredScan> ensure_scanned(Registry registry, const registry::VersionRef& ref, const Actor& actor) {
  TRY(std::vector<StoredScan> scans, registry.versions.scans(ref));
  if (!scans.empty()) return std::move(scans.front());
  return scan_version(registry, ref, actor);
}

Result<scan::Report> scan_files(const std::filesystem::path& path) {
  const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  const bool is_folder = std::filesystem::is_directory(absolute);
  const std::filesystem::path name = absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename();
  TRY(const std::vector<FoundFile> files, find_files({}, {{absolute, is_folder ? "" : name.string()}}));
  std::set<std::string> names;
  for (const FoundFile& file : files) names.insert(file.name);
  const scan::HasFile has_file = [&](const std::string& wanted) {
    if (is_folder || names.contains(wanted)) return names.contains(wanted);
    std::error_code ignored;
    return std::filesystem::is_regular_file(absolute.parent_path() / wanted, ignored);
  };
  scan::Report report;
  for (const FoundFile& file : files) {
    TRY(const std::unique_ptr<scan::FileSource> source, scan::FileSource::open(file.source.string()));
    TRY(scan::Report one, scan::scan_artifact(*source, file.name, has_file));
    append(report, std::move(one));
  }
  return report;
}

Result<ScanException> accept_scan(VersionStore& versions, const registry::VersionRef& ref, const std::string& reason,
                                  milliseconds valid, const Actor& actor) {
  if (reason.find_first_not_of(" \t\r\n") == std::string::npos)
    return Unexpected(ErrorCode::kInvalidArgument, "An exception needs a reason.",
                      "Say with --reason why what was found is no danger here.");
  if (valid <= milliseconds(0) || valid > kLongestException)
    return Unexpected(ErrorCode::kInvalidArgument, "An exception lasts for more than nothing and at most 366 days.",
                      "Give --expires a duration like 30d.");
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const std::vector<StoredScan> scans, versions.scans(ref));
  if (scans.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} has not been scanned.", ref.str()),
                      fmt::format("Run: backstay scan {}", ref.str()));
  const scan::Report& report = scans.front().report;
  if (report.verdict != scan::Verdict::kDangerous)
    return Unexpected(ErrorCode::kConflict,
                      fmt::format("The newest scan of {} says {}.", ref.str(), scan::to_string(report.verdict)),
                      "Only what a scan calls dangerous needs an exception.");
  ScanException exception;
  exception.findings = digest_of(report);
  exception.reason = reason;
  exception.signed_by = actor.name;
  const std::string evidence =
      fmt::format("{{\"manifest_sha256\":\"{}\",\"findings_sha256\":\"{}\",\"scan\":{},\"valid_ms\":{}}}",
                  version.identity.hex(), exception.findings.hex(), scans.front().id, valid.count());
  return versions.add_scan_exception(ref, exception, valid, {actor.name, "scan.accept", ref.str(), reason, evidence});
}

Result<ScanStanding> scan_standing(const VersionStore& versions, const registry::VersionRef& ref) {
  ScanStanding standing;
  TRY(std::vector<StoredScan> scans, versions.scans(ref));
  if (scans.empty()) return standing;
  standing.newest = std::move(scans.front());
  TRY(standing.exception, versions.scan_exception_in_force(ref, digest_of(standing.newest->report)));
  return standing;
}

std::string scan_summary(const scan::Report& report, scan::Verdict at_least) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> names = report.imports(at_least, kShown + 1);
  if (names.empty()) {
    for (const scan::Finding& finding : report.findings) {
      if (finding.verdict >= at_least) return fmt::format("{}: {}", finding.path, finding.why);
    }
    return "nothing";
  }
  const bool more = names.size() > kShown;
  if (more) names.pop_back();
  return fmt::format("{}{}", fmt::join(names, ", "), more ? " and more" : "");
}

Result<void> check_scan(const VersionStore& versions, const registry::VersionRef& ref) {
  TRY(const ScanStanding standing, scan_standing(versions, ref));
  if (!standing.newest)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("The artifacts of {} have not been scanned.", ref.str()),
                      fmt::format("It was registered before there was a scanner. Run: backstay scan {}", ref.str()));
  const scan::Report& report = standing.newest->report;
  if (report.verdict != scan::Verdict::kDangerous || standing.exception) return {};
  return Unexpected(
      ErrorCode::kFailedPrecondition,
      fmt::format("The scan calls {} dangerous ({}).", ref.str(), scan_summary(report, scan::Verdict::kDangerous)),
      fmt::format("Look at: backstay scan {0}. Register a version without it, or let someone answer for it: backstay "
                  "scan accept {0} --reason TEXT --expires 30d",
                  ref.str()));
}

Result<std::string> scan_warning(const VersionStore& versions, const registry::VersionRef& ref) {
  TRY(const ScanStanding standing, scan_standing(versions, ref));
  if (!standing.newest || standing.newest->report.verdict == scan::Verdict::kSafe) return std::string();
  const scan::Report& report = standing.newest->report;
  std::string text = fmt::format("The scan calls {} {}: {}.", ref.str(), scan::to_string(report.verdict),
                                 scan_summary(report, report.verdict));
  if (standing.exception)
    text += fmt::format(" {} answers for it until {}.", standing.exception->signed_by,
                        to_rfc3339(standing.exception->expires));
  return text;
}

}  // namespace backstay::services
