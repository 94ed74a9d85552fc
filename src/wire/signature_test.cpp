#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "wire/attestation_json.hpp"
#include "wire/bundle_json.hpp"
#include "wire/model_signature.hpp"

namespace backstay::wire {
namespace {

using nlohmann::json;

ModelStatement statement() {
  ModelStatement made;
  made.name = "m@1.0.0";
  made.ignore_paths = {"model.sig"};
  made.files = {{"a.txt", sha256("1")}, {"a-b", sha256("2")}, {"a/b", sha256("3")}, {"a", sha256("4")}};
  sort_files(made.files);
  return made;
}

TEST(ModelStatement, OrdersFilesByTheComponentsOfTheirPaths) {
  std::vector<std::string> names;
  for (const SignedFile& file : statement().files) names.push_back(file.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a/b", "a-b", "a.txt"}));
}

TEST(ModelStatement, HasTheRootThatModelSigningComputes) {
  // PyPI model-signing 1.1.1 on a folder with a/b = "hi\n", a-b = "hx\n", a.txt = "ho\n".
  std::vector<SignedFile> files = {{"a.txt", sha256("ho\n")}, {"a/b", sha256("hi\n")}, {"a-b", sha256("hx\n")}};
  sort_files(files);
  EXPECT_EQ(root_of(files).hex(), "9e2019dbcfdf72e71503ba8c2fb44664d8ec577a317ff3e2ddda77c04e7bb6eb");
}

TEST(ModelStatement, IsReadBackAsItWasWritten) {
  ModelStatement made = statement();
  EXPECT_EQ(model_statement_from_json("s", to_json(made)).value(), made);
  made.meaning = {{"m@1.0.0", sha256("manifest"), "alice", "2026-11-24T10:15:30.000000Z", "approved"}};
  EXPECT_EQ(model_statement_from_json("s", to_json(made)).value(), made);
}

TEST(ModelStatement, RefusesWhatDoesNotHoldTogether) {
  const auto code_of = [](const json& changed) {
    const auto read = model_statement_from_json("s", changed.dump());
    return read ? std::string("read") : std::string(to_string(read.error().code));
  };
  const json good = json::parse(to_json(statement()));
  ASSERT_EQ(code_of(good), "read");
  json changed = good;
  changed["predicate"]["resources"][0]["digest"] = sha256("other").hex();
  EXPECT_EQ(code_of(changed), "integrity");
  changed = good;
  changed["predicate"]["resources"][1]["name"] = changed["predicate"]["resources"][0]["name"];
  EXPECT_EQ(code_of(changed), "integrity");
  changed = good;
  changed["predicate"]["serialization"]["hash_type"] = "blake3";
  EXPECT_EQ(code_of(changed), "unsupported");
  changed = good;
  changed["predicate"]["serialization"]["allow_symlinks"] = true;
  EXPECT_EQ(code_of(changed), "unsupported");
  for (const char* key : {"_type", "subject", "predicateType", "predicate"}) {
    changed = good;
    changed.erase(key);
    EXPECT_EQ(code_of(changed), "invalid_argument") << key;
  }
  EXPECT_EQ(code_of(json::array()), "invalid_argument");
}

TEST(SigstoreBundle, IsReadBackWithAKeyAndWithCertificates) {
  Bundle bundle;
  bundle.envelope = {"{}", kInTotoPayload, std::string("\x30\x00\xff", 3), ""};
  bundle.key_hint = "abc";
  auto again = bundle_from_json("b", to_json(bundle)).value();
  EXPECT_EQ(again.envelope.signature, bundle.envelope.signature);
  EXPECT_EQ(again.key_hint, "abc");
  bundle.key_hint.clear();
  bundle.certificates = {"der one", "der two"};
  again = bundle_from_json("b", to_json(bundle)).value();
  EXPECT_EQ(again.certificates, bundle.certificates);
  EXPECT_TRUE(json::parse(to_json(bundle))["dsseEnvelope"]["signatures"].is_array());
}

TEST(SigstoreBundle, RefusesAKeyTwiceSoThatNoTwoReadersSeeTwoPayloads) {
  const std::string text =
      R"({"payload":"e30=","payload":"e31=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]})";
  EXPECT_NE(envelope_from_json("e", text).error().message.find("twice"), std::string::npos);
}

TEST(Provenance, LeavesOutWhatTheManifestDoesNotSay) {
  registry::Manifest manifest;
  manifest.ref = registry::VersionRef::parse("m@1.0.0").value();
  manifest.artifacts = {{"w", 1, sha256("w")}};
  manifest.code.commit = "not-a-hex-commit";
  manifest.environment.image = "registry/image:latest";
  const json predicate = json::parse(provenance_statement(manifest, "0.1.0"))["predicate"];
  const json& dependencies = predicate["buildDefinition"]["resolvedDependencies"];
  ASSERT_EQ(dependencies.size(), 2u);
  EXPECT_FALSE(dependencies[0].contains("digest"));
  EXPECT_EQ(dependencies[0]["annotations"]["commit"], "not-a-hex-commit");
  EXPECT_FALSE(dependencies[1].contains("digest"));
  EXPECT_FALSE(predicate["buildDefinition"].contains("internalParameters"));
  EXPECT_FALSE(predicate["runDetails"].contains("metadata"));
}

TEST(Evaluation, IsPassedOnlyWhenEveryGateSaysPass) {
  registry::Manifest manifest;
  manifest.artifacts = {{"w", 1, sha256("w")}};
  const auto result = [&](const std::vector<std::string>& verdicts) {
    std::vector<AttestedVerdict> given;
    for (const std::string& verdict : verdicts) given.push_back({"gate", sha256("g"), verdict, "{}", "", "alice"});
    return json::parse(evaluation_statement(manifest, {}, given))["predicate"]["result"].get<std::string>();
  };
  EXPECT_EQ(result({"PASS", "PASS"}), "PASSED");
  EXPECT_EQ(result({"PASS", "INSUFFICIENT"}), "WARNED");
  EXPECT_EQ(result({"INSUFFICIENT", "FAIL", "PASS"}), "FAILED");
  EXPECT_EQ(result({}), "WARNED");
}

}  // namespace
}  // namespace backstay::wire
