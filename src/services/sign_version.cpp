#include "services/sign_version.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "services/local_files.hpp"
#include "signing/dsse.hpp"
#include "wire/bundle_json.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

// Git's are what model-signing ignores by itself; .backstay is what a checkout has beside the artifacts.
constexpr const char* kGitPaths[] = {".git", ".gitattributes", ".github", ".gitignore"};
constexpr const char* kOwnPaths[] = {"model.sig", ".backstay"};
constexpr std::size_t kMaxFiles = 1'000'000;
constexpr std::size_t kMaxNamed = 5;

bool is_under(std::string_view path, std::string_view folder) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/') && !folder.empty();
}

bool is_ignored(std::string_view path, const std::vector<std::string>& ignored) {
  return std::any_of(ignored.begin(), ignored.end(),
                     [&](const std::string& ignore) { return ignore == "." || is_under(path, ignore); });
}

std::vector<std::string> ignored_by_us() {
  std::vector<std::string> paths(std::begin(kOwnPaths), std::end(kOwnPaths));
  paths.insert(paths.end(), std::begin(kGitPaths), std::end(kGitPaths));
  return paths;
}

using Files = std::map<std::string, Digest>;

Files files_of(const wire::ModelStatement& statement) {
  Files files;
  for (const wire::SignedFile& file : statement.files) files[file.name] = file.sha256;
  return files;
}

/// What is there against what was signed, in words.
Result<void> compare(const Files& there, const Files& signed_files) {
  std::vector<std::string> problems;
  for (const auto& [name, digest] : signed_files) {
    const auto found = there.find(name);
    if (found == there.end()) {
      problems.push_back(fmt::format("'{}' is missing", name));
    } else if (found->second != digest) {
      problems.push_back(fmt::format("'{}' was changed", name));
    }
  }
  for (const auto& [name, digest] : there) {
    if (!signed_files.contains(name)) problems.push_back(fmt::format("'{}' was not signed", name));
  }
  if (problems.empty()) return {};
  const std::size_t more = problems.size() > kMaxNamed ? problems.size() - kMaxNamed : 0;
  problems.resize(problems.size() - more);
  return Unexpected(ErrorCode::kIntegrity,
                    fmt::format("The files are not those that were signed: {}{}.", fmt::join(problems, ", "),
                                more > 0 ? fmt::format(" and {} more", more) : ""),
                    "Don't use them; get them again from where they were signed.");
}

Result<Digest> hash_file(const fs::path& path) {
  Sha256 hash;
  TRY_DO(read_file(path, [&](std::span<const std::byte> piece) -> Result<void> {
    hash.update(piece);
    return {};
  }));
  return hash.finish();
}

Result<Files> files_in(const fs::path& folder, const std::vector<std::string>& ignored) {
  Files files;
  std::error_code failure;
  fs::recursive_directory_iterator entry(folder, failure);
  for (const fs::recursive_directory_iterator end; !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    if (is_ignored(name, ignored)) {
      entry.disable_recursion_pending();
      continue;
    }
    const fs::file_status status = entry->symlink_status(failure);
    if (failure || fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status))
      return Unexpected(ErrorCode::kIntegrity, fmt::format("'{}' is a symbolic link or a special file.", name),
                        "Only files and folders can be what was signed.");
    if (files.size() == kMaxFiles)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("There are more than {} files.", kMaxFiles), "");
    TRY(files[name], hash_file(entry->path()));
  }
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read the folder " + folder.string()));
  return files;
}

Result<wire::ModelStatement> statement_of(const StoredVersion& stored, const std::string& meaning, const Actor& actor,
                                          Timestamp now) {
  TRY(const registry::Manifest manifest, manifest_of(stored));
  wire::ModelStatement statement;
  statement.name = stored.ref.str();
  statement.ignore_paths = ignored_by_us();
  for (const registry::Artifact& artifact : manifest.artifacts) {
    if (is_ignored(artifact.path, statement.ignore_paths))
      return Unexpected(
          ErrorCode::kFailedPrecondition,
          fmt::format("The artifact '{}' would not be covered: verifiers of model signatures ignore that path.",
                      artifact.path),
          "Register the version without it, or under another name.");
    statement.files.push_back({artifact.path, artifact.sha256});
  }
  wire::sort_files(statement.files);
  statement.meaning = {{stored.ref.str(), stored.identity, actor.name, to_rfc3339(now), meaning}};
  return statement;
}

Result<std::string> signer_name(const ModelSigner& signer) {
  if (!signing::is_elliptic_curve(signer.key.type()))
    return Unexpected(ErrorCode::kUnsupported, "Model Signing does not know Ed25519 keys.",
                      "Make one that it knows: backstay key generate FILE --type p256");
  if (signer.certificates.empty()) return signer.key.public_key().id();
  TRY(const signing::PublicKey certified, signer.certificates[0].public_key());
  if (!(certified == signer.key.public_key()))
    return Unexpected(ErrorCode::kInvalidArgument, "The certificate is of another key.",
                      "The first certificate in the file must be the signing key's own.");
  return signer.certificates[0].subject();
}

}  // namespace

