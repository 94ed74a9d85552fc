#include "domain/search/query.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "domain/search/cursor.hpp"
#include "domain/search/evaluate.hpp"

namespace backstay::search {
namespace {

using ::testing::HasSubstr;

Error refused(const std::string& text) {
  const auto parsed = parse(text);
  EXPECT_FALSE(parsed) << text << " was read as " << (parsed ? print(*parsed) : "");
  return parsed ? Error{} : parsed.error();
}

TEST(Filter, PrintsWhatItReadAndReadsWhatItPrints) {
  for (const char* text : {
           "",
           "ORDER BY created DESC",
           R"(accuracy > 0.95 AND data.slice = "2025-08/zip-100*" AND stage != Archived ORDER BY created DESC)",
           "model = a OR model = b AND NOT (stage = Staging OR complete = true)",
           "(model = a AND model = b) AND (stage = Staging)",
           "version >= 2.1.0-rc.1 AND version < 3.0.0 ORDER BY version",
           "created >= 2025-08-01 and created < '2025-09-01T10:00:00Z' or created > -7d",
           R"(metrics.accuracy{age<50} >= .5 ORDER BY metrics.accuracy{age<50} asc)",
           R"(metrics."odd name\*"{a\}b} < 1e-3)",
           R"(config."learning rate" = 0.001 AND config.optimizer != adam AND config.seed IN (7, "8", 9*))",
           "environment.torch >= 2.1 AND dependency.patients = \">=12\" AND dependency IN (patients)",
           "verdict.production = pass AND verdict.bias IS NULL AND latency_p95_seconds < 50ms",
           R"(changelog CONTAINS "Sensitivity rises sit*" AND changelog MATCH "site c")",
           R"(data.slice LIKE "*ZIP*" AND registered_by NOT LIKE "bot-*" AND artifact.path CONTAINS "onnx")",
           "identity = 9f86d0* AND parent IS NOT NULL AND code.commit NOT IN (0a1b, \"a'b\\\"c\\\\\")",
       }) {
    const auto first = parse(text);
    ASSERT_TRUE(first) << text << ": " << first.error().message;
    const auto second = parse(print(*first));
    ASSERT_TRUE(second) << print(*first) << ": " << second.error().message;
    EXPECT_EQ(*first, *second) << text << " -> " << print(*first);
    EXPECT_EQ(print(*first), print(*second));
  }
}

TEST(Filter, AndBindsMoreThanOrAndNotMoreThanAnd) {
  EXPECT_EQ(parse("NOT model = a AND model = b OR model = c").value(),
            parse("((NOT model = a) AND model = b) OR model = c").value())
      << "as logic has it";
}

TEST(Filter, SaysWhereItIsWrongAndWhatWasMeant) {
  const struct {
    const char* text;
    const char* message;
    const char* hint;
  } kCases[] = {
      {"stagee = Staging", "character 1: 'stagee' is no field", "'stage'"},
      {"model = a AND stge = Staging", "character 15: 'stge' is no field", "'stage'"},
      {"confg.lr = 1", "character 1: 'confg.lr' is no field", "'config.lr'"},
      {"stage = Productoin", "character 9: stage is compared with", "Did you mean Production?"},
      {"accuracy = high", "character 12: metrics.accuracy is compared with a number", ""},
      {"accuracy >", "character 11: a value is missing", "FIELD = VALUE"},
      {"accuracy 0.95", "character 10: a comparison is missing", "IN"},
      {"model = a stage = Staging", "character 11: 'stage' is not expected", "AND or OR"},
      {"(model = a", "character 11: ')' is missing", "parenthesis"},
      {"model = \"a", "character 9: the quote does not close", "\""},
      {"model = a AND", "character 14: a field is missing", "Fields are"},
      {"version = 2.1", "character 11: '2.1' is not a semantic version", "2.1.0"},
      {"created > yesterday", "character 11: created is compared with a date", "2025-08-01"},
      {"created > 2025-02-30", "created is compared with a date", "2025-08-01"},
      {"stage > Staging", "stage can only be equal or not", "IN"},
      {"changelog = x", "a changelog is searched by words", "CONTAINS"},
      {"changelog CONTAINS \"...\"", "no word", "word"},
      {"model > \"a*\"", "star", "\\*"},
      {"model IS NULL", "every version has model", "NULL"},
      {"ORDER BY stage", "character 10: versions can't be ordered by stage", "created"},
      {"model = \"\\n\"", "character 10: a backslash", "\\\\"},
      {"größe.x = 1", "character 1: 'größe.x' is no field", "Fields are"},
      {"model = ä AND stge = x", "character 15", "'stage'"},
      {"a*b = 1", "'a*b' is no field", "star"},
      {"config. = 1", "needs a name", "config.NAME"},
      {"accuracy{x = 1", "the { does not close", "}"},
      {"model{x} = a", "only stand right after a metric", "metrics.accuracy{age<50}"},
      {"model = a; DROP TABLE versions", "character 10: ';' has no meaning here", "quotes"},
  };
  for (const auto& expected : kCases) {
    const Error error = refused(expected.text);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.message, HasSubstr(expected.message)) << expected.text;
    EXPECT_THAT(error.hint, HasSubstr(expected.hint)) << expected.text << ": " << error.message;
    EXPECT_FALSE(error.hint.empty());
  }
}

TEST(Filter, HasLimitsOnSizeDepthAndTerms) {
  EXPECT_THAT(refused(std::string(9000, ' ')).message, HasSubstr("longer than 8192 bytes"));
  EXPECT_THAT(refused("model = " + std::string(1025, 'a')).message, HasSubstr("longer than 1024 bytes"));
  EXPECT_THAT(refused(std::string(40, '(') + "model = a" + std::string(40, ')')).message,
              HasSubstr("nested more than"));
  std::string nots;
  for (int i = 0; i < 40; ++i) nots += "NOT ";
  EXPECT_THAT(refused(nots + "model = a").message, HasSubstr("nested more than"));
  std::string list = "model IN (a";
  for (int i = 0; i < 120; ++i) list += ",a";
  EXPECT_THAT(refused(list + ")").message, HasSubstr("more than 100"));
  EXPECT_THAT(refused("model = \"*a*b*c*d*e*f*g*h*i*\"").message, HasSubstr("more than 8 stars"));
  EXPECT_THAT(refused("model = \"\xff\"").message, HasSubstr("UTF-8"));
  EXPECT_THAT(refused(std::string("model = \0a", 10)).message, HasSubstr("control character"));
}

TEST(Filter, ATextWithStarsMatchesInOrderAndFromEndToEnd) {
  const auto text = [](std::vector<std::string> parts) { return Text{std::move(parts)}; };
  EXPECT_TRUE(matches(text({"abc"}), "abc", false));
  EXPECT_FALSE(matches(text({"abc"}), "ABC", false));
  EXPECT_TRUE(matches(text({"abc"}), "ABC", true));
  EXPECT_TRUE(matches(text({"a", "c"}), "abbc", false));
  EXPECT_TRUE(matches(text({"a", "c"}), "ac", false));
  EXPECT_FALSE(matches(text({"ab", "bc"}), "abc", false)) << "no byte is used twice";
  EXPECT_TRUE(matches(text({"", "b", "b", ""}), "abab", false));
  EXPECT_FALSE(matches(text({"", "b", "b", ""}), "aba", false));
  EXPECT_TRUE(matches(text({"", ""}), "", false));
}

TEST(VersionKey, HasTheOrderOfSemanticVersioning) {
  const std::vector<std::string> rising = {"0.0.1",
                                           "0.9.0",
                                           "0.10.0",
                                           "1.0.0-0",
                                           "1.0.0-2",
                                           "1.0.0-10",
                                           "1.0.0-A",
                                           "1.0.0-a",
                                           "1.0.0-a.1",
                                           "1.0.0-a.b",
                                           "1.0.0-a-b",
                                           "1.0.0-a0",
                                           "1.0.0-alpha",
                                           "1.0.0-beta",
                                           "1.0.0-beta.2",
                                           "1.0.0-beta.11",
                                           "1.0.0-rc.1",
                                           "1.0.0",
                                           "1.0.1",
                                           "1.2.0",
                                           "2.0.0",
                                           "10.0.0",
                                           "18446744073709551615.0.0"};
  for (const std::string& a : rising) {
    for (const std::string& b : rising) {
      const auto left = registry::SemanticVersion::parse(a).value();
      const auto right = registry::SemanticVersion::parse(b).value();
      EXPECT_EQ(left < right, version_key(left) < version_key(right)) << a << " and " << b;
    }
  }
}

TEST(ReleaseKey, ComparesNumbersByValue) {
  const std::vector<std::string> rising = {"1.5", "1.5.2", "1.10.0", "2.0", "12"};
  for (std::size_t i = 1; i < rising.size(); ++i) EXPECT_LT(release_key(rising[i - 1]), release_key(rising[i]));
  EXPECT_EQ(release_key("007"), release_key("7"));
}

TEST(Facts, NameEveryPartOfAManifestAndCutWhatIsLong) {
  registry::Manifest manifest;
  manifest.data = {{"wards", "training", "s3://x", {{"site-a", {}, 7, ""}}}};
  manifest.config = {{"lr", "0.001"}, {"name", "inf"}, {"long", std::string(1023, 'x') + "ä"}};
  manifest.parents = {registry::VersionRef::parse("m@1.0.0").value()};
  const auto facts = facts_of(manifest);
  const auto has = [&](const Fact& fact) { return std::find(facts.begin(), facts.end(), fact) != facts.end(); };
  EXPECT_TRUE(has({"data.slice", "site-a", {}}));
  EXPECT_TRUE(has({"data.slice", "wards/site-a", {}}));
  EXPECT_TRUE(has({"data.role", "training", {}}));
  EXPECT_TRUE(has({"config.lr", "0.001", 0.001}));
  EXPECT_TRUE(has({"config.name", "inf", {}}));
  EXPECT_TRUE(has({"config.long", std::string(1023, 'x'), {}})) << "not in the middle of a character";
  EXPECT_TRUE(has({"parent", "m@1.0.0", {}}));
}

TEST(Facts, SayWhetherACommitIsAllThereIsToTheCode) {
  const auto dirty = [](const char* commit, const char* diff) {
    registry::Manifest manifest;
    manifest.code.commit = commit;
    manifest.code.dirty_diff_sha256 = diff;
    for (const Fact& fact : facts_of(manifest))
      if (fact.key == "code.dirty") return fact.text;
    return std::string();
  };
  EXPECT_EQ(dirty("0a1b", ""), "false");
  EXPECT_EQ(dirty("0a1b", std::string(64, 'a').c_str()), "true");
  EXPECT_EQ(dirty("", ""), "") << "nothing is known";
}

TEST(Cursor, IsReadAsItWasWrittenAndOnlyWithItsOwnQuery) {
  const Query by_metric = parse("model = a ORDER BY accuracy").value();
  const Query by_version = parse("model = a ORDER BY version").value();
  const Position metric{Timestamp(seconds(7)), false, 0.95, 42};
  const Position tail{Timestamp(seconds(7)), true, {}, 42};
  const Position version{Timestamp(seconds(7)), false, "00011\xc3\xa4", 43};
  EXPECT_EQ(position_from(by_metric, to_cursor(by_metric, metric)).value(), metric);
  EXPECT_EQ(position_from(by_metric, to_cursor(by_metric, tail)).value(), tail);
  EXPECT_EQ(position_from(by_version, to_cursor(by_version, version)).value(), version);
  EXPECT_EQ(position_from(by_version, to_cursor(by_metric, metric)).error().code, ErrorCode::kInvalidArgument);
  const std::string good = to_cursor(by_metric, metric);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(position_from(by_metric, good.substr(0, size))) << size;
  EXPECT_FALSE(position_from(by_metric, good + "0"));
  EXPECT_FALSE(position_from(by_metric, good.substr(0, 16) + std::string(good.size() - 16, 'f')));
}

}  // namespace
}  // namespace backstay::search
