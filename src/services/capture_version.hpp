#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ports/blob_store.hpp"
#include "ports/machine.hpp"
#include "ports/work_tree.hpp"
#include "wire/version_spec.hpp"

namespace backstay::services {

/// What the program can find out by itself, and where from. What version.yaml says wins.
struct CaptureOptions {
  WorkTree* work_tree = nullptr;                ///< Null: code is not looked at.
  Machine* machine = nullptr;                   ///< Null: the machine is not looked at.
  std::filesystem::path python;                 ///< An interpreter to ask for its version and packages; empty: none.
  std::vector<std::filesystem::path> not_code;  ///< Beside what the spec names: the data directory, version.yaml.
};

/// Completes a spec before it is registered: commit, repository and uncommitted changes (a blob) of the work tree that
/// `folder` is in, frameworks and pinning from its lock files, operating system, hardware, interpreter. Without
/// `blobs` nothing is stored, only hashed. Returns warnings, each a sentence.
Result<std::vector<std::string>> capture_version(BlobStore* blobs, const CaptureOptions& options,
                                                 const std::filesystem::path& folder, wire::VersionSpec& spec);

/// The part of it that is about code; see CaptureOptions.
Result<void> capture_code(BlobStore* blobs, WorkTree& work_tree, const std::vector<std::filesystem::path>& not_code,
                          const std::filesystem::path& folder, wire::VersionSpec& spec,
                          std::vector<std::string>& warnings);

}  // namespace backstay::services
