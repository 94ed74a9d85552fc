#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace backstay::capture {

/// Only so much of a file is looked at.
constexpr std::size_t kMaxSecretScanBytes = 64 * 1024;

/// Whether a file called so usually holds keys or passwords: .env*, *.pem, *.key, id_rsa*, *credentials*, .netrc, ...
bool has_secret_name(std::string_view file_name);

/// Whether a text has the head of a private key, or gives an AWS_SECRET... or ...password a value of its own. Reading
/// the value from elsewhere (`os.environ[...]`, `$HOME`) is none. It rather errs to true: what it is asked for is then
/// left out and named, never lost.
bool has_secret_text(std::string_view text);

/// Either of them, for a regular file; links are not followed.
Result<bool> looks_like_secret(const std::filesystem::path& file);

}  // namespace backstay::capture
