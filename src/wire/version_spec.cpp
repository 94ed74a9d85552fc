#include "wire/version_spec.hpp"

namespace backstay::wire {

namespace {

using namespace registry;

void read_files(Fields& fields, const char* key, std::vector<LocalFile>& out) {
  fields.each_text_or_object(
      key,
      [&](const std::string& path) {
        out.push_back({path, path});
      },
      [&](Fields& file) {
        LocalFile& item = out.emplace_back();
        std::string path;
        file.required("path", path);
        item.source = path;
        item.name = path;
        file.optional("as", item.name);
      });
}

void read_slice(Fields& fields, VersionSpec& spec) {
  DataSet& set = spec.manifest.data.back();
  DataSlice& slice = set.slices.emplace_back();
  std::string file;
  std::string hex;
  fields.required("name", slice.name);
  fields.optional("file", file);
  fields.optional("sha256", hex);
  fields.optional("rows", slice.rows);
  fields.optional("note", slice.note);
  if (file.empty() == hex.empty())
    fields.fail("file", "or sha256 must be given, and not both",
                "Name the slice's file so that it is hashed, or give the digest you have.");
  if (!file.empty()) spec.slice_files.push_back({spec.manifest.data.size() - 1, set.slices.size() - 1, file});
  if (hex.empty()) return;
  if (auto digest = Digest::from_hex(hex)) {
    slice.sha256 = *digest;
  } else {
    fields.fail("sha256", "is not 64 hex digits", "Give what sha256sum prints.");
  }
}

void read_tensors(Fields& fields, const char* key, std::vector<TensorSpec>& out) {
  fields.each(key, [&](Fields& tensor) {
    TensorSpec& item = out.emplace_back();
    tensor.required("name", item.name);
    tensor.required("datatype", item.datatype);
    tensor.optional("shape", item.shape);
  });
}

void read_ref(Fields& fields, VersionRef& ref) {
  std::string version;
  fields.required("model", ref.model);
  fields.required("version", version);
  if (version.empty()) return;
  if (auto parsed = SemanticVersion::parse(version)) {
    ref.version = *parsed;
  } else {
    fields.fail("version", parsed.error().message, parsed.error().hint);
  }
}

}  // namespace

Result<VersionSpec> version_spec_from(const Document& document) {
  VersionSpec spec;
  Manifest& manifest = spec.manifest;
  Fields fields(document);
  read_ref(fields, manifest.ref);
  fields.optional("changelog", manifest.changelog);
  read_files(fields, "artifacts", spec.artifacts);
  fields.object("code", [&](Fields& code) {
    code.optional("repository", manifest.code.repository);
    code.optional("commit", manifest.code.commit);
    code.optional("dirty_diff_sha256", manifest.code.dirty_diff_sha256);
    read_files(code, "preprocessing", spec.preprocessing);
  });
  fields.each("data", [&](Fields& set) {
    DataSet& item = manifest.data.emplace_back();
    set.required("name", item.name);
    set.required("role", item.role);
    set.optional("uri", item.uri);
    set.each("slices", [&](Fields& slice) { read_slice(slice, spec); });
  });
  fields.flattened("config", manifest.config);
  fields.object("environment", [&](Fields& environment) {
    environment.optional("image", manifest.environment.image);
    environment.optional("os", manifest.environment.os);
    environment.optional("hardware", manifest.environment.hardware);
    read_files(environment, "lock_files", spec.lock_files);
    environment.flattened("frameworks", manifest.environment.frameworks);
  });
  fields.each("dependencies", [&](Fields& dependency) {
    Dependency& item = manifest.dependencies.emplace_back();
    dependency.required("name", item.name);
    dependency.required("kind", item.kind);
    dependency.required("direction", item.direction);
    dependency.optional("version", item.version);
    dependency.optional("schema_sha256", item.schema_sha256);
  });
  fields.object("signature", [&](Fields& signature) {
    read_tensors(signature, "inputs", manifest.signature.inputs);
    read_tensors(signature, "outputs", manifest.signature.outputs);
  });
  fields.object("serving", [&](Fields& serving) {
    serving.optional("runtime", manifest.serving.runtime);
    serving.optional("entry", manifest.serving.entry);
  });
  std::vector<std::string> parents;
  fields.optional("parents", parents);
  for (const std::string& text : parents) {
    if (auto parent = VersionRef::parse(text)) {
      manifest.parents.push_back(*parent);
    } else {
      fields.fail("parents", parent.error().message, parent.error().hint);
    }
  }
  if (spec.artifacts.empty())
    fields.fail("artifacts", "is missing or empty", "List the model's files or folders, e.g. artifacts: [model.onnx].");
  TRY_DO(fields.finish());
  return spec;
}

}  // namespace backstay::wire