Result<StoredSignature> sign_version(VersionStore& versions, SignatureStore& signatures,
                                     const registry::VersionRef& ref, const ModelSigner& signer,
                                     const std::string& meaning, const Actor& actor, Timestamp now) {
  TRY(const std::string name, signer_name(signer));
  TRY(const StoredVersion stored, versions.version(ref));
  TRY(const wire::ModelStatement statement, statement_of(stored, meaning, actor, now));
  wire::Bundle bundle;
  bundle.envelope.payload = wire::to_json(statement);
  bundle.envelope.payload_type = wire::kInTotoPayload;
  TRY(bundle.envelope.signature,
      signer.key.sign(signing::pre_authentication(bundle.envelope.payload_type, bundle.envelope.payload)));
  if (signer.certificates.empty()) bundle.key_hint = signer.key.public_key().id();
  for (const signing::Certificate& certificate : signer.certificates) bundle.certificates.push_back(certificate.der());
  const std::string text = wire::to_json(bundle);
  const std::string reason = meaning.empty() ? "Signed by " + name : fmt::format("{} (signed by {})", meaning, name);
  return signatures.add_signature(
      ref, {0, text, name, {}, actor.name},
      {actor.name, "version.sign", ref.str(), reason,
       fmt::format("{{\"bundle_sha256\":\"{}\",\"key_sha256\":\"{}\",\"version_sha256\":\"{}\"}}", sha256(text).hex(),
                   signer.key.public_key().id(), stored.identity.hex())});
}

Result<VerifiedSignature> verify_bundle(const std::string& name, std::string_view text, const Trust& trust) {
  TRY(const wire::Bundle bundle, wire::bundle_from_json(name, text));
  VerifiedSignature verified;
  std::optional<signing::PublicKey> key;
  if (trust.key) {
    if (!bundle.certificates.empty())
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} was signed with a certificate.", name),
                        "Verify it with --certificate-chain.");
    key = *trust.key;
    verified.signer = key->id();
    if (bundle.key_hint != verified.signer)
      return Unexpected(ErrorCode::kIntegrity, fmt::format("{} was signed with another key.", name),
                        fmt::format("Its key has the id {}.", bundle.key_hint.substr(0, 64)));
  } else {
    if (bundle.certificates.empty())
      return Unexpected(ErrorCode::kInvalidArgument,
                        fmt::format("{} was signed with a key, without a certificate.", name), "Verify it with --key.");
    std::vector<signing::Certificate> chain;
    for (const std::string& der : bundle.certificates) {
      TRY(signing::Certificate certificate, signing::Certificate::from_der(der));
      chain.push_back(std::move(certificate));
    }
    TRY(key, signing::verify_chain(chain, trust.roots));
    verified.signer = chain[0].subject();
  }
  const wire::Envelope& envelope = bundle.envelope;
  if (!signing::is_elliptic_curve(key->type()) || envelope.payload_type != wire::kInTotoPayload)
    return Unexpected(ErrorCode::kUnsupported,
                      fmt::format("{} is signed in a way that Model Signing does not know.", name),
                      "Its keys are ECDSA keys, and its payload is an in-toto statement.");
  auto good = key->verify(signing::pre_authentication(envelope.payload_type, envelope.payload), envelope.signature);
  if (!good) return Unexpected(std::move(good).error().within(name));
  TRY(verified.statement, wire::model_statement_from_json(name, envelope.payload));
  if (verified.statement.files.empty())
    return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is good, and covers no file.", name),
                      "Its signer left every file out: it says nothing.");
  return verified;
}

Result<void> check_signed_version(const wire::ModelStatement& statement, const StoredVersion& version) {
  TRY(const registry::Manifest manifest, manifest_of(version));
  Files artifacts;
  for (const registry::Artifact& artifact : manifest.artifacts) artifacts[artifact.path] = artifact.sha256;
  TRY_DO(compare(artifacts, files_of(statement)));
  for (const wire::SignedMeaning& meaning : statement.meaning) {
    if (meaning.manifest_sha256 != version.identity)
      return Unexpected(ErrorCode::kIntegrity,
                        fmt::format("The signature is of {}, not of {}.", meaning.version, version.ref.str()),
                        "The files are the same; what is said about them is not.");
  }
  return {};
}

Result<std::size_t> check_signed_folder(const wire::ModelStatement& statement, const fs::path& folder,
                                        const fs::path& signature_file) {
  std::vector<std::string> ignored = statement.ignore_paths;
  ignored.insert(ignored.end(), std::begin(kGitPaths), std::end(kGitPaths));
  std::error_code failure;
  const fs::path root = fs::canonical(folder, failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read the folder " + folder.string()));
  const fs::path signature = fs::canonical(signature_file, failure);
  // As model-signing does: the signature can't be among what it signs.
  if (!failure && is_under(signature.string(), root.string()))
    ignored.push_back(signature.lexically_relative(root).generic_string());
  TRY(const Files files, files_in(root, ignored));
  TRY_DO(compare(files, files_of(statement)));
  return files.size();
}

}  // namespace backstay::services
