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

}  // namespace backstay::services
