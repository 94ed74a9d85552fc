#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "domain/registry/semantic_version.hpp"

namespace backstay::registry {

/// One file of a version. `path` is relative, "/"-separated, confined (see check_artifact_path).
struct Artifact {
  std::string path;
  std::uint64_t size_bytes = 0;
  Digest sha256;
  bool operator==(const Artifact&) const = default;
};

/// A named file kept beside the artifacts in the blob store: preprocessing code, a lock file, a dirty diff.
struct FileDigest {
  std::string path;
  Digest sha256;
  bool operator==(const FileDigest&) const = default;
};

/// Corner 1 of the golden triangle.
struct Code {
  std::string repository;
  std::string commit;
  std::string dirty_diff_sha256;  ///< Empty when the work tree was clean.
  std::vector<FileDigest> preprocessing;
  std::string command{};         ///< What was run to make the artifacts, in the work tree: "python train.py --seed 7".
  bool dirty_diff_kept = false;  ///< The diff is a blob of the store; false: only its digest is known.
  bool operator==(const Code&) const = default;
};

/// How a slice's digest was made, so that anybody can make it again (docs/registering.md says how, byte for byte).
struct SliceRule {
  /// "" = SHA-256 of the one source file's bytes; "files/1" = of the list of the sources' digests; "rows/1" = of
  /// chosen rows in their canonical form; "row-group/1" = of the bytes of one row group; "row-groups/1" = of a list.
  std::string kind;
  std::string column{};     ///< The partition column, or the key of folders like site=a.
  std::string value{};      ///< Of that column.
  std::uint64_t first = 0;  ///< Row range without a column: first to last, counted from 0; or the row group.
  std::uint64_t last = 0;
  bool operator==(const SliceRule&) const = default;
};

/// One named part of a data set: the unit of lineage.
struct DataSlice {
  std::string name;
  Digest sha256;
  std::uint64_t rows = 0;  ///< 0 when not counted.
  std::string note;
  SliceRule rule{};
  std::vector<std::string> sources{};  ///< Files it was read from, relative to version.yaml, in order.
  std::string profile_sha256{};        ///< Blob with its profile (tables/profile.hpp); empty when there is none.
  bool operator==(const DataSlice&) const = default;
};

struct DataSet {
  std::string name;
  std::string role;  ///< "training", "validation" or "test".
  std::string uri;
  std::vector<DataSlice> slices;
  std::string profile_sha256{};  ///< Blob with the profile of all slices together; empty when there is none of its own.
  bool operator==(const DataSet&) const = default;
};

/// What the model ran in: all pinned, or the production gate says which is not.
struct Environment {
  std::string image;  ///< image@sha256:...
  std::string os;
  std::string hardware;
  std::vector<FileDigest> lock_files;
  std::map<std::string, std::string> frameworks;  ///< name -> exact version
  std::string python{};                           ///< Version of the interpreter, "3.11.2".
  std::string pinning{};                          ///< "pinned", "weak" or "unpinned"; empty: nothing to judge.
  std::vector<std::string> findings{};            ///< Why it is not pinned.
  bool operator==(const Environment&) const = default;
};

/// Upstream or downstream infrastructure that the version needs.
struct Dependency {
  std::string name;
  std::string kind;       ///< database, feature_view, api, queue, library, ...
  std::string direction;  ///< "upstream" or "downstream"
  std::string version;    ///< Version or range; or
  std::string schema_sha256;
  bool operator==(const Dependency&) const = default;
};

struct TensorSpec {
  std::string name;
  std::string datatype;             ///< Open Inference Protocol name, see is_datatype().
  std::vector<std::int64_t> shape;  ///< -1 = any
  bool operator==(const TensorSpec&) const = default;
};

/// BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BF16 or BYTES.
bool is_datatype(std::string_view name);

struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool operator==(const Signature&) const = default;
};

/// How the version wants to be served by a backend of kind `model`. `runtime` is "openvino" (default, may be empty) or
/// "python".
struct Serving {
  std::string runtime;
  std::string entry;  ///< Artifact path of the model file or folder; empty: the only model file there is.
  bool operator==(const Serving&) const = default;
};

/// Everything a version is. Its identity is the SHA-256 of its canonical JSON (wire/manifest_json.hpp), so equal
/// content means the same version.
struct Manifest {
  VersionRef ref;
  std::vector<Artifact> artifacts;  ///< Sorted by path, no path twice.
  Code code;
  std::vector<DataSet> data;
  std::map<std::string, std::string>
      config;  ///< Flattened: "optimizer.lr" -> "0.001"; values are JSON scalars as text.
  Environment environment;
  std::vector<Dependency> dependencies;
  Signature signature;
  Serving serving;
  std::vector<VersionRef> parents;  ///< Versions of this registry that it was made from.
  /// What it was made from elsewhere, as people find it again: "hf://google-bert/bert-base-uncased@86b5e09".
  std::vector<std::string> external_parents{};
  std::string changelog;
  bool operator==(const Manifest&) const = default;
};

/// Whether a container image is named by its digest (NAME@sha256:64 hex digits); a tag can be moved to other content.
bool is_pinned_image(std::string_view image);

/// What keeps a version from production, in the words a person uses: "code (commit)", "data (training slices)",
/// "config", "changelog". Empty = complete.
std::vector<std::string> missing_parts(const Manifest& manifest);

/// Refuses absolute paths, "..", ".", empty components, backslashes, control characters, non-UTF-8, and more than 1024
/// bytes.
Result<void> check_artifact_path(std::string_view path);

/// Names, artifact paths and duplicates, digests, data set roles, dependency directions, tensors. Run before a manifest
/// is stored.
Result<void> validate(const Manifest& manifest);

/// A blob that a version is made of.
struct BlobOfVersion {
  Digest sha256;
  std::string what;      ///< "artifact model.onnx", "preprocessing features.py", "lock file uv.lock", "uncommitted
                         ///< changes", "profile of site-a/2025-08"
  bool required = true;  ///< False: the manifest may name its digest without having stored it.
};
/// Whatever in a manifest stands for stored bytes. What is not named here is not kept from garbage collection.
std::vector<BlobOfVersion> blobs_of(const Manifest& manifest);

/// One difference between two versions, under the corner it belongs to.
struct Difference {
  std::string section;  ///< "artifacts", "code", "data", "config", "environment", "dependencies", "parents",
                        ///< "signature", "changelog"
  std::string what;     ///< "training/site-d", "optimizer.lr", ...
  std::string before;   ///< Empty = was not there.
  std::string after;    ///< Empty = is gone.
};

/// What changed from a to b, grouped by section in the order above; the same slice name with another digest is one
/// difference.
std::vector<Difference> diff(const Manifest& a, const Manifest& b);

}  // namespace backstay::registry
