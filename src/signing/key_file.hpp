#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "signing/key.hpp"

/// Private keys on disk: readable by their owner only, never overwritten.
namespace backstay::signing {

/// Writes the key to `path` (0600; kConflict when something is there) and its public key beside it, PATH.pub (0644).
/// Both are on disk when it returns.
Result<void> write_key_pair(const std::filesystem::path& path, const PrivateKey& key);

/// kPermissionDenied when others may read the file: then it is no longer only its owner's.
Result<PrivateKey> read_private_key(const std::filesystem::path& path);

/// The key at `path`, made (Ed25519) by the first who asks; several processes may ask at once. Its folder is made too,
/// 0700.
Result<PrivateKey> read_or_make_key(const std::filesystem::path& path);

}  // namespace backstay::signing
