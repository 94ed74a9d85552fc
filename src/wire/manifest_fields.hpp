#pragma once

#include <functional>

#include "domain/registry/manifest.hpp"
#include "wire/document.hpp"

/// The members of a manifest, read once for both of its forms: what people write (version_spec) and what is stored
/// (manifest_json). They differ in how files are named.
namespace backstay::wire {

/// Reads the members that name files or their digests.
struct FileReaders {
  std::function<void(Fields& code)> preprocessing;
  std::function<void(Fields& slice)> slice;   ///< Of the manifest's last data set and its last slice.
  std::function<void(Fields& set)> data_set;  ///< The manifest's last one, before its slices; may be empty.
  std::function<void(Fields& environment)> environment;
  std::function<void(Fields& fields)> config;  ///< May be empty: as it is.
};

/// Everything but the artifacts. Problems are kept by `fields`.
void read_members(Fields& fields, const FileReaders& files, registry::Manifest& out);

/// 64 hex digits.
void read_digest(Fields& fields, const char* key, Digest& out);

}  // namespace backstay::wire
