#include "services/capture_environment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/keep_bytes.hpp"
#include "services/local_files.hpp"
#include "wire/lock_files.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

using wire::LockReport;
using wire::Pinning;

constexpr std::size_t kMaxLockBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxFindings = 20;
constexpr std::size_t kFindingsShown = 3;
constexpr const char* kInstalled = "installed-packages.txt";

Result<std::string> read_small(const FoundFile& file) {
  if (file.size_bytes > kMaxLockBytes)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is larger than 16 MiB.", file.name));
  std::string text;
  TRY_DO(read_file(file.source, [&](std::span<const std::byte> piece) -> Result<void> {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return text;
}

/// Gathers what several lock files say; the least pinned one counts.
class Gathering {
 public:
  explicit Gathering(registry::Environment& environment) : environment_(environment) {}

  void add(const std::string& name, const LockReport& report) {
    least_ = any_ ? std::min(least_, report.pinning) : report.pinning;
    any_ = true;
    for (const std::string& finding : report.findings)
      add_finding(report.pinning, fmt::format("{}: {}", name, finding));
    if (report.more_findings > 0)
      add_finding(report.pinning, fmt::format("{}: and {} more", name, report.more_findings));
    for (const auto& [package, version] : report.packages) add_package(package, version);
  }

  /// A file that is no lock file, or none that can be read. The error names it.
  void add_unread(const Error& error) {
    least_ = Pinning::kUnpinned;
    any_ = true;
    std::string what = error.message;
    while (what.ends_with('.')) what.pop_back();
    add_finding(Pinning::kUnpinned, std::move(what));
  }

  /// What is said by hand wins, however its name is written.
  void add_package(const std::string& package, const std::string& version) {
    const auto& given = environment_.frameworks;
    const bool there = std::any_of(given.begin(), given.end(),
                                   [&](const auto& entry) { return wire::normalised_package(entry.first) == package; });
    if (!there) environment_.frameworks[package] = version;
  }

  void finish() {
    const std::string& image = environment_.image;
    const bool pinned_image = !image.empty() && registry::is_pinned_image(image);
    if (!image.empty() && !pinned_image) {
      // That a version can't go to production for it must be among the findings, however many there are.
      auto& findings = environment_.findings;
      if (findings.size() >= kMaxFindings) {
        findings.pop_back();
        levels_.pop_back();
      }
      levels_.push_back(kImage);
      findings.push_back(fmt::format("the image {} has no digest, so its content can change", image.substr(0, 200)));
      least_ = Pinning::kUnpinned;
    }
    if (any_ || !image.empty()) environment_.pinning = wire::to_string(pinned_image ? Pinning::kPinned : least_);
  }

  bool any() const { return any_; }

  /// The findings for a person who reads only the first: a floating image, then those of the least pinned file.
  std::vector<std::string> worst_first() const {
    std::vector<std::string> out;
    for (int level = kImage; level <= static_cast<int>(Pinning::kPinned); ++level)
      for (std::size_t i = 0; i < levels_.size(); ++i)
        if (levels_[i] == level) out.push_back(environment_.findings[i]);
    return out;
  }

 private:
  static constexpr int kImage = static_cast<int>(Pinning::kUnpinned) - 1;

  void add_finding(Pinning level, std::string text) {
    if (environment_.findings.size() >= kMaxFindings) return;
    environment_.findings.push_back(std::move(text));
    levels_.push_back(static_cast<int>(level));
  }

  registry::Environment& environment_;
  Pinning least_ = Pinning::kPinned;
  bool any_ = false;
  std::vector<int> levels_;  ///< Of each finding: how pinned the file is that it is about, or kImage.
};

/// Files that a lock file includes must be kept as well, or what it pins is not known.
void check_includes(const FoundFile& file, const std::vector<FoundFile>& all, LockReport& report) {
  for (const std::string& include : report.includes) {
    const std::string wanted = (fs::path(file.name).parent_path() / include).lexically_normal().string();
    const bool kept = std::any_of(all.begin(), all.end(), [&](const FoundFile& each) { return each.name == wanted; });
    if (!kept)
      report.finding(Pinning::kUnpinned, fmt::format("it includes {}, which is not among the lock files", include));
  }
}

Result<void> read_lock_files(const fs::path& folder, const wire::VersionSpec& spec, Gathering& gathering,
                             std::vector<std::string>& warnings) {
  TRY(const std::vector<FoundFile> files, find_files(folder, spec.lock_files));
  for (const FoundFile& file : files) {
    TRY(const std::string text, read_small(file));
    if (wire::holds_password(text))
      warnings.push_back(
          fmt::format("{} holds an address with a password, and versions are kept for ever: use a "
                      "variable such as ${{TOKEN}} instead.",
                      file.name));
    auto report = wire::read_lock_file(file.name, text);
    if (!report) {
      gathering.add_unread(report.error());
      continue;
    }
    check_includes(file, files, *report);
    gathering.add(file.name, *report);
  }
  return {};
}

Result<void> capture_python(BlobStore* blobs, const CaptureOptions& options, registry::Environment& environment,
                            Gathering& gathering) {
  TRY(const PythonState python, options.machine->python(options.python));
  if (environment.python.empty()) environment.python = python.version;
  std::string text = fmt::format("# Python {}\n", python.version);
  for (const auto& [name, version] : python.packages) text += fmt::format("{}=={}\n", name, version);
  TRY(const Digest packages, keep_text(blobs, text));
  environment.lock_files.push_back({kInstalled, packages});
  // Beside real lock files it only tells more versions; alone it is the lock file.
  if (!gathering.any()) {
    gathering.add(kInstalled, wire::read_requirements(text));
  } else {
    for (const auto& [name, version] : python.packages) gathering.add_package(name, version);
  }
  return {};
}

}  // namespace

Result<void> capture_environment(BlobStore* blobs, const CaptureOptions& options, const fs::path& folder,
                                 wire::VersionSpec& spec, std::vector<std::string>& warnings) {
  registry::Environment& environment = spec.manifest.environment;
  Gathering gathering(environment);
  TRY_DO(read_lock_files(folder, spec, gathering, warnings));
  if (options.machine != nullptr) {
    if (environment.os.empty()) environment.os = options.machine->os();
    if (environment.hardware.empty()) environment.hardware = options.machine->hardware();
    if (!options.python.empty()) TRY_DO(capture_python(blobs, options, environment, gathering));
  }
  gathering.finish();
  const std::vector<std::string> findings = gathering.worst_first();
  if (!environment.pinning.empty() && environment.pinning != "pinned" && !findings.empty()) {
    const std::size_t shown = std::min(findings.size(), kFindingsShown);
    warnings.push_back(fmt::format(
        "The environment is {}: {}{}.", environment.pinning,
        fmt::join(findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
        findings.size() > shown ? fmt::format(" (and {} more; see backstay show)", findings.size() - shown) : ""));
  }
  return {};
}

}  // namespace backstay::services
