#include "services/build_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/install_plan.hpp"
#include "wire/cyclonedx.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

/// Explicit specifications name every file, so what is installed does not depend on this image.
constexpr const char* kCondaImage = "mambaorg/micromamba:1.5.8";

/// What may stand in a Dockerfile's FROM: nothing that ends the line or means something to docker.
bool is_plain(const std::string& text) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '/' || c == '@' || c == '+';
  });
}

/// A release of Python, like 3.11.2: 3 or 3.11 is another one next month.
bool is_exact_python(const std::string& version) {
  return is_plain(version) && std::isdigit(static_cast<unsigned char>(version.front())) != 0 &&
         std::count(version.begin(), version.end(), '.') == 2 && version.find_first_of(":/@") == std::string::npos;
}

class Builder {
 public:
  Builder(Registry registry, const registry::Manifest& manifest, const EnvironmentRequest& request, InstallPlan plan)
      : registry_(registry), manifest_(manifest), request_(request), folder_(request.folder), plan_(std::move(plan)) {
    out.notes = std::move(plan_.notes);
    out.refusal = plan_.refusal;
    if (!plan_.refusal.empty()) out.notes.push_back(plan_.refusal);
    out.prefix = plan_.conda() ? "conda" : "venv";
  }

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

  /// What pip and conda read, where that is none of the lock files as it was.
  Result<void> write_packages() {
    for (const auto& [platform, spec] : plan_.conda_specs) TRY_DO(write(InstallPlan::spec_file(platform), spec));
    return plan_.requirements_text.empty() ? Result<void>() : write(plan_.requirements, plan_.requirements_text);
  }

  Result<void> write_dockerfile() {
    if (!plan_.refusal.empty()) return {};
    const std::string image = base_image();
    if (plan_.conda()) return write_conda_dockerfile(image);
    if (image.empty()) {
      out.notes.emplace_back(
          "There is no Dockerfile: the version records neither an image's digest nor its interpreter. Name an image "
          "with "
          "--image python:3.11.2-slim@sha256:DIGEST, or register with --python INTERPRETER.");
      return {};
    }
    return write("Dockerfile", head() + fmt::format("FROM {}\nWORKDIR /work\n", image) + pip_install("python"));
  }

  void plan_steps() {
    if (!plan_.refusal.empty()) return;
    if (plan_.conda()) {
      out.steps.push_back({"micromamba", "create", "--yes", "--no-rc", "--prefix", "conda", "--file",
                           InstallPlan::spec_file(plan_.conda_platform)});
    } else {
      out.steps.push_back({request_.python, "-m", "venv", "venv"});
    }
    if (plan_.requirements.empty()) return;
    std::vector<std::string> install{out.prefix + "/bin/python", "-m", "pip", "install", "--disable-pip-version-check"};
    for (const std::string& option : pip_options()) install.push_back(option);
    out.steps.push_back(std::move(install));
  }

 private:
  Result<void> write(const std::string& file, const std::string& text) {
    out.files.push_back(file);
    return write_text(folder_ / file, text);
  }

  std::string head() const { return fmt::format("# {}, made by: backstay env build\n", manifest_.ref.str()); }

  std::vector<std::string> pip_options() const {
    std::vector<std::string> options;
    if (plan_.hashed) options.emplace_back("--require-hashes");
    if (plan_.complete) options.emplace_back("--no-deps");
    options.insert(options.end(), {"-r", plan_.requirements});
    return options;
  }

  /// What the Dockerfile begins with; empty when nothing that was recorded says it.
  std::string base_image() {
    const registry::Environment& environment = manifest_.environment;
    const std::string& named = request_.image.empty() ? environment.image : request_.image;
    if (is_plain(named) && registry::is_pinned_image(named)) return named;
    if (!request_.image.empty()) {
      out.notes.push_back(fmt::format("The image {} has no digest (@sha256:), so its content can change.", named));
      return named;
    }
    if (!is_exact_python(environment.python)) return "";
    out.notes.push_back(
        fmt::format("The Dockerfile's image is not pinned: the version was registered without its digest, so it is "
                    "python:{}-slim, whose content can change. Name one with --image.",
                    environment.python));
    return fmt::format("python:{}-slim", environment.python);
  }

  std::string pip_install(const std::string& python) const {
    if (plan_.requirements.empty()) return "";
    // The form that is JSON: no shell reads the names.
    json install = {python, "-m", "pip", "install", "--no-cache-dir"};
    for (const std::string& option : pip_options()) install.push_back(option);
    const std::string source = plan_.requirements.starts_with("lock/") ? "lock" : "requirements.txt";
    return fmt::format("COPY [\"{0}\", \"{0}\"]\nRUN {1}\n", source, install.dump());
  }

  /// conda's packages are put into /opt/env by micromamba, then the folder is copied into the image.
  Result<void> write_conda_dockerfile(const std::string& image) {
    const std::string spec = InstallPlan::spec_file(plan_.conda_platform);
    const std::string machine = plan_.conda_platform == "linux-64"        ? "amd64"
                                : plan_.conda_platform == "linux-aarch64" ? "arm64"
                                                                          : "ppc64le";
    const json create = {"micromamba", "create", "--yes", "--no-rc", "--prefix", "/opt/env", "--file", spec};
    std::string text = head();
    text += fmt::format("FROM --platform=linux/{} {} AS packages\nUSER root\nWORKDIR /work\n", machine, kCondaImage);
    text += fmt::format("COPY [\"{0}\", \"{0}\"]\nRUN {1}\n", spec, create.dump());
    text += pip_install("/opt/env/bin/python");
    const bool recorded = registry::is_pinned_image(image) || !request_.image.empty();
    if (recorded)
      text += fmt::format("FROM --platform=linux/{} {}\nWORKDIR /work\nCOPY --from=packages /opt/env /opt/env\n",
                          machine, image);
    return write("Dockerfile", text + "ENV PATH=/opt/env/bin:$PATH\n");
  }

  Registry registry_;
  const registry::Manifest& manifest_;
  const EnvironmentRequest& request_;
  const fs::path& folder_;
  InstallPlan plan_;
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
  if (!request.image.empty() && !is_plain(request.image))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no image.", request.image),
                      "Write it as docker does, like python:3.11.2-slim@sha256:DIGEST.");
  TRY(InstallPlan plan, plan_install(registry, manifest));
  if (request.venv && !plan.refusal.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, plan.refusal, "Without --venv the rest is written.");
  TRY_DO(make_new_folder(request.folder));
  Builder builder(registry, manifest, request, std::move(plan));
  TRY_DO(builder.write_lock_files());
  TRY_DO(builder.write_packages());
  TRY_DO(builder.write_dockerfile());
  TRY_DO(write_text(request.folder / "sbom.cdx.json",
                    wire::to_cyclonedx(manifest, stored.identity, stored.registered_at)));
  builder.out.files.emplace_back("sbom.cdx.json");
  builder.plan_steps();
  if (request.venv) {
    TRY_DO(run_steps(builder.out, request.folder, programs));
    builder.out.files.push_back(builder.out.prefix);
  }
  return std::move(builder.out);
}

Result<void> run_steps(const BuiltEnvironment& built, const fs::path& folder, Programs& programs) {
  for (std::vector<std::string> step : built.steps) {
    if (step[0].starts_with(built.prefix + "/bin/")) step[0] = (fs::absolute(folder) / step[0]).string();
    TRY_DO(programs.run(step, folder));
  }
  return {};
}

}  // namespace backstay::services
