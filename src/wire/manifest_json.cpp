#include "wire/manifest_json.hpp"

#include <nlohmann/json.hpp>

#include "wire/document.hpp"
#include "wire/manifest_fields.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;
using namespace registry;

void put(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put(json& object, const char* key, json value) {
  if (!value.empty()) object[key] = std::move(value);
}

json files_json(const std::vector<FileDigest>& files) {
  json list = json::array();
  for (const FileDigest& file : files) list.push_back({{"path", file.path}, {"sha256", file.sha256.hex()}});
  return list;
}

json code_json(const Code& code) {
  json object = json::object();
  put(object, "repository", code.repository);
  put(object, "commit", code.commit);
  put(object, "dirty_diff_sha256", code.dirty_diff_sha256);
  if (code.dirty_diff_kept) object["dirty_diff_kept"] = true;
  put(object, "command", code.command);
  put(object, "preprocessing", files_json(code.preprocessing));
  return object;
}

json rule_json(const SliceRule& rule) {
  json object = json::object();
  if (rule.kind.empty()) return object;
  object["kind"] = rule.kind;
  put(object, "column", rule.column);
  put(object, "value", rule.value);
  if (rule.last > 0 || (rule.column.empty() && rule.kind != "files/1"))
    object["range"] = json::array({rule.first, rule.last});
  return object;
}

void read_slice(Fields& fields, DataSlice& slice) {
  read_digest(fields, "sha256", slice.sha256);
  fields.object("rule", [&](Fields& rule) {
    rule.required("kind", slice.rule.kind);
    rule.optional("column", slice.rule.column);
    rule.optional("value", slice.rule.value);
    std::vector<std::int64_t> range;
    rule.optional("range", range);
    if (range.empty()) return;
    if (range.size() != 2 || range[0] < 0 || range[1] < range[0])
      return rule.fail("range", "is not a first and a last row", "Write it like [0, 999].");
    slice.rule.first = static_cast<std::uint64_t>(range[0]);
    slice.rule.last = static_cast<std::uint64_t>(range[1]);
  });
  fields.optional("sources", slice.sources);
  fields.optional("profile_sha256", slice.profile_sha256);
}

json data_json(const std::vector<DataSet>& data) {
  json list = json::array();
  for (const DataSet& set : data) {
    json slices = json::array();
    for (const DataSlice& slice : set.slices) {
      json item{{"name", slice.name}, {"sha256", slice.sha256.hex()}};
      if (slice.rows > 0) item["rows"] = slice.rows;
      put(item, "note", slice.note);
      put(item, "rule", rule_json(slice.rule));
      put(item, "sources", json(slice.sources));
      put(item, "profile_sha256", slice.profile_sha256);
      slices.push_back(std::move(item));
    }
    json object{{"name", set.name}, {"role", set.role}};
    put(object, "uri", set.uri);
    put(object, "slices", std::move(slices));
    put(object, "profile_sha256", set.profile_sha256);
    list.push_back(std::move(object));
  }
  return list;
}

json environment_json(const Environment& environment) {
  json object = json::object();
  put(object, "image", environment.image);
  put(object, "os", environment.os);
  put(object, "hardware", environment.hardware);
  put(object, "lock_files", files_json(environment.lock_files));
  put(object, "frameworks", json(environment.frameworks));
  put(object, "python", environment.python);
  put(object, "pinning", environment.pinning);
  put(object, "findings", json(environment.findings));
  return object;
}

json dependencies_json(const std::vector<Dependency>& dependencies) {
  json list = json::array();
  for (const Dependency& d : dependencies) {
    json item{{"name", d.name}, {"kind", d.kind}, {"direction", d.direction}};
    put(item, "version", d.version);
    put(item, "schema_sha256", d.schema_sha256);
    list.push_back(std::move(item));
  }
  return list;
}

json tensors_json(const std::vector<TensorSpec>& tensors) {
  json list = json::array();
  for (const TensorSpec& t : tensors) list.push_back({{"name", t.name}, {"datatype", t.datatype}, {"shape", t.shape}});
  return list;
}

void read_files(Fields& fields, const char* key, std::vector<FileDigest>& out) {
  fields.each(key, [&](Fields& file) {
    FileDigest& item = out.emplace_back();
    file.required("path", item.path);
    read_digest(file, "sha256", item.sha256);
  });
}

}  // namespace

std::string to_canonical_json(const Manifest& manifest) {
  json artifacts = json::array();
  for (const Artifact& a : manifest.artifacts)
    artifacts.push_back({{"path", a.path}, {"size_bytes", a.size_bytes}, {"sha256", a.sha256.hex()}});
  json parents = json::array();
  for (const VersionRef& parent : manifest.parents) parents.push_back(parent.str());
  json signature = json::object();
  put(signature, "inputs", tensors_json(manifest.signature.inputs));
  put(signature, "outputs", tensors_json(manifest.signature.outputs));
  json serving = json::object();
  put(serving, "runtime", manifest.serving.runtime);
  put(serving, "entry", manifest.serving.entry);

  json root{{"model", manifest.ref.model}, {"version", manifest.ref.version.str()}};
  put(root, "artifacts", std::move(artifacts));
  put(root, "code", code_json(manifest.code));
  put(root, "data", data_json(manifest.data));
  put(root, "config", json(manifest.config));
  put(root, "environment", environment_json(manifest.environment));
  put(root, "dependencies", dependencies_json(manifest.dependencies));
  put(root, "signature", std::move(signature));
  put(root, "serving", std::move(serving));
  put(root, "parents", std::move(parents));
  put(root, "external_parents", json(manifest.external_parents));
  put(root, "changelog", manifest.changelog);
  // Texts were checked to be UTF-8 where it matters; what is not becomes U+FFFD rather than an exception.
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Manifest> manifest_from_json(const std::string& name, std::string_view text) {
  TRY(const Document document, Document::from_json(name, text));
  Manifest manifest;
  Fields fields(document);
  fields.each("artifacts", [&](Fields& artifact) {
    Artifact& item = manifest.artifacts.emplace_back();
    artifact.required("path", item.path);
    artifact.optional("size_bytes", item.size_bytes);
    read_digest(artifact, "sha256", item.sha256);
  });
  const FileReaders files{[&](Fields& code) {
                            read_files(code, "preprocessing", manifest.code.preprocessing);
                            code.optional("dirty_diff_kept", manifest.code.dirty_diff_kept);
                          },
                          [&](Fields& slice) { read_slice(slice, manifest.data.back().slices.back()); },
                          [&](Fields& set) { set.optional("profile_sha256", manifest.data.back().profile_sha256); },
                          [&](Fields& environment) {
                            read_files(environment, "lock_files", manifest.environment.lock_files);
                            environment.optional("pinning", manifest.environment.pinning);
                            environment.optional("findings", manifest.environment.findings);
                          },
                          {}};
  read_members(fields, files, manifest);
  TRY_DO(fields.finish());
  return manifest;
}

}  // namespace backstay::wire
