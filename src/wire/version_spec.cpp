#include "wire/version_spec.hpp"

#include "wire/manifest_fields.hpp"

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
  std::vector<DataSlice>& slices = spec.manifest.data.back().slices;
  std::string file;
  fields.optional("file", file);
  if (file.empty() != fields.has("sha256"))
    fields.fail("file", "or sha256 must be given, and not both",
                "Name the slice's file so that it is hashed, or give the digest you have.");
  if (file.empty()) return read_digest(fields, "sha256", slices.back().sha256);
  spec.slice_files.push_back({spec.manifest.data.size() - 1, slices.size() - 1, file});
}

}  // namespace

Result<VersionSpec> version_spec_from(const Document& document) {
  VersionSpec spec;
  Fields fields(document);
  read_files(fields, "artifacts", spec.artifacts);
  const FileReaders files{[&](Fields& code) { read_files(code, "preprocessing", spec.preprocessing); },
                          [&](Fields& slice) { read_slice(slice, spec); },
                          {},
                          [&](Fields& environment) { read_files(environment, "lock_files", spec.lock_files); },
                          {}};
  read_members(fields, files, spec.manifest);
  if (spec.artifacts.empty())
    fields.fail("artifacts", "is missing or empty", "List the model's files or folders, e.g. artifacts: [model.onnx].");
  TRY_DO(fields.finish());
  return spec;
}

}  // namespace backstay::wire
