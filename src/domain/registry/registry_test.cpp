#include <gtest/gtest.h>

#include <limits>

#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"
#include "domain/registry/semantic_version.hpp"

namespace backstay::registry {
namespace {

SemanticVersion version(const char* text) {
  return SemanticVersion::parse(text).value();
}

TEST(SemanticVersion, OrdersAsSectionElevenSays) {
  const char* ordered[] = {"0.9.9",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                           "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                           "1.0.0",      "1.0.1",        "1.2.0",         "1.10.0",
                           "2.0.0"};
  for (std::size_t i = 0; i + 1 < std::size(ordered); ++i)
    EXPECT_LT(version(ordered[i]), version(ordered[i + 1])) << ordered[i];
  EXPECT_EQ(version("1.0.0-rc.1").str(), "1.0.0-rc.1");
}

TEST(SemanticVersion, RefusesWhatIsNotOne) {
  for (const char* text : {"", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+build",
                           "v1.0.0", "1.0.x", "-1.0.0", "99999999999999999999.0.0", "1.0.0-a_b"})
    EXPECT_FALSE(SemanticVersion::parse(text)) << text;
}

TEST(VersionRef, IsModelAtVersion) {
  EXPECT_EQ(VersionRef::parse("fraud@1.2.0").value().str(), "fraud@1.2.0");
  for (const char* text : {"fraud", "fraud@", "@1.0.0", "Fraud@1.0.0", "a/b@1.0.0", "..@1.0.0", "a@1"})
    EXPECT_FALSE(VersionRef::parse(text)) << text;
}

TEST(ArtifactPath, StaysInsideItsFolder) {
  for (const char* good : {"model.onnx", "a/b/c.txt", "..a", "a..", "\xc3\xa4"})
    EXPECT_TRUE(check_artifact_path(good)) << good;
  for (const char* bad :
       {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "a\nb", "\xff", "\xc0\xaf", ".."})
    EXPECT_FALSE(check_artifact_path(bad)) << bad;
}

Manifest manifest() {
  Manifest m;
  m.ref = VersionRef::parse("m@1.0.0").value();
  m.artifacts = {{"model.onnx", 3, sha256("abc")}};
  m.code.commit = "c0ffee";
  m.data = {{"cells", "training", "", {{"site-a", sha256("a"), 10, ""}, {"site-d", sha256("d"), 5, ""}}}};
  m.config = {{"lr", "0.1"}};
  m.changelog = "First.";
  return m;
}

TEST(Manifest, NamesTheMissingPartsOfTheGoldenTriangle) {
  EXPECT_TRUE(missing_parts(manifest()).empty());
  Manifest m = manifest();
  m.code.commit.clear();
  m.data[0].role = "test";
  m.config.clear();
  m.changelog.clear();
  EXPECT_EQ(missing_parts(m),
            (std::vector<std::string>{"code (commit)", "data (training slices)", "config", "changelog"}));
}

TEST(Manifest, ValidateRefusesDuplicatesAndUnknownWords) {
  EXPECT_TRUE(validate(manifest()));
  Manifest m = manifest();
  m.artifacts.push_back(m.artifacts[0]);
  EXPECT_FALSE(validate(m));
  m = manifest();
  m.data[0].role = "trainig";
  EXPECT_FALSE(validate(m));
  m = manifest();
  m.data[0].slices[1].name = "site-a";
  EXPECT_FALSE(validate(m));
}

TEST(Manifest, DiffShowsTheSliceThatChanged) {
  Manifest b = manifest();
  b.data[0].slices[1].sha256 = sha256("flipped");
  b.config["lr"] = "0.2";
  const auto differences = diff(manifest(), b);
  ASSERT_EQ(differences.size(), 2U);
  EXPECT_EQ(differences[0].section, "data");
  EXPECT_EQ(differences[0].what, "cells/site-d");
  EXPECT_EQ(differences[1].section, "config");
  EXPECT_EQ(differences[1].after, "0.2");
}

TEST(Manifest, AnImageThatCanMoveKeepsAVersionFromProduction) {
  EXPECT_TRUE(is_pinned_image("r.example.org:5000/train@sha256:" + std::string(64, 'a')));
  for (const char* image : {"train", "train:latest", "train@sha256:00", "@sha256:", "train:1@md5:aa"})
    EXPECT_FALSE(is_pinned_image(image)) << image;
  Manifest m;
  const std::size_t before = missing_parts(m).size();
  m.environment.image = "train:latest";
  EXPECT_EQ(missing_parts(m).size(), before + 1);
  m.environment.image = "train@sha256:" + std::string(64, '0');
  EXPECT_EQ(missing_parts(m).size(), before);
}

TEST(Scorecard, ARateLiesInTheUnitInterval) {
  const auto refusal = [](const char* name, double value, std::optional<double> lower = {},
                          std::optional<double> upper = {}) -> std::string {
    const auto valid = validate(Scorecard{ScorecardKind::kQuality, "d", "e", {{name, "", value, 3, lower, upper}}});
    return valid ? "" : valid.error().message + " " + valid.error().hint;
  };
  EXPECT_EQ(refusal("accuracy", 1), "");
  EXPECT_EQ(refusal("accuracy", 0), "");
  EXPECT_NE(refusal("accuracy", 98.8).find("write 0.988"), std::string::npos);
  EXPECT_NE(refusal("accuracy", -0.1).find("[0, 1]"), std::string::npos);
  EXPECT_NE(refusal("accuracy", 0.98, 97, 99), "");
  EXPECT_NE(refusal("accuracy", 0.98, 0.99, 0.97), "");
  EXPECT_NE(refusal("loss", std::numeric_limits<double>::quiet_NaN()), "");
  for (const char* rate :
       {"Balanced-Accuracy", "macro_f1", "f1_macro", "roc_auc", "recall_at_10", "false_positive_rate"})
    EXPECT_NE(refusal(rate, 12), "") << rate;
  for (const char* other : {"latency_p95_seconds", "perplexity", "loss", "heart_rate", "precision_bits", "recalls"})
    EXPECT_EQ(refusal(other, 12), "") << other;
}

TEST(KnownRate, AChangeOfARateIsNone) {
  EXPECT_TRUE(is_known_rate("recall_macro"));
  EXPECT_TRUE(is_known_rate("recall_at_10"));
  EXPECT_FALSE(is_known_rate("recall_macro_change"));
  EXPECT_FALSE(is_known_rate("recall_at_10_change"));
  const Scorecard card{
      ScorecardKind::kQuality, "held-out", "tests", {{"recall_at_10_change", "", -0.02, 50, -0.05, 0.01}}};
  EXPECT_TRUE(validate(card));
}

}  // namespace
}  // namespace backstay::registry
