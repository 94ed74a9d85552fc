#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/registry/manifest.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// A file or folder on this machine and the name it gets in the version.
struct LocalFile {
  std::filesystem::path source;  ///< Relative to the spec's folder, or absolute.
  std::string name;              ///< For a folder: the prefix of the names of its files; empty = none.
};

/// What a person writes to register a version: the manifest without what is computed (artifacts, digests of files), and
/// where the files are.
struct VersionSpec {
  registry::Manifest manifest;
  std::vector<LocalFile> artifacts;
  std::vector<LocalFile> preprocessing;
  std::vector<LocalFile> lock_files;
  struct SliceFile {
    std::size_t data_set = 0;
    std::size_t slice = 0;
    std::filesystem::path source;
  };
  std::vector<SliceFile> slice_files;
};

/// Reads version.yaml:
///
///     model: breast-cancer
///     version: 1.1.0
///     changelog: Trained with site C; sensitivity rises by 2 points.
///     artifacts: [model.onnx, {path: build/vocabulary.txt, as: vocabulary.txt}]
///     code: {repository: git@..., commit: 0a1b2c3, preprocessing: [features.py]}
///     data:
///       - name: wdbc
///         role: training
///         slices:
///           - {name: site-a, file: data/site-a.csv}
///           - {name: site-b, sha256: 9f..., rows: 120}
///     config: {seed: 7, hidden: 16}
///     environment: {lock_files: [requirements.txt], frameworks: {scikit-learn: 1.5.2}}
///     dependencies: [{name: patients, kind: database, direction: upstream, version: ">=12"}]
///     signature: {inputs: [{name: x, datatype: FP32, shape: [-1, 30]}]}
///     serving: {runtime: openvino, entry: model.onnx}
///     parents: [breast-cancer@1.0.0]
Result<VersionSpec> version_spec_from(const Document& document);

}  // namespace backstay::wire
