#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
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

/// First and last row, counted from 0.
using RowRange = std::pair<std::uint64_t, std::uint64_t>;

/// "0-999"
std::optional<RowRange> parse_row_range(std::string_view text);

/// What a person writes to register a version: the manifest without what is computed (artifacts, digests of files), and
/// where the files are.
struct VersionSpec {
  registry::Manifest manifest;
  std::vector<LocalFile> artifacts;
  std::vector<LocalFile> preprocessing;
  std::vector<LocalFile> lock_files;
  std::vector<std::string> config_files;  ///< YAML, JSON or TOML; what is written inline wins.
  struct SliceFile {
    std::size_t data_set = 0;
    std::size_t slice = 0;
    std::filesystem::path source;
    std::optional<RowRange> range{};
    bool profile = true;
  };
  std::vector<SliceFile> slice_files;
  /// Files that become slices by a rule: one each, or by a column or a folder's key, row ranges, or row groups.
  struct SliceSet {
    std::size_t data_set = 0;
    std::vector<std::string> files;  ///< Files, folders and patterns (*, ?, [abc], **), relative to the spec's folder.
    std::string by{};
    std::vector<RowRange> ranges{};
    bool row_groups = false;
    bool profile = true;
  };
  std::vector<SliceSet> slice_sets;
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
///           - {name: first, file: data/all.csv, range: 0-999}
///       - {name: visits, role: test, files: "data/*.csv"}                 # a slice per file
///       - {name: wards, role: validation, files: wards.csv, by: ward}     # a slice per value
///     config: {file: params.toml, seed: 7, hidden: 16}
///     environment: {lock_files: [requirements.txt], frameworks: {scikit-learn: 1.5.2}}
///     dependencies: [{name: patients, kind: database, direction: upstream, version: ">=12"}]
///     signature: {inputs: [{name: x, datatype: FP32, shape: [-1, 30]}]}
///     serving: {runtime: openvino, entry: model.onnx}
///     parents: [breast-cancer@1.0.0]
Result<VersionSpec> version_spec_from(const Document& document);

}  // namespace backstay::wire
