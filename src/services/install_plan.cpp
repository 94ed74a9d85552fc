#include "services/install_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "wire/lock_files.hpp"
#include "wire/locked_packages.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kMaxLockBytes = 16 * 1024 * 1024;
constexpr std::size_t kShown = 5;
constexpr const char* kInstalledList = "installed-packages.txt";

/// What pip could install, from the least to the best.
enum class Rank { kNone, kInstalled, kProjectLock, kRequirements, kHashedProjectLock, kHashedRequirements };

std::string first_of(const std::vector<std::string>& all) {
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kShown));
  return fmt::format("{}{}", fmt::join(all.begin(), end, ", "),
                     all.size() > kShown ? fmt::format(" and {} more", all.size() - kShown) : "");
}

class Planner {
 public:
  Planner(Registry registry, const registry::Manifest& manifest) : registry_(registry), manifest_(manifest) {}

  Result<InstallPlan> run() {
    for (const registry::FileDigest& file : manifest_.environment.lock_files) {
      if (wire::is_project_lock(file.path)) {
        TRY(const std::string text, text_of(file.sha256));
        add_project_lock(file.path, text);
      } else if (file.path.ends_with(".txt")) {
        TRY(const std::string text, text_of(file.sha256));
        add_requirements(file.path, text);
      }
    }
    if (conda_) plan_conda();
    if (best_ == Rank::kNone && !conda_ && !manifest_.environment.frameworks.empty()) write_recorded();
    if (!best_left_out_.empty())
      plan_.notes.push_back(fmt::format("{}: not installed from here: {}.", best_name_, first_of(best_left_out_)));
    note_unlocked();
    if (plan_.requirements.empty() && !conda_) plan_.notes.emplace_back("The version names no Python packages.");
    if (!plan_.requirements.empty() && !plan_.hashed)
      plan_.notes.push_back(
          fmt::format("{} has no hashes: packages are the versions that were recorded, but their "
                      "content is not checked.",
                      plan_.requirements));
    return std::move(plan_);
  }

 private:
  Result<std::string> text_of(const Digest& sha256) const {
    std::string text;
    TRY_DO(registry_.blobs.read(sha256, [&](std::span<const std::byte> piece) -> Result<void> {
      if (text.size() + piece.size() > kMaxLockBytes)
        return Unexpected(ErrorCode::kResourceExhausted, "A lock file is larger than 16 MiB.");
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    return text;
  }

  void add_requirements(const std::string& path, const std::string& text) {
    const bool hashed = wire::read_requirements(text).pinning == wire::Pinning::kPinned;
    const Rank rank = path == kInstalledList ? Rank::kInstalled
                      : hashed               ? Rank::kHashedRequirements
                                             : Rank::kRequirements;
    installed_ |= path == kInstalledList;
    if (rank <= best_) return;
    best_ = rank;
    best_name_ = path;
    best_left_out_.clear();
    plan_.requirements = "lock/" + path;
    plan_.requirements_text.clear();
    plan_.hashed = hashed;
    plan_.complete = false;
  }

  void add_project_lock(const std::string& path, const std::string& text) {
    const auto report = wire::read_lock_file(path, text);
    auto packages = wire::read_locked_packages(path, text);
    if (!report || !packages) {
      const Error& error = report ? packages.error() : report.error();
      plan_.notes.push_back(fmt::format("Nothing is installed from {}: {}", path, error.message));
      return;
    }
    for (const auto& [name, version] : report->packages) locked_.insert(name);
    if (!packages->conda.empty() || path.find("conda-lock") != std::string::npos) {
      conda_ = std::move(*packages);
      conda_name_ = path;
      return;
    }
    const Rank rank = packages->hashed() ? Rank::kHashedProjectLock : Rank::kProjectLock;
    if (rank <= best_) return;
    best_ = rank;
    use(path, *packages);
  }

  void use(const std::string& path, const wire::LockedPackages& packages) {
    best_name_ = path;
    best_left_out_ = packages.left_out;
    plan_.requirements = packages.pip.empty() ? "" : "requirements.txt";
    plan_.requirements_text = packages.pip.empty() ? "" : fmt::format("# Of {}.\n{}", path, requirements_of(packages));
    plan_.hashed = packages.hashed();
    plan_.complete = true;
  }

  /// What conda installed comes from conda or not at all: its names are other packages on PyPI.
  void plan_conda() {
    // These list what conda installed, by names that only look like PyPI's.
    if (best_ == Rank::kInstalled) {
      best_ = Rank::kNone;
      plan_.requirements.clear();
    }
    if (best_ == Rank::kNone || !conda_->pip.empty()) use(conda_name_, *conda_);
    if (!conda_->conda_left_out.empty())
      return refuse(fmt::format("{} has packages that can't be installed from it: {}.", conda_name_,
                                first_of(conda_->conda_left_out)));
    for (const auto& [platform, lines] : conda_->conda)
      plan_.conda_specs[platform] = wire::explicit_spec_of(platform, lines);
    for (const char* platform : {"linux-64", "linux-aarch64", "linux-ppc64le"}) {
      if (plan_.conda_specs.count(platform) == 0) continue;
      plan_.conda_platform = platform;
      plan_.conda_python = conda_->conda_python[platform];
      return;
    }
    if (!plan_.conda_specs.empty())
      refuse(fmt::format("{} is for {} only, not for Linux.", conda_name_, plan_.conda_specs.begin()->first));
  }

  void refuse(const std::string& why) {
    best_left_out_.clear();
    plan_.requirements.clear();
    plan_.requirements_text.clear();
    plan_.conda_specs.clear();
    plan_.refusal = why +
                    " They are conda's, so pip is not asked for them: on PyPI the same names are other packages. " +
                    "conda-lock install does it from lock/" + conda_name_ + ".";
  }

  /// There is no lock file, only what was recorded.
  void write_recorded() {
    std::string text = "# The versions that were recorded; there was no requirements file.\n";
    for (const auto& [name, version] : manifest_.environment.frameworks) {
      if (wire::is_package_name(name) && wire::is_package_version(version)) {
        text += fmt::format("{}=={}\n", name, version);
      } else {
        plan_.notes.push_back(fmt::format("The package {} is left out: its version is not one exact version.", name));
      }
    }
    plan_.requirements = "requirements.txt";
    plan_.requirements_text = std::move(text);
  }

  /// What was recorded by hand beside a project's lock.
  void note_unlocked() {
    if (best_name_.empty() || !wire::is_project_lock(best_name_) || installed_) return;
    std::vector<std::string> missing;
    for (const auto& [name, version] : manifest_.environment.frameworks)
      if (locked_.count(wire::normalised_package(name)) == 0) missing.push_back(name);
    if (!missing.empty())
      plan_.notes.push_back(fmt::format("Recorded, but in no lock file, and so not installed: {}.", first_of(missing)));
  }

  Registry registry_;
  const registry::Manifest& manifest_;
  InstallPlan plan_;
  Rank best_ = Rank::kNone;
  std::string best_name_;  ///< The lock file that pip's packages come from.
  std::vector<std::string> best_left_out_;
  std::optional<wire::LockedPackages> conda_;
  std::string conda_name_;
  std::set<std::string> locked_;
  bool installed_ = false;
};

}  // namespace

Result<InstallPlan> plan_install(Registry registry, const registry::Manifest& manifest) {
  return Planner(registry, manifest).run();
}

}  // namespace backstay::services
