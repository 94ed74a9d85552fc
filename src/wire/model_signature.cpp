#include "wire/model_signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "wire/strict_json.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr const char* kStatementType = "https://in-toto.io/Statement/v1";
constexpr const char* kPredicateType = "https://model_signing/signature/v1.0";

Unexpected malformed(const std::string& name, const std::string& why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{}: {}.", name, why),
                    "It is not what OpenSSF Model Signing v1 signs.");
}

Unexpected unsupported(const std::string& name, const std::string& what) {
  return Unexpected(ErrorCode::kUnsupported, fmt::format("{}: {}.", name, what),
                    "Sign with SHA-256 of whole files and without symbolic links, which is model-signing's default.");
}

/// True: a comes before b when their components are compared one by one.
bool path_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    // The separator sorts before every other byte.
    const auto rank = [](char c) { return c == '/' ? -1 : static_cast<int>(static_cast<unsigned char>(c)); };
    return rank(x) < rank(y);
  });
}

Result<ModelStatement> read(const std::string& name, const json& root) {
  if (root.at("_type") != kStatementType || root.at("predicateType") != kPredicateType)
    return malformed(name, "it is another kind of statement");
  const json& predicate = root.at("predicate");
  const json& serialization = predicate.at("serialization");
  if (serialization.at("method") != "files" || serialization.at("hash_type") != "sha256")
    return unsupported(name, "the files were hashed in another way than SHA-256 of each");
  if (serialization.at("allow_symlinks") != false) return unsupported(name, "symbolic links were followed");
  if (root.at("subject").size() != 1) return malformed(name, "it has not one subject");

  ModelStatement statement;
  statement.name = root.at("subject").at(0).at("name").get<std::string>();
  TRY(const Digest claimed, Digest::from_hex(root.at("subject").at(0).at("digest").at("sha256").get<std::string>()));
  statement.ignore_paths = serialization.value("ignore_paths", std::vector<std::string>());
  std::set<std::string> names;
  for (const json& resource : predicate.at("resources")) {
    if (resource.at("algorithm") != "sha256") return unsupported(name, "a file has another digest than SHA-256");
    SignedFile& file = statement.files.emplace_back();
    file.name = resource.at("name").get<std::string>();
    TRY(file.sha256, Digest::from_hex(resource.at("digest").get<std::string>()));
    if (!names.insert(file.name).second)
      return Unexpected(ErrorCode::kIntegrity, fmt::format("{} names the file '{}' twice.", name, file.name), "");
  }
  if (root_of(statement.files) != claimed)
    return Unexpected(ErrorCode::kIntegrity, fmt::format("{}: its root digest is not that of its files.", name),
                      "The signer's tool is broken, or the statement was made up.");
  if (predicate.contains("backstay")) {
    const json& meaning = predicate.at("backstay");
    SignedMeaning& out = statement.meaning.emplace_back();
    out.version = meaning.at("version").get<std::string>();
    TRY(out.manifest_sha256, Digest::from_hex(meaning.at("manifest_sha256").get<std::string>()));
    out.signed_by = meaning.at("signed_by").get<std::string>();
    out.at = meaning.at("at").get<std::string>();
    out.meaning = meaning.at("meaning").get<std::string>();
  }
  return statement;
}

}  // namespace

void sort_files(std::vector<SignedFile>& files) {
  std::sort(files.begin(), files.end(),
            [](const SignedFile& a, const SignedFile& b) { return path_less(a.name, b.name); });
}

Digest root_of(const std::vector<SignedFile>& files) {
  Sha256 hash;
  for (const SignedFile& file : files) hash.update(std::as_bytes(std::span(file.sha256.bytes)));
  return hash.finish();
}

std::string to_json(const ModelStatement& statement) {
  json resources = json::array();
  for (const SignedFile& file : statement.files)
    resources.push_back({{"name", file.name}, {"algorithm", "sha256"}, {"digest", file.sha256.hex()}});
  json predicate = {{"serialization",
                     {{"method", "files"},
                      {"hash_type", "sha256"},
                      {"allow_symlinks", false},
                      {"ignore_paths", statement.ignore_paths}}},
                    {"resources", std::move(resources)}};
  for (const SignedMeaning& meaning : statement.meaning)
    predicate["backstay"] = {{"version", meaning.version},
                             {"manifest_sha256", meaning.manifest_sha256.hex()},
                             {"signed_by", meaning.signed_by},
                             {"at", meaning.at},
                             {"meaning", meaning.meaning}};
  const json root = {
      {"_type", kStatementType},
      {"subject", json::array({{{"name", statement.name}, {"digest", {{"sha256", root_of(statement.files).hex()}}}}})},
      {"predicateType", kPredicateType},
      {"predicate", std::move(predicate)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ModelStatement> model_statement_from_json(const std::string& name, std::string_view text) {
  TRY(const json root, parse_strict_json(name, text));
  try {
    return read(name, root);
  } catch (const json::exception&) {
    return malformed(name, "a member is missing or of another type");
  }
}

}  // namespace backstay::wire
