#include "services/build_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "wire/cyclonedx.hpp"
#include "wire/lock_files.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

using registry::Environment;

constexpr std::size_t kMaxLockBytes = 16 * 1024 * 1024;
constexpr const char* kInstalled = "installed-packages.txt";

/// What may stand in a Dockerfile's FROM: nothing that ends the line or means something to docker.
bool is_plain(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '/' || c == '@' || c == '+';
  });
}

struct Requirements {
  std::string file;  ///< Relative to the folder; empty: none.
  bool hashed = false;
};

class Builder {
 public:
  Builder(Registry registry, const registry::Manifest& manifest, const fs::path& folder)
      : registry_(registry), manifest_(manifest), folder_(folder) {}

  BuiltEnvironment out;

  Result<void> write_lock_files() {
    for (const registry::FileDigest& file : manifest_.environment.lock_files) {
      TRY_DO(registry::check_artifact_path(file.path));
      const fs::path path = folder_ / "lock" / file.path;
      std::error_code failure;
      fs::create_directories(path.parent_path(), failure);
      if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + path.parent_path().string()));
      auto done = registry_.blobs.check_out(file.sha256, path);
      if (!done) return Unexpected(std::move(done).error().within(file.path));
      out.files.push_back("lock/" + file.path);
    }
    return {};
  }

  /// The lock file that pip installs: one with hashes before one without, what was seen installed last.
  Result<Requirements> choose_requirements() {
    Requirements best;
    int best_rank = 0;
    for (const registry::FileDigest& file : manifest_.environment.lock_files) {
      if (!file.path.ends_with(".txt")) continue;
      TRY(const std::string text, text_of(file.sha256));
      const bool hashed = wire::read_requirements(text).pinning == wire::Pinning::kPinned;
      const int rank = file.path == kInstalled ? 1 : hashed ? 3 : 2;
      if (rank <= best_rank) continue;
      best = {"lock/" + file.path, hashed};
      best_rank = rank;
    }
    if (best.file.empty() && !manifest_.environment.frameworks.empty()) {
      TRY_DO(write_packages());
      best.file = "requirements.txt";
    }
    if (best.file.empty()) out.notes.emplace_back("The version names no Python packages.");
    if (!best.file.empty() && !best.hashed)
      out.notes.push_back(
          fmt::format("{} has no hashes: packages are the versions that were recorded, but their "
                      "content is not checked.",
                      best.file));
    return best;
  }

  Result<void> write_dockerfile(const Requirements& requirements) {
    const Environment& environment = manifest_.environment;
    std::string text = fmt::format("# {}, made by: backstay env build\n", manifest_.ref.str());
    if (registry::is_pinned_image(environment.image) && is_plain(environment.image)) {
      text += fmt::format("FROM {}\n", environment.image);
    } else {
      const std::string version = is_plain(environment.python) ? environment.python : "3";
      text += "# Not pinned: the version was registered without its image's digest.\n";
      text += fmt::format("FROM python:{}-slim\n", version);
      out.notes.emplace_back("The Dockerfile's image is not pinned: the version was registered without its digest.");
    }
    text += "WORKDIR /work\n";
    if (!requirements.file.empty()) {
      // The form that is JSON: no shell reads the names.
      nlohmann::json install = {"python", "-m", "pip", "install", "--no-cache-dir"};
      if (requirements.hashed) install.push_back("--require-hashes");
      install.push_back("-r");
      install.push_back(requirements.file);
      const std::string source = requirements.file.starts_with("lock/") ? "lock" : "requirements.txt";
      text += fmt::format("COPY [\"{0}\", \"{0}\"]\nRUN {1}\n", source, install.dump());
    }
    out.files.emplace_back("Dockerfile");
    return write_text(folder_ / "Dockerfile", text);
  }

  void plan_venv(const Requirements& requirements, const std::string& python) {
    out.steps.push_back({python, "-m", "venv", "venv"});
    if (requirements.file.empty()) return;
    std::vector<std::string> install{"venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check"};
    if (requirements.hashed) install.emplace_back("--require-hashes");
    install.insert(install.end(), {"-r", requirements.file});
    out.steps.push_back(std::move(install));
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

  Result<void> write_packages() {
    std::string text = "# The versions that were recorded; there was no requirements file.\n";
    for (const auto& [name, version] : manifest_.environment.frameworks) {
      if (is_plain(name) && is_plain(version)) {
        text += fmt::format("{}=={}\n", name, version);
      } else {
        out.notes.push_back(fmt::format("The package {} is left out: its version is not one exact version.", name));
      }
    }
    out.files.emplace_back("requirements.txt");
    return write_text(folder_ / "requirements.txt", text);
  }

  Registry registry_;
  const registry::Manifest& manifest_;
  const fs::path& folder_;
};

}  // namespace

Result<void> make_new_folder(const fs::path& folder) {
  std::error_code failure;
  if (!folder.parent_path().empty()) fs::create_directories(folder.parent_path(), failure);
  if (!failure && !fs::create_directory(folder, failure) && !failure)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} exists already.", folder.string()),
                      "Name a folder that is not there yet.");
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + folder.string()));
  return {};
}

Result<void> write_text(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out)
    return Unexpected(ErrorCode::kResourceExhausted, fmt::format("cannot write {}", file.string()),
                      "Check the space that is left there.");
  return {};
}

Result<BuiltEnvironment> build_environment(Registry registry, const StoredVersion& stored,
                                           const registry::Manifest& manifest, const EnvironmentRequest& request,
                                           Programs& programs) {
  TRY_DO(make_new_folder(request.folder));
  Builder builder(registry, manifest, request.folder);
  TRY_DO(builder.write_lock_files());
  TRY(const Requirements requirements, builder.choose_requirements());
  TRY_DO(builder.write_dockerfile(requirements));
  TRY_DO(write_text(request.folder / "sbom.cdx.json",
                    wire::to_cyclonedx(manifest, stored.identity, stored.registered_at)));
  builder.out.files.emplace_back("sbom.cdx.json");
  builder.plan_venv(requirements, request.python);
  if (request.venv) {
    for (const std::vector<std::string>& step : builder.out.steps) {
      std::vector<std::string> command = step;
      if (command[0] == "venv/bin/python") command[0] = (fs::absolute(request.folder) / command[0]).string();
      TRY_DO(programs.run(command, request.folder));
    }
    builder.out.files.emplace_back("venv");
  }
  return std::move(builder.out);
}

}  // namespace backstay::services
