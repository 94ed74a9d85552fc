#include "domain/registry/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "domain/registry/version_range.hpp"

namespace backstay::registry {

namespace {

constexpr std::size_t kMaxPathBytes = 1024;

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

// Every pair (name, text) of a section, so that two sections can be compared by name.
using Facts = std::map<std::string, std::string>;

void compare(const std::string& section, const Facts& before, const Facts& after, std::vector<Difference>& out) {
  std::set<std::string> names;
  for (const auto& [name, text] : before) names.insert(name);
  for (const auto& [name, text] : after) names.insert(name);
  for (const std::string& name : names) {
    const auto was = before.find(name);
    const auto is = after.find(name);
    const std::string old_text = was == before.end() ? "" : was->second;
    const std::string new_text = is == after.end() ? "" : is->second;
    if (old_text != new_text) out.push_back({section, name, old_text, new_text});
  }
}

std::string short_hex(const Digest& digest) {
  return "sha256:" + digest.hex().substr(0, 12);
}

Facts artifact_facts(const Manifest& manifest) {
  Facts facts;
  for (const Artifact& a : manifest.artifacts)
    facts[a.path] = fmt::format("{} ({} bytes)", short_hex(a.sha256), a.size_bytes);
  return facts;
}

Facts parent_facts(const Manifest& manifest) {
  Facts facts;
  for (const VersionRef& parent : manifest.parents) facts[parent.str()] = "version";
  for (const std::string& parent : manifest.external_parents) facts[parent] = "external";
  return facts;
}

Facts code_facts(const Code& code) {
  Facts facts{{"repository", code.repository},
              {"commit", code.commit},
              {"dirty_diff", code.dirty_diff_sha256},
              {"command", code.command}};
  for (const FileDigest& file : code.preprocessing) facts["preprocessing/" + file.path] = short_hex(file.sha256);
  return facts;
}

Facts data_facts(const std::vector<DataSet>& data) {
  Facts facts;
  for (const DataSet& set : data) {
    if (!set.uri.empty()) facts[set.name + " (uri)"] = set.uri;
    for (const DataSlice& slice : set.slices) {
      facts[set.name + "/" + slice.name] =
          fmt::format("{}{}{}", short_hex(slice.sha256), slice.rows > 0 ? fmt::format(", {} rows", slice.rows) : "",
                      slice.note.empty() ? "" : ", " + slice.note);
    }
  }
  return facts;
}

Facts environment_facts(const Environment& environment) {
  Facts facts{{"image", environment.image},
              {"os", environment.os},
              {"hardware", environment.hardware},
              {"python (interpreter)", environment.python},
              {"pinning", environment.pinning}};
  for (const FileDigest& file : environment.lock_files) facts["lock/" + file.path] = short_hex(file.sha256);
  for (const auto& [name, version] : environment.frameworks) facts[name] = version;
  return facts;
}

Facts dependency_facts(const std::vector<Dependency>& dependencies) {
  Facts facts;
  for (const Dependency& d : dependencies)
    facts[fmt::format("{} {} {}", d.direction, d.kind, d.name)] = d.version.empty() ? d.schema_sha256 : d.version;
  return facts;
}

Facts signature_facts(const Signature& signature) {
  Facts facts;
  for (const TensorSpec& t : signature.inputs)
    facts["input " + t.name] = fmt::format("{} [{}]", t.datatype, fmt::join(t.shape, ","));
  for (const TensorSpec& t : signature.outputs)
    facts["output " + t.name] = fmt::format("{} [{}]", t.datatype, fmt::join(t.shape, ","));
  return facts;
}

}  // namespace

bool is_datatype(std::string_view name) {
  constexpr std::string_view kNames[] = {"BOOL",  "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16",
                                         "INT32", "INT64", "FP16",   "FP32",   "FP64",   "BF16", "BYTES"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool is_pinned_image(std::string_view image) {
  const std::size_t at = image.find('@');
  if (at == 0 || at == std::string_view::npos) return false;
  constexpr std::string_view kAlgorithm = "@sha256:";
  const std::string_view digest = image.substr(at);
  return digest.starts_with(kAlgorithm) && Digest::from_hex(digest.substr(kAlgorithm.size())).has_value();
}

std::vector<std::string> missing_parts(const Manifest& manifest) {
  std::vector<std::string> missing;
  if (manifest.code.commit.empty()) missing.emplace_back("code (commit)");
  const bool has_training = std::any_of(manifest.data.begin(), manifest.data.end(), [](const DataSet& set) {
    return set.role == "training" && !set.slices.empty();
  });
  if (!has_training) missing.emplace_back("data (training slices)");
  if (manifest.config.empty()) missing.emplace_back("config");
  if (!manifest.environment.image.empty() && !is_pinned_image(manifest.environment.image))
    missing.emplace_back("environment (the image's digest)");
  if (manifest.changelog.empty()) missing.emplace_back("changelog");
  return missing;
}

Result<void> check_artifact_path(std::string_view path) {
  const std::string shown(path.substr(0, 200));
  constexpr const char* kHint = "Use a relative path inside the version, like model/weights.onnx.";
  if (path.empty() || path.size() > kMaxPathBytes)
    return invalid(fmt::format("The artifact path '{}' is empty or longer than 1024 bytes.", shown), kHint);
  if (!is_utf8(path)) return invalid("An artifact path is not valid UTF-8.", kHint);
  for (char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\')
      return invalid("An artifact path holds a backslash or a control character.", kHint);
  }
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..")
      return invalid(fmt::format("The artifact path '{}' is absolute or leaves its folder.", shown), kHint);
    start = end + 1;
  }
  return {};
}

namespace {

Result<void> check_dependency(const Dependency& dependency) {
  if (dependency.direction != "upstream" && dependency.direction != "downstream")
    return invalid(fmt::format("The dependency '{}' has the direction '{}'.", dependency.name, dependency.direction),
                   "Use upstream or downstream.");
  TRY_DO(check_name("dependency", dependency.name));
  TRY_DO(check_name("dependency kind", dependency.kind));
  if (!dependency.version.empty()) TRY_DO(VersionRange::parse(dependency.version));
  if (!dependency.schema_sha256.empty()) TRY_DO(Digest::from_hex(dependency.schema_sha256));
  return {};
}

Result<void> check_tensors(const char* which, const std::vector<TensorSpec>& tensors) {
  std::set<std::string_view> names;
  for (const TensorSpec& tensor : tensors) {
    if (tensor.name.empty() || !names.insert(tensor.name).second)
      return invalid(fmt::format("signature.{} has a tensor without a name, or two named '{}'.", which, tensor.name),
                     "Give each tensor its own name.");
    if (!is_datatype(tensor.datatype))
      return invalid(fmt::format("The tensor '{}' in signature.{} has the datatype '{}', which there is not.",
                                 tensor.name, which, tensor.datatype),
                     "Use BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, FP32, FP64, BF16 or "
                     "BYTES.");
    if (std::any_of(tensor.shape.begin(), tensor.shape.end(), [](std::int64_t length) { return length < -1; }))
      return invalid(
          fmt::format("The shape of the tensor '{}' in signature.{} has a length below -1.", tensor.name, which),
          "Write lengths, and -1 where any length will do.");
  }
  return {};
}

/// What is kept for ever and shown on terminals: no control characters, no user's password.
Result<void> check_external_parents(const Manifest& manifest) {
  constexpr std::size_t kMaxBytes = 1024;
  for (const std::string& origin : manifest.external_parents) {
    const bool clean = is_utf8(origin) && std::none_of(origin.begin(), origin.end(), [](char c) {
                         return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                       });
    if (origin.empty() || origin.size() > kMaxBytes || !clean)
      return invalid("One of external_parents is empty, longer than 1024 bytes, or has a control character.",
                     "Say where it is to be found, like hf://google-bert/bert-base-uncased@86b5e09.");
  }
  return {};
}

}  // namespace

Result<void> validate(const Manifest& manifest) {
  TRY_DO(check_name("model", manifest.ref.model));
  if (manifest.artifacts.empty()) return invalid("The version has no artifacts.", "Name at least one file or folder.");
  for (std::size_t i = 0; i < manifest.artifacts.size(); ++i) {
    TRY_DO(check_artifact_path(manifest.artifacts[i].path));
    if (i > 0 && manifest.artifacts[i - 1].path >= manifest.artifacts[i].path)
      return invalid(fmt::format("The artifact '{}' is there twice or out of order.", manifest.artifacts[i].path),
                     "Name each path once.");
  }
  const std::string& diff_digest = manifest.code.dirty_diff_sha256;
  if (!diff_digest.empty()) TRY_DO(Digest::from_hex(diff_digest));
  if (diff_digest.empty() && manifest.code.dirty_diff_kept)
    return invalid("code.dirty_diff_kept is true, but there is no code.dirty_diff_sha256.", "Name the diff's digest.");
  for (const VersionRef& parent : manifest.parents)
    if (parent == manifest.ref)
      return invalid(fmt::format("{} is named as its own parent.", parent.str()), "Name what it was made from.");
  TRY_DO(check_external_parents(manifest));
  TRY_DO(check_tensors("inputs", manifest.signature.inputs));
  TRY_DO(check_tensors("outputs", manifest.signature.outputs));
  for (const DataSet& set : manifest.data) {
    if (set.role != "training" && set.role != "validation" && set.role != "test")
      return invalid(fmt::format("The data set '{}' has the role '{}'.", set.name, set.role),
                     "Use training, validation or test.");
    if (!set.profile_sha256.empty()) TRY_DO(Digest::from_hex(set.profile_sha256));
    std::set<std::string> names;
    for (const DataSlice& slice : set.slices) {
      if (!slice.profile_sha256.empty()) TRY_DO(Digest::from_hex(slice.profile_sha256));
      if (slice.name.empty() || !names.insert(slice.name).second)
        return invalid(
            fmt::format("The data set '{}' has a slice without a name, or two named '{}'.", set.name, slice.name),
            "Give each slice its own name.");
    }
  }
  for (const Dependency& dependency : manifest.dependencies) TRY_DO(check_dependency(dependency));
  if (!manifest.serving.runtime.empty() && manifest.serving.runtime != "openvino" &&
      manifest.serving.runtime != "python")
    return invalid(fmt::format("There is no serving runtime '{}'.", manifest.serving.runtime),
                   "Use openvino or python.");
  const std::string& entry = manifest.serving.entry;
  const auto is_entry = [&](const Artifact& a) { return a.path == entry || a.path.starts_with(entry + "/"); };
  if (!entry.empty() && std::none_of(manifest.artifacts.begin(), manifest.artifacts.end(), is_entry))
    return invalid(fmt::format("serving.entry is '{}', which is no artifact of the version.", entry),
                   "Name one of the artifacts' paths, or a folder among them.");
  return {};
}

std::vector<BlobOfVersion> blobs_of(const Manifest& manifest) {
  std::vector<BlobOfVersion> blobs;
  for (const Artifact& file : manifest.artifacts) blobs.push_back({file.sha256, "artifact " + file.path});
  for (const FileDigest& file : manifest.code.preprocessing)
    blobs.push_back({file.sha256, "preprocessing " + file.path});
  for (const FileDigest& file : manifest.environment.lock_files)
    blobs.push_back({file.sha256, "lock file " + file.path});
  if (const auto diff = Digest::from_hex(manifest.code.dirty_diff_sha256))
    blobs.push_back({*diff, "uncommitted changes", manifest.code.dirty_diff_kept});
  for (const DataSet& set : manifest.data) {
    if (const auto profile = Digest::from_hex(set.profile_sha256))
      blobs.push_back({*profile, "profile of " + set.name});
    for (const DataSlice& slice : set.slices)
      if (const auto profile = Digest::from_hex(slice.profile_sha256))
        blobs.push_back({*profile, fmt::format("profile of {}/{}", set.name, slice.name)});
  }
  return blobs;
}

std::vector<Difference> diff(const Manifest& a, const Manifest& b) {
  std::vector<Difference> out;
  compare("artifacts", artifact_facts(a), artifact_facts(b), out);
  compare("code", code_facts(a.code), code_facts(b.code), out);
  compare("data", data_facts(a.data), data_facts(b.data), out);
  compare("config", {a.config.begin(), a.config.end()}, {b.config.begin(), b.config.end()}, out);
  compare("environment", environment_facts(a.environment), environment_facts(b.environment), out);
  compare("dependencies", dependency_facts(a.dependencies), dependency_facts(b.dependencies), out);
  compare("parents", parent_facts(a), parent_facts(b), out);
  compare("signature", signature_facts(a.signature), signature_facts(b.signature), out);
  if (a.changelog != b.changelog) out.push_back({"changelog", "changelog", a.changelog, b.changelog});
  return out;
}

}  // namespace backstay::registry
