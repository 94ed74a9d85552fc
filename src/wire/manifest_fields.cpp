#include "wire/manifest_fields.hpp"

namespace backstay::wire {

using namespace registry;

namespace {

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

void read_parents(Fields& fields, std::vector<VersionRef>& out) {
  std::vector<std::string> parents;
  fields.optional("parents", parents);
  for (const std::string& text : parents) {
    if (auto parent = VersionRef::parse(text)) {
      out.push_back(*parent);
    } else {
      fields.fail("parents", parent.error().message, parent.error().hint);
    }
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

void read_dependencies(Fields& fields, std::vector<Dependency>& out) {
  fields.each("dependencies", [&](Fields& dependency) {
    Dependency& item = out.emplace_back();
    dependency.required("name", item.name);
    dependency.required("kind", item.kind);
    dependency.required("direction", item.direction);
    dependency.optional("version", item.version);
    dependency.optional("schema_sha256", item.schema_sha256);
  });
}

void read_data(Fields& fields, const FileReaders& files, std::vector<DataSet>& out) {
  fields.each("data", [&](Fields& set) {
    DataSet& item = out.emplace_back();
    set.required("name", item.name);
    set.required("role", item.role);
    set.optional("uri", item.uri);
    if (files.data_set) files.data_set(set);
    set.each("slices", [&](Fields& fields_of_slice) {
      DataSlice& slice = item.slices.emplace_back();
      fields_of_slice.required("name", slice.name);
      fields_of_slice.optional("rows", slice.rows);
      fields_of_slice.optional("note", slice.note);
      files.slice(fields_of_slice);
    });
  });
}

}  // namespace

void read_members(Fields& fields, const FileReaders& files, Manifest& out) {
  read_ref(fields, out.ref);
  fields.object("code", [&](Fields& code) {
    code.optional("repository", out.code.repository);
    code.optional("commit", out.code.commit);
    code.optional("dirty_diff_sha256", out.code.dirty_diff_sha256);
    code.optional("command", out.code.command);
    files.preprocessing(code);
  });
  read_data(fields, files, out.data);
  // Stored flat: a key may hold dots.
  if (files.config) {
    files.config(fields);
  } else {
    fields.flattened("config", out.config);
  }
  fields.object("environment", [&](Fields& environment) {
    environment.optional("image", out.environment.image);
    environment.optional("os", out.environment.os);
    environment.optional("hardware", out.environment.hardware);
    environment.optional("python", out.environment.python);
    files.environment(environment);
    environment.flattened("frameworks", out.environment.frameworks);
  });
  read_dependencies(fields, out.dependencies);
  fields.object("signature", [&](Fields& signature) {
    read_tensors(signature, "inputs", out.signature.inputs);
    read_tensors(signature, "outputs", out.signature.outputs);
  });
  fields.object("serving", [&](Fields& serving) {
    serving.optional("runtime", out.serving.runtime);
    serving.optional("entry", out.serving.entry);
  });
  read_parents(fields, out.parents);
  fields.optional("external_parents", out.external_parents);
  fields.optional("changelog", out.changelog);
}

void read_digest(Fields& fields, const char* key, Digest& out) {
  std::string hex;
  fields.required(key, hex);
  if (hex.empty()) return;
  if (auto digest = Digest::from_hex(hex)) {
    out = *digest;
  } else {
    fields.fail(key, "is not 64 hex digits", "Give what sha256sum prints.");
  }
}

}  // namespace backstay::wire
