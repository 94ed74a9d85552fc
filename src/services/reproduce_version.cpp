#include "services/reproduce_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/build_environment.hpp"
#include "services/checkout_version.hpp"
#include "services/measure_data.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

/// For sh: everything in single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& command) {
  std::string out;
  for (const std::string& word : command) out += (out.empty() ? "" : " ") + quoted(word);
  return out;
}

bool is_commit(const std::string& text) {
  return text.size() >= 7 && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

class Reproducer {
 public:
  Reproducer(Registry registry, const registry::Manifest& manifest, const ReproduceRequest& request, Programs& programs)
      : registry_(registry), manifest_(manifest), request_(request), programs_(programs) {}

  Reproduction out;

  void restore_code() {
    const registry::Code& code = manifest_.code;
    const std::string repository = request_.repository.empty() ? code.repository : request_.repository;
    if (code.commit.empty()) return tell("code", "missing", "The version names no commit.");
    if (!is_commit(code.commit)) return tell("code", "missing", "The recorded commit is no hash.");
    if (repository.empty() || repository.front() == '-')
      return tell("code", "missing",
                  fmt::format("Commit {}: no repository is recorded; give --repository.", code.commit));
    // Hooks are off, and transports that run commands (ext::) are git's to refuse: only these are allowed.
    const std::vector<std::vector<std::string>> steps{
        {"env", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh", "git", "-c",
         "core.hooksPath=/dev/null", "clone", "--quiet", "--no-checkout", "--", repository, "code"},
        {"git", "-C", "code", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "checkout",
         "--quiet", "--detach", code.commit}};
    for (const auto& step : steps) {
      commands.push_back(joined(step));
      const auto done = programs_.run(step, request_.folder);
      if (!done) return tell("code", "missing", fmt::format("Commit {}: {}", code.commit, done.error().message));
    }
    tell("code", "verified", fmt::format("commit {} of {}", code.commit, repository));
    has_code_ = true;
  }

  Result<void> restore_changes() {
    const std::string& hex = manifest_.code.dirty_diff_sha256;
    if (hex.empty()) return {};
    constexpr const char* kWhat = "uncommitted changes";
    const auto digest = Digest::from_hex(hex);
    const auto there = digest ? registry_.blobs.contains(*digest) : Result<bool>(false);
    if (!there || !*there) {
      tell(kWhat, "missing", fmt::format("The registry has no content for sha256 {}.", hex));
      return {};
    }
    TRY_DO(registry_.blobs.check_out(*digest, request_.folder / "uncommitted.patch"));
    const std::vector<std::string> apply{"git", "-C", "code", "apply", "--whitespace=nowarn", "../uncommitted.patch"};
    commands.emplace_back("cp \"$from/uncommitted.patch\" .");
    commands.push_back(joined(apply));
    if (!has_code_) {
      tell(kWhat, "restored", "in uncommitted.patch, not applied: there is no code");
      return {};
    }
    const auto done = programs_.run(apply, request_.folder);
    if (done) {
      tell(kWhat, "verified", "applied to code/, kept in uncommitted.patch");
    } else {
      tell(kWhat, "missing", fmt::format("uncommitted.patch does not apply: {}", done.error().message));
    }
    return {};
  }

  Result<void> restore_data() {
    for (const registry::DataSet& set : manifest_.data) {
      for (const registry::DataSlice& slice : set.slices) {
        const std::string what = fmt::format("data {}/{}", set.name, slice.name);
        if (slice.sources.empty()) {
          tell(what, "missing",
               fmt::format("sha256 {}{}", slice.sha256.hex(), set.uri.empty() ? "" : ", see " + set.uri));
          continue;
        }
        if (const auto put = put_sources(slice); !put) {
          tell(what, "missing", put.error().message);
          continue;
        }
        const auto digest = digest_again(request_.folder / "data", slice);
        if (!digest) {
          tell(what, "changed", digest.error().message);
        } else if (*digest != slice.sha256) {
          tell(what, "changed", fmt::format("is sha256 {}, was {}", digest->hex(), slice.sha256.hex()));
        } else {
          tell(what, "verified", fmt::format("sha256 {}", slice.sha256.hex()));
        }
      }
    }
    if (!put_.empty()) commands.emplace_back("cp -R \"$from/data\" .");
    if (!put_.empty()) commands.push_back("backstay slice verify " + quoted(manifest_.ref.str()) + " --folder data");
    return {};
  }

  Result<void> restore_environment(const StoredVersion& stored) {
    EnvironmentRequest request{request_.folder / "environment", false, request_.python};
    TRY(const BuiltEnvironment built, build_environment(registry_, stored, manifest_, request, programs_));
    out.notes = built.notes;
    commands.push_back("backstay env build " + quoted(manifest_.ref.str()) + " --to environment");
    commands.emplace_back("cd environment");
    for (const auto& step : built.steps) commands.push_back(joined(step));
    commands.emplace_back("cd ..");
    prefix = built.prefix;
    refusal = built.refusal;
    if (!built.refusal.empty()) {
      tell("environment", "missing", built.refusal);
      return {};
    }
    tell("environment", "restored",
         fmt::format("{} in environment/", fmt::join(built.files.begin(), built.files.end(), ", ")));
    if (!request_.venv) return {};
    if (const auto done = run_steps(built, request.folder, programs_); !done) {
      tell("virtual environment", "missing", done.error().message);
    } else {
      tell("virtual environment", "restored", "environment/" + built.prefix);
    }
    return {};
  }

  void tell(const std::string& what, const std::string& state, const std::string& detail) {
    out.parts.push_back({what, state, detail});
  }

  std::vector<std::string> commands;
  std::string prefix;   ///< Of the environment that the commands make, in environment/.
  std::string refusal;  ///< Why they make none.

 private:
  /// Copies a slice's files to the same places under data/; files of several slices once.
  Result<void> put_sources(const registry::DataSlice& slice) {
    for (const std::string& source : slice.sources) {
      if (!registry::check_artifact_path(source))
        return Unexpected(ErrorCode::kUnsupported, fmt::format("{} lies outside of the version's folder.", source));
      if (put_.count(source) > 0) continue;
      const fs::path from = request_.data / source;
      const fs::path to = request_.folder / "data" / source;
      std::error_code failure;
      if (fs::symlink_status(from, failure).type() != fs::file_type::regular)
        return Unexpected(ErrorCode::kNotFound, fmt::format("There is no file {}.", from.string()));
      fs::create_directories(to.parent_path(), failure);
      if (request_.link) {
        fs::create_hard_link(from, to, failure);
      } else {
        fs::copy_file(from, to, failure);
      }
      if (failure) return Unexpected(error_from_errno(failure.value(), "cannot copy " + from.string()));
      put_.insert(source);
    }
    return {};
  }

  Registry registry_;
  const registry::Manifest& manifest_;
  const ReproduceRequest& request_;
  Programs& programs_;
  bool has_code_ = false;
  std::set<std::string> put_;
};

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  return text;
}

