#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/attest_version.hpp"
#include "services/sign_version.hpp"
#include "signing/key_file.hpp"

/// Keys, signatures of versions, attestations.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;
namespace fs = std::filesystem;

namespace {

struct Arguments {
  std::string type = "p256";
  std::string version;
  std::string file;
  std::string key;
  std::string certificates;
  std::string meaning;
  std::string output;
  std::string signature;
  std::string kind;
};

Result<ExitCode> generate_key(const Context& context, const Arguments& arguments) {
  TRY(const signing::KeyType type, signing::key_type_from(arguments.type));
  TRY(const signing::PrivateKey key, signing::PrivateKey::generate(type));
  TRY_DO(signing::write_key_pair(arguments.file, key));
  const std::string id = key.public_key().id();
  if (context.common.json) {
    print_json({{"private_key", arguments.file},
                {"public_key", arguments.file + ".pub"},
                {"type", signing::to_string(type)},
                {"id", id}});
  } else {
    fmt::print("made the {} key {} (keep it secret) and {}.pub, id {}\n", signing::to_string(type), arguments.file,
               arguments.file, id.substr(0, 16));
  }
  return kOk;
}

Result<std::vector<signing::Certificate>> read_certificates(const std::string& path) {
  TRY(const std::string text, read_text(path));
  auto found = signing::Certificate::all_from_pem(text);
  if (!found) return Unexpected(std::move(found).error().within(path));
  return found;
}

Result<signing::PublicKey> read_public_key(const std::string& path) {
  TRY(const std::string text, read_text(path));
  auto key = signing::PublicKey::from_pem(text);
  if (!key) return Unexpected(std::move(key).error().within(path));
  return key;
}

Result<void> write_output(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return {};
  return Unexpected(ErrorCode::kResourceExhausted, fmt::format("{} can't be written.", path),
                    "Check the folder and the space that is left there.");
}

Result<ExitCode> sign(const Context& context, const Arguments& arguments) {
  TRY(const VersionRef ref, VersionRef::parse(arguments.version));
  TRY(signing::PrivateKey key, signing::read_private_key(arguments.key));
  services::ModelSigner signer{std::move(key), {}};
  if (!arguments.certificates.empty()) {
    TRY(signer.certificates, read_certificates(arguments.certificates));
  }
  TRY(const auto opened, context.open());
  TRY(const StoredSignature stored,
      services::sign_version(opened->registry().versions, opened->signatures(), ref, signer, arguments.meaning,
                             {context.common.actor}, system_clock().now()));
  if (!arguments.output.empty()) TRY_DO(write_output(arguments.output, stored.bundle));
  if (context.common.json) {
    print_json({{"version", ref.str()},
                {"signer", stored.signer},
                {"at", to_rfc3339(stored.at)},
                {"signed_by", stored.signed_by},
                {"bundle", json::parse(stored.bundle)}});
  } else {
    fmt::print("signed {} as {}{}\n", coloured(Colour::kBold, ref.str()), stored.signer,
               arguments.output.empty() ? "" : "; wrote " + arguments.output);
  }
  return kOk;
}

Result<services::Trust> read_trust(const Arguments& arguments) {
  if (arguments.key.empty() == arguments.certificates.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "Say whom to trust: a key or certificates.",
                      "Give --key PUBLIC-KEY or --certificate-chain CERTIFICATES.");
  services::Trust trust;
  if (!arguments.key.empty()) {
    TRY(trust.key, read_public_key(arguments.key));
  } else {
    TRY(trust.roots, read_certificates(arguments.certificates));
  }
  return trust;
}

ExitCode print_verified(const Context& context, const services::VerifiedSignature& verified, const std::string& what) {
  const wire::ModelStatement& statement = verified.statement;
  if (context.common.json) {
    json out = {{"verified", true},
                {"signer", verified.signer},
                {"files", statement.files.size()},
                {"ignore_paths", statement.ignore_paths}};
    for (const wire::SignedMeaning& meaning : statement.meaning)
      out["meaning"] = {{"version", meaning.version},
                        {"manifest_sha256", meaning.manifest_sha256.hex()},
                        {"signed_by", meaning.signed_by},
                        {"at", meaning.at},
                        {"meaning", meaning.meaning}};
    print_json(out);
    return kOk;
  }
  fmt::print("{} {}: {} files, signed by {}\n", coloured(Colour::kGreen, "verified:"), what, statement.files.size(),
             verified.signer);
  for (const wire::SignedMeaning& meaning : statement.meaning)
    fmt::print("  {} signed {} at {}{}\n", meaning.signed_by, meaning.version, meaning.at,
               meaning.meaning.empty() ? "" : ": " + meaning.meaning);
  // A signer can leave files out of what is signed; whoever verifies has to know.
  fmt::print("  not covered by the signature: {}\n",
             statement.ignore_paths.empty() ? "nothing" : fmt::format("{}", fmt::join(statement.ignore_paths, ", ")));
  return kOk;
}

Result<ExitCode> verify_folder(const Context& context, const Arguments& arguments, const services::Trust& trust) {
  const fs::path folder = arguments.version;
  const std::string file = arguments.signature.empty() ? (folder / "model.sig").string() : arguments.signature;
  TRY(const std::string text, read_text(file));
  TRY(const services::VerifiedSignature verified, services::verify_bundle(file, text, trust));
  TRY_DO(services::check_signed_folder(verified.statement, folder, file));
  return print_verified(context, verified, arguments.version);
}

Result<ExitCode> verify_signature(const Context& context, const Arguments& arguments) {
  TRY(const services::Trust trust, read_trust(arguments));
  std::error_code ignored;
  if (fs::is_directory(arguments.version, ignored)) return verify_folder(context, arguments, trust);
  TRY(const VersionRef ref, VersionRef::parse(arguments.version));
  TRY(const auto opened, context.open());
  TRY(const StoredVersion version, opened->registry().versions.version(ref));
  std::vector<std::string> bundles;
  if (!arguments.signature.empty()) {
    TRY(std::string text, read_text(arguments.signature));
    bundles.push_back(std::move(text));
  } else {
    TRY(const std::vector<StoredSignature> stored, opened->signatures().signatures(ref));
    for (const StoredSignature& signature : stored) bundles.push_back(signature.bundle);
  }
  if (bundles.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no signature.", ref.str()),
                      fmt::format("Sign it: backstay sign {} --key KEY", ref.str()));
  // A version may have signatures of several people; the one who is asked about must be among them.
  std::optional<Error> first;
  for (const std::string& bundle : bundles) {
    auto verified = services::verify_bundle("the signature of " + ref.str(), bundle, trust);
    if (verified) {
      TRY_DO(services::check_signed_version(verified->statement, version));
      return print_verified(context, *verified, ref.str());
    }
    if (!first) first = verified.error();
  }
  return Unexpected(*first);
}

Result<ExitCode> attest(const Context& context, const Arguments& arguments) {
  TRY(const VersionRef ref, VersionRef::parse(arguments.version));
  TRY(const services::AttestationKind kind, services::attestation_kind_from(arguments.kind));
  TRY(const signing::PrivateKey key, signing::read_private_key(arguments.key));
  TRY(const auto opened, context.open());
  TRY(const std::string envelope, services::attest_version(opened->registry().versions, opened->records().audit, ref,
                                                           kind, key, context.program.version, {context.common.actor}));
  if (arguments.output.empty()) {
    fmt::print("{}\n", envelope);
    return kOk;
  }
  TRY_DO(write_output(arguments.output, envelope + "\n"));
  if (context.common.json) {
    print_json({{"file", arguments.output}});
  } else {
    fmt::print("wrote {}\n", arguments.output);
  }
  return kOk;
}

Result<ExitCode> verify_attestation(const Context& context, const Arguments& arguments) {
  TRY(const signing::PublicKey key, read_public_key(arguments.key));
  TRY(const std::string text, read_text(arguments.file));
  TRY(const services::VerifiedAttestation verified, services::verify_attestation(arguments.file, text, key));
  if (context.common.json) {
    print_json({{"verified", true}, {"signer", key.id()}, {"statement", json::parse(verified.statement)}});
    return kOk;
  }
  fmt::print("{} {}, signed by {}\n", coloured(Colour::kGreen, "verified:"), verified.head.predicate_type, key.id());
  for (const auto& subject : verified.head.subjects) fmt::print("  {}  sha256:{}\n", subject.name, subject.sha256);
  return kOk;
}

void add_signatures(const Context& context, const std::shared_ptr<Arguments>& arguments) {
  Arguments& a = *arguments;
  CLI::App* command = context.add(context.app, "sign", "Sign a version's files (OpenSSF Model Signing)",
                                  "backstay sign breast-cancer@1.1.0 --key release.pem --meaning \"approved by QA\"");
  command->add_option("VERSION", a.version, "A version, MODEL@X.Y.Z")->required();
  command->add_option("--key", a.key, "The private key (backstay key generate)")->required();
  command->add_option("--certificate", a.certificates, "The key's certificate, then those up to its root (PEM)");
  command->add_option("--meaning", a.meaning, "What the signer means by it; signed too");
  command->add_option("--output", a.output, "Write model.sig to this file as well");
  context.on(command, [context, arguments] { return sign(context, *arguments); });

  CLI::App* signature = context.app.add_subcommand("signature", "Signatures of versions and folders");
  signature->require_subcommand(1);
  command = context.add(*signature, "verify", "Check that a version's or folder's files are what was signed",
                        "backstay signature verify ./model --key release.pem.pub");
  command->add_option("VERSION|FOLDER", a.version, "A version, MODEL@X.Y.Z, or a folder with a model")->required();
  command->add_option("--key", a.key, "The signer's public key (PEM)");
  command->add_option("--certificate-chain", a.certificates, "Certificates that the signer's must lead to (PEM)");
  command->add_option("--signature", a.signature, "The signature (default: FOLDER/model.sig, or the version's own)");
  context.on(command, [context, arguments] { return verify_signature(context, *arguments); });
}

void add_attestations(const Context& context, const std::shared_ptr<Arguments>& arguments) {
  Arguments& a = *arguments;
  CLI::App* command =
      context.add(context.app, "attest", "State what a version was made from, or how it was judged (in-toto, signed)",
                  "backstay attest breast-cancer@1.1.0 --kind provenance --key release.pem");
  command->add_option("VERSION", a.version, "A version, MODEL@X.Y.Z")->required();
  command->add_option("--kind", a.kind, "provenance (SLSA) or evaluation (scorecards and gates)")->required();
  command->add_option("--key", a.key, "The private key (backstay key generate)")->required();
  command->add_option("--output", a.output, "Write to this file instead of standard output");
  context.on(command, [context, arguments] { return attest(context, *arguments); });

  CLI::App* attestation = context.app.add_subcommand("attestation", "Signed statements about versions");
  attestation->require_subcommand(1);
  command = context.add(*attestation, "verify", "Check an attestation's signature, offline",
                        "backstay attestation verify provenance.json --key release.pem.pub");
  command->add_option("FILE", a.file, "The attestation; - is standard input")->required();
  command->add_option("--key", a.key, "The signer's public key (PEM)")->required();
  context.on(command, [context, arguments] { return verify_attestation(context, *arguments); });
}

}  // namespace

void add_signing_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* key = context.app.add_subcommand("key", "Signing keys");
  key->require_subcommand(1);
  CLI::App* command = context.add(*key, "generate", "Make a signing key: FILE (only for you) and FILE.pub",
                                  "backstay key generate release.pem");
  command->add_option("FILE", arguments->file, "The private key's file, which must not be there yet")->required();
  command->add_option("--type", arguments->type, "p256, p384, p521 or, for attestations only, ed25519")
      ->capture_default_str();
  context.on(command, [context, arguments] { return generate_key(context, *arguments); });
  add_signatures(context, arguments);
  add_attestations(context, arguments);
}

}  // namespace backstay::cli
