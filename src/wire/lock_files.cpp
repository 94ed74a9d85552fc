#include "wire/lock_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/document.hpp"
#include "wire/lock_tree.hpp"
#include "wire/toml.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxFindings = 20;
constexpr std::size_t kMaxPackages = 5000;
constexpr std::size_t kMaxShown = 200;

bool all_hashed(const json& files) {
  return !files.empty() && std::all_of(files.begin(), files.end(),
                                       [](const json& f) { return text_at(f, "hash").starts_with("sha256:"); });
}

LockReport read_poetry(const json& root) {
  LockReport out;
  for (const json& package : list_at(root, "package")) {
    const std::string name = text_at(package, "name");
    if (name.empty()) continue;
    out.package(name, text_at(package, "version"));
    const std::string source = text_at(member(package, "source"), "type");
    if (source == "git" || source == "directory")
      out.finding(Pinning::kUnpinned, fmt::format("{} comes from {}", name, source));
    const json& files = list_at(package, "files");
    const json& old_files = list_at(member(member(root, "metadata"), "files"), name.c_str());
    if (!all_hashed(files.empty() ? old_files : files))
      out.finding(Pinning::kWeak, fmt::format("{} has a file without a sha256 hash", name));
  }
  return out;
}

LockReport read_uv(const json& root) {
  LockReport out;
  for (const json& package : list_at(root, "package")) {
    const std::string name = text_at(package, "name");
    const json& source = member(package, "source");
    const std::string place = text_at(source, "editable") + text_at(source, "virtual");
    if (name.empty() || place == ".") continue;  // The project itself: its code is recorded as code.
    out.package(name, text_at(package, "version"));
    for (const char* kind : {"editable", "virtual", "git", "directory"})
      if (!text_at(source, kind).empty()) out.finding(Pinning::kUnpinned, fmt::format("{} comes from {}", name, kind));
    json files = list_at(package, "wheels");
    if (const json& archive = member(package, "sdist"); archive.is_object()) files.push_back(archive);
    if (!all_hashed(files)) out.finding(Pinning::kWeak, fmt::format("{} has a file without a sha256 hash", name));
  }
  return out;
}

LockReport read_conda(const json& root) {
  LockReport out;
  for (const json& package : list_at(root, "package")) {
    const std::string name = text_at(package, "name");
    if (name.empty()) continue;
    out.package(name, text_at(package, "version"));
    if (text_at(member(package, "hash"), "sha256").empty())
      out.finding(Pinning::kWeak, fmt::format("{} has no sha256 hash", name));
  }
  return out;
}

Result<LockReport> with_packages(const std::string& name, LockReport report) {
  if (report.packages.empty() && report.findings.empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} lists no packages.", name),
                      "Is it the lock file that its name says?");
  return report;
}

bool is_dockerfile(const std::string& base) {
  return base == "Dockerfile" || base == "Containerfile" || base.starts_with("Dockerfile.") ||
         base.ends_with(".Dockerfile") || base.ends_with(".dockerfile");
}

}  // namespace

const char* to_string(Pinning pinning) {
  switch (pinning) {
    case Pinning::kPinned: return "pinned";
    case Pinning::kWeak: return "weak";
    case Pinning::kUnpinned: return "unpinned";
  }
  return "unpinned";
}

void LockReport::finding(Pinning at_most, std::string what) {
  pinning = std::min(pinning, at_most);
  if (findings.size() >= kMaxFindings) {
    ++more_findings;
    return;
  }
  if (what.size() > kMaxShown) what.resize(kMaxShown);
  findings.push_back(std::move(what));
}

void LockReport::package(std::string_view name, std::string version) {
  if (version.empty() || name.size() > kMaxShown || version.size() > kMaxShown || packages.size() >= kMaxPackages)
    return;
  // Several entries for one name (platforms, markers): all versions are told.
  std::string& place = packages[normalised_package(name)];
  if (place.empty()) {
    place = std::move(version);
  } else if (place != version && place.size() < kMaxShown) {
    place += ", " + version;
  }
}

std::string normalised_package(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (separator && !out.empty() && out.back() == '-') continue;
    out += separator ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

bool holds_password(std::string_view text) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const std::string_view rest = text.substr(at + 3, 1024);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/ \t\r\n\"'#"));
    const std::size_t sign = authority.rfind('@');
    if (sign == std::string_view::npos) continue;
    const std::size_t colon = authority.find(':');
    // ${TOKEN} is filled in when it is installed, and is no secret itself.
    if (colon < sign && authority.find("${") == std::string_view::npos) return true;
  }
  return false;
}

Result<LockReport> read_lock_file(const std::string& name, const std::string& text) {
  const std::string base = name.substr(name.rfind('/') + 1);
  if (base == "poetry.lock" || base == "uv.lock") {
    TRY(const Document document, document_from_toml(name, text));
    return with_packages(name, base == "uv.lock" ? read_uv(document.tree()) : read_poetry(document.tree()));
  }
  if (base.starts_with("conda-lock") && (base.ends_with(".yml") || base.ends_with(".yaml"))) {
    TRY(const Document document, Document::from_yaml(name, text));
    return with_packages(name, read_conda(document.tree()));
  }
  if (is_dockerfile(base)) return read_dockerfile(text);
  if (base.ends_with(".txt")) return read_requirements(text);
  return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is no lock file that is understood.", name),
                    "Understood are requirements.txt, poetry.lock, uv.lock, conda-lock.yml and Dockerfile.");
}

}  // namespace backstay::wire