/// The recorded command sees the interpreter and the packages of the environment that was made above, and none of
/// whatever environment is active where the script is run.
std::string training_commands(const registry::Manifest& manifest, const Reproducer& done) {
  if (manifest.code.command.empty()) return "";
  if (!done.refusal.empty())
    return "# The environment was not made, so nothing is run in it:\necho " + quoted(one_line(done.refusal)) +
           " >&2\n# (cd code && sh -c " + quoted(one_line(manifest.code.command)) + ")\nexit 1\n";
  const std::string variable = done.prefix == "conda" ? "CONDA_PREFIX" : "VIRTUAL_ENV";
  return fmt::format(
      "# How the artifacts were made, with the packages of environment/{1} and no others:\n"
      "unset PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX\n"
      "{0}=$PWD/environment/{1}\nPATH=${0}/bin:$PATH\nPYTHONNOUSERSITE=1\nexport {0} PATH PYTHONNOUSERSITE\n"
      "(cd code && sh -c {2})\n",
      variable, done.prefix, quoted(manifest.code.command));
}

Result<void> write_commands(const registry::Manifest& manifest, const Reproducer& done, const fs::path& folder) {
  const std::string name = manifest.ref.str();
  std::string script = fmt::format(
      "#!/bin/sh\n# By hand what was done by: backstay reproduce {} --to FOLDER\n"
      "# Run it in an empty folder, from where it is: sh /path/to/reproduce.sh. What is made again lands in that "
      "folder;\n"
      "# data and uncommitted changes come from the folder of this script. BACKSTAY_DATA_DIR says where the registry "
      "is.\n"
      "set -eu\nfrom=$(cd \"$(dirname \"$0\")\" && pwd)\nbackstay checkout {} model\n",
      name, quoted(name));
  for (const std::string& command : done.commands) script += command + "\n";
  script += training_commands(manifest, done);
  TRY_DO(write_text(folder / "reproduce.sh", script));

  std::string text = fmt::format("# {}\n\n{}\n\n", name, one_line(manifest.changelog));
  for (const Restored& part : done.out.parts)
    text += fmt::format("- {}: **{}**. {}\n", one_line(part.what), part.state, one_line(part.detail));
  for (const std::string& note : done.out.notes) text += fmt::format("- {}\n", one_line(note));
  text += "\nreproduce.sh has the commands, model/.backstay/manifest.json everything the version is.\n";
  if (!manifest.config.empty()) text += "\nConfiguration:\n\n";
  for (const auto& [key, value] : manifest.config) text += fmt::format("    {} = {}\n", one_line(key), one_line(value));
  return write_text(folder / "README.md", text);
}

}  // namespace

Result<Reproduction> reproduce_version(Registry registry, const registry::VersionRef& ref,
                                       const ReproduceRequest& request, Programs& programs) {
  TRY(const StoredVersion stored, registry.versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  TRY_DO(make_new_folder(request.folder));
  Reproducer reproducer(registry, manifest, request, programs);
  TRY_DO(check_out_version(registry, ref, request.folder / "model"));
  reproducer.tell("model", "verified", fmt::format("{} files in model/", manifest.artifacts.size()));
  reproducer.restore_code();
  TRY_DO(reproducer.restore_changes());
  TRY_DO(reproducer.restore_data());
  TRY_DO(reproducer.restore_environment(stored));
  TRY_DO(write_commands(manifest, reproducer, request.folder));
  return std::move(reproducer.out);
}

}  // namespace backstay::services
