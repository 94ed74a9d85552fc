#include "wire/cyclonedx.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wire/lock_files.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;
using registry::Manifest;

json hashes(const std::string& sha256) {
  return json::array({{{"alg", "SHA-256"}, {"content", sha256}}});
}

json property(const std::string& name, const std::string& value) {
  return {{"name", "backstay:" + name}, {"value", value}};
}

/// A UUID of version 8 (RFC 9562: made as the maker sees fit) from the version's digest.
std::string uuid(const Digest& identity) {
  std::string hex = identity.hex().substr(0, 32);
  hex[12] = '8';
  hex[16] = '8';
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20, 12));
}

/// Percent-encoding for package URLs.
std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '.' || c == '-' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

/// Components under references that `uses` collects.
class Parts {
 public:
  void add(const std::string& ref, json component) {
    component["bom-ref"] = ref;
    components.push_back(std::move(component));
    uses.push_back(ref);
  }
  json components = json::array();
  json uses = json::array();
};

json add_data(const Manifest& manifest, Parts& parts) {
  json references = json::array();
  for (std::size_t i = 0; i < manifest.data.size(); ++i) {
    const registry::DataSet& set = manifest.data[i];
    json properties = json::array({property("role", set.role)});
    for (const auto& slice : set.slices) {
      properties.push_back(property(fmt::format("slice:{}", slice.name), slice.sha256.hex()));
      if (slice.rows > 0)
        properties.push_back(property(fmt::format("rows:{}", slice.name), std::to_string(slice.rows)));
    }
    const std::string ref = fmt::format("data:{}", i);
    json part{{"type", "dataset"}, {"name", set.name}};
    if (!set.uri.empty()) part["contents"] = {{"properties", json::array({property("uri", set.uri)})}};
    parts.add(ref, {{"type", "data"},
                    {"name", set.name.empty() ? "data" : set.name},
                    {"data", json::array({std::move(part)})},
                    {"properties", std::move(properties)}});
    references.push_back({{"ref", ref}});
  }
  return references;
}

void add_environment(const registry::Environment& environment, Parts& parts) {
  for (const auto& [name, version] : environment.frameworks) {
    const std::string package = normalised_package(name);
    parts.add(fmt::format("package:{}", parts.uses.size()),
              {{"type", "library"},
               {"name", name},
               {"version", version},
               {"purl", fmt::format("pkg:pypi/{}@{}", encoded(package), encoded(version))}});
  }
  if (!environment.image.empty()) {
    json image{{"type", "container"}, {"name", environment.image.substr(0, environment.image.find('@'))}};
    if (registry::is_pinned_image(environment.image))
      image["hashes"] = hashes(environment.image.substr(environment.image.rfind(':') + 1));
    parts.add("image", std::move(image));
  }
  if (!environment.os.empty()) parts.add("system", {{"type", "operating-system"}, {"name", environment.os}});
  if (!environment.python.empty())
    parts.add("python", {{"type", "platform"}, {"name", "python"}, {"version", environment.python}});
}

json tensors(const std::vector<registry::TensorSpec>& list) {
  json out = json::array();
  for (const auto& t : list)
    out.push_back({{"format", fmt::format("{} {} [{}]", t.name, t.datatype, fmt::join(t.shape, ","))}});
  return out;
}

json model_of(const Manifest& manifest, const Digest& identity, json datasets) {
  json properties = json::array({property("manifest_sha256", identity.hex())});
  if (!manifest.code.commit.empty()) properties.push_back(property("commit", manifest.code.commit));
  if (!manifest.code.repository.empty()) properties.push_back(property("repository", manifest.code.repository));
  if (!manifest.code.dirty_diff_sha256.empty())
    properties.push_back(property("dirty_diff_sha256", manifest.code.dirty_diff_sha256));
  if (!manifest.environment.hardware.empty()) properties.push_back(property("hardware", manifest.environment.hardware));
  if (!manifest.environment.pinning.empty()) properties.push_back(property("pinning", manifest.environment.pinning));
  for (const auto& [key, value] : manifest.config) properties.push_back(property("config:" + key, value));

  json parameters = json::object();
  if (!datasets.empty()) parameters["datasets"] = std::move(datasets);
  if (!manifest.signature.inputs.empty()) parameters["inputs"] = tensors(manifest.signature.inputs);
  if (!manifest.signature.outputs.empty()) parameters["outputs"] = tensors(manifest.signature.outputs);
  json model{{"type", "machine-learning-model"},
             {"bom-ref", "model"},
             {"name", manifest.ref.model},
             {"version", manifest.ref.version.str()},
             {"modelCard", {{"modelParameters", std::move(parameters)}}},
             {"properties", std::move(properties)}};
  if (!manifest.changelog.empty()) model["description"] = manifest.changelog;
  if (!manifest.parents.empty() || !manifest.external_parents.empty()) {
    json ancestors = json::array();
    for (const registry::VersionRef& parent : manifest.parents)
      ancestors.push_back(
          {{"type", "machine-learning-model"}, {"name", parent.model}, {"version", parent.version.str()}});
    for (const std::string& parent : manifest.external_parents)
      ancestors.push_back({{"type", "machine-learning-model"}, {"name", parent}});
    model["pedigree"] = {{"ancestors", std::move(ancestors)}};
  }
  return model;
}

}  // namespace

std::string to_cyclonedx(const Manifest& manifest, const Digest& identity, Timestamp registered_at) {
  Parts parts;
  for (const registry::Artifact& artifact : manifest.artifacts)
    parts.add("file:" + artifact.path,
              {{"type", "file"}, {"name", artifact.path}, {"hashes", hashes(artifact.sha256.hex())}});
  json datasets = add_data(manifest, parts);
  add_environment(manifest.environment, parts);
  const json root{{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
                  {"bomFormat", "CycloneDX"},
                  {"specVersion", "1.6"},
                  {"serialNumber", uuid(identity)},
                  {"version", 1},
                  {"metadata",
                   {{"timestamp", to_rfc3339(registered_at)},
                    {"tools", {{"components", json::array({{{"type", "application"}, {"name", "backstay"}}})}}},
                    {"component", model_of(manifest, identity, std::move(datasets))}}},
                  {"components", parts.components},
                  {"dependencies", json::array({{{"ref", "model"}, {"dependsOn", parts.uses}}})}};
  return root.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace backstay::wire
