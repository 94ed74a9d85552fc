#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

/// What an OpenSSF Model Signing signature is over: the in-toto statement of predicate type
/// https://model_signing/signature/v1.0 (PyPI model-signing, _signing/signing.py).
namespace backstay::wire {

struct SignedFile {
  std::string name;  ///< Relative to the model's folder, "/"-separated.
  Digest sha256;
  bool operator==(const SignedFile&) const = default;
};

/// What Backstay adds to the predicate, where other verifiers ignore it: it ties the signature to one version, so that
/// it can't be moved to another with the same files, and says who meant what by it. Absent from others' signatures.
struct SignedMeaning {
  std::string version;
  Digest manifest_sha256;
  std::string signed_by;
  std::string at;
  std::string meaning;
  bool operator==(const SignedMeaning&) const = default;
};

struct ModelStatement {
  std::string name;  ///< Says nothing that is checked: the name of the folder, or of the version.
  std::vector<std::string> ignore_paths;
  std::vector<SignedFile> files;       ///< In the order of their paths' components: "a/b" before "a-b" before "a.txt".
  std::vector<SignedMeaning> meaning;  ///< None or one.
  bool operator==(const ModelStatement&) const = default;
};

/// Sorts files as the format wants them.
void sort_files(std::vector<SignedFile>& files);
/// SHA-256 over the files' digests in their order.
Digest root_of(const std::vector<SignedFile>& files);

std::string to_json(const ModelStatement& statement);
/// kIntegrity when the root is not that of the files, or a file is named twice; kUnsupported for other ways to hash
/// than SHA-256 of whole files, without symbolic links.
Result<ModelStatement> model_statement_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
