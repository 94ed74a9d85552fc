#include "wire/profile_json.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.hpp"
#include "domain/drift/bins.hpp"
#include "domain/drift/row_profile.hpp"

namespace backstay::wire {
namespace {

using nlohmann::json;

drift::Profile sample() {
  drift::Profile out;
  out.rows = 1'000;
  out.columns.resize(5);
  const char* names[] = {"age", "site", "flag", "note", "none"};
  Random random(1);
  for (std::size_t c = 0; c < 5; ++c) out.columns[c].name = names[c];
  for (int i = 0; i < 1'000; ++i) {
    out.columns[0].column.add_number(random.unit() * 100, false);
    out.columns[1].column.add_text(i < 3 ? "rare-" + std::to_string(i) : i % 2 == 0 ? "a" : "b");
    out.columns[2].column.add_boolean(i % 3 == 0);
    out.columns[3].column.add_text("patient " + std::to_string(i) + " was here");
    out.columns[4].column.add_missing();
  }
  return out;
}

TEST(ProfileJson, ComesBackAsItWas) {
  const std::string text = to_json(sample());
  const auto again = profile_from_json("p", text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->rows, 1'000u);
  EXPECT_EQ(to_json(*again), text);
  EXPECT_EQ(again->find("age")->quantiles.levels(), sample().find("age")->quantiles.levels());
  EXPECT_EQ(again->find("none")->missing, 1'000u);
}

/// As it was before the fourth form.
json with_lists_of_numbers(const drift::Profile& profile) {
  json root = json::parse(to_json(profile));
  root["profile"] = "backstay-profile/3";
  for (std::size_t c = 0; c < profile.columns.size(); ++c) {
    json& column = root["columns"][c];
    const drift::ColumnProfile& from = profile.columns[c].column;
    if (column.contains("quantiles")) column["quantiles"]["levels"] = from.quantiles.levels();
    if (column.contains("text")) column["text"]["lengths"]["levels"] = from.text.lengths.levels();
  }
  return root;
}

TEST(ProfileJson, TheThirdFormIsReadAsTheSame) {
  const json third = with_lists_of_numbers(sample());
  ASSERT_TRUE(third["columns"][0]["quantiles"]["levels"][0][0].is_number());
  ASSERT_TRUE(third["columns"][3]["text"]["lengths"]["levels"][0][0].is_number());
  const auto got = profile_from_json("p", third.dump());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(to_json(*got), to_json(sample()));
}

drift::Profile with_pairs() {
  Random random(2);
  drift::RowProfile rows;
  for (int i = 0; i < 500; ++i) {
    const double x = random.unit();
    const std::vector<drift::Value> row{{drift::Value::Kind::kNumber, false, x},
                                        {drift::Value::Kind::kNumber, false, x + random.unit()},
                                        {drift::Value::Kind::kNumber, false, i == 0 ? 1e300 : -1e300}};
    rows.add(row);
  }
  return rows.named({"x", "y", "huge"});
}

TEST(ProfileJson, PairsComeBackAsTheyWere) {
  const std::string text = to_json(with_pairs());
  const auto again = profile_from_json("p", text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), text);
  EXPECT_EQ(again->pairs.find("x", "y"), with_pairs().pairs.find("x", "y"));
  EXPECT_EQ(again->pairs.find("x", "huge").rows, 0u) << "what is not finite is not written";
}

drift::Profile with_vectors(int rows = 400) {
  Random random(3);
  drift::RowProfile out;
  for (int i = 0; i < rows; ++i) {
    std::vector<double> vector(20);
    for (double& each : vector) each = random.unit();
    if (i == 7) vector.pop_back();
    const std::vector<drift::Value> row{{drift::Value::Kind::kNested, false, 0, {}, vector}};
    out.add(row);
  }
  return out.named({"embedding"});
}

TEST(ProfileJson, VectorsComeBackAsTheyWere) {
  for (const int rows : {1, 400}) {
    const std::string text = to_json(with_vectors(rows));
    const auto again = profile_from_json("p", text);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(to_json(*again), text);
    EXPECT_EQ(again->find("embedding")->vectors.sample(), with_vectors(rows).find("embedding")->vectors.sample());
    EXPECT_EQ(json::parse(text)["columns"][0]["type"], rows == 1 ? "vector" : "nested") << "some have other dimensions";
  }
}

TEST(ProfileJson, RefusesVectorsThatCanNotBe) {
  const json good = json::parse(to_json(with_vectors()));
  const auto refused = [&](const char* what, const std::function<void(json&)>& change) {
    json bad = good;
    change(bad["columns"][0]["vectors"]);
    EXPECT_FALSE(profile_from_json("p", bad.dump())) << what;
  };
  refused("no object", [](json& j) { j = 1; });
  refused("no dimension", [](json& j) { j["dimension"] = 0; });
  refused("more than the column", [](json& j) { j["others"] = 400; });
  refused("no vectors", [](json& j) { j["count"] = 0; });
  refused("another projection", [](json& j) { j["projection"] = 2; });
  refused("a short mean", [](json& j) { j["mean"].erase(3); });
  refused("many products", [](json& j) { j["products"].push_back(1); });
  refused("a negative variance", [](json& j) { j["products"][0] = -1; });
  refused("a correlation above one", [](json& j) { j["products"][1] = 1e9; });
  refused("norms of others", [](json& j) { j["norms"]["levels"][0] = json::array({1}); });
  refused("no sample", [](json& j) { j.erase("sample"); });
  refused("few points", [](json& j) { j["sample"]["points"] = ""; });
  refused("keys that are no base 64", [](json& j) { j["sample"]["keys"] = "?"; });
  refused("a small sample", [](json& j) { j["sample"] = {{"keys", ""}, {"points", ""}}; });
  refused("keys out of order", [](json& j) {
    std::string keys = j["sample"]["keys"];
    j["sample"]["keys"] = std::string(12, '/') + keys.substr(12);  // The first is the greatest.
  });
}

/// Likelihoods: their squares are nothing, their products with the other column are something.
TEST(ProfileJson, WhatItWritesOfTinyNumbersItReads) {
  Random random(3);
  for (const double tiny : {1e-100, 1e-155, 1e-162, 1e-200, 1e-300}) {
    drift::RowProfile rows;
    for (int i = 0; i < 300; ++i) {
      const std::vector<double> vector{tiny * random.unit(), random.unit(), tiny * random.unit()};
      const std::vector<drift::Value> row{{drift::Value::Kind::kNumber, false, random.unit()},
                                          {drift::Value::Kind::kNumber, false, random.unit() * tiny},
                                          {drift::Value::Kind::kNested, false, 0, {}, vector}};
      rows.add(row);
    }
    const std::string text = to_json(rows.named({"a", "likelihood", "vector"}));
    const auto again = profile_from_json("p", text);
    ASSERT_TRUE(again) << tiny << ": " << again.error().message;
    EXPECT_EQ(to_json(*again), text) << tiny;
  }
}

TEST(ProfileJson, PairsOfTinyNumbersThatWereWrittenBeforeAreLeftOut) {
  json old = json::parse(to_json(with_pairs()));
  old["pairs"]["moments"][0][6] = 0;
  const auto got = profile_from_json("p", old.dump());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->pairs.find("x", "y").rows, 0u);
}

TEST(ProfileJson, ProfilesWithoutPairsAreRead) {
  json old = json::parse(to_json(with_pairs()));
  old.erase("pairs");
  const auto got = profile_from_json("p", old.dump());
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->pairs.columns().empty());
}

TEST(ProfileJson, RefusesPairsThatCanNotBe) {
  const json good = json::parse(to_json(with_pairs()));
  const auto refused = [&](const char* what, const std::function<void(json&)>& change) {
    json bad = good;
    change(bad["pairs"]);
    EXPECT_FALSE(profile_from_json("p", bad.dump())) << what;
  };
  refused("no object", [](json& j) { j = 1; });
  refused("a column that is not there", [](json& j) { j["columns"][0] = "z"; });
  refused("a column twice", [](json& j) { j["columns"][0] = "y"; });
  refused("too many columns", [](json& j) { j["columns"] = std::vector<std::string>(33, "x"); });
  refused("few members", [](json& j) { j["moments"][0].erase(3); });
  refused("a place beyond", [](json& j) { j["moments"][0][1] = 3; });
  refused("places the other way round", [](json& j) { j["moments"][0][0] = 1; });
  refused("twice", [](json& j) { j["moments"].push_back(j["moments"][0]); });
  refused("more rows than there are", [](json& j) { j["moments"][0][2] = 501; });
  refused("a negative square", [](json& j) { j["moments"][0][5] = -1; });
  refused("a correlation above one", [](json& j) { j["moments"][0][7] = 1e9; });
  refused("more blocks than rows", [](json& j) { j["moments"][0][8] = 501; });
  refused("a weight without blocks", [](json& j) { j["moments"][0][8] = 0; });
  refused("a negative spread", [](json& j) { j["moments"][0][11] = -1; });
}

TEST(ProfileJson, SaysNothingOfWhatFewRowsShare) {
  const std::string text = to_json(sample());
  EXPECT_EQ(text.find("patient"), std::string::npos);
  EXPECT_EQ(text.find("rare"), std::string::npos);
  const auto root = json::parse(text);
  const auto& site = root["columns"][1]["categories"]["entries"];
  EXPECT_EQ(site.size(), 2u) << "the hash of a rare value would tell whether a value that one guesses is there";
  EXPECT_TRUE(root["columns"][3]["categories"]["entries"].empty());
}

/// Rows in which all wards are as frequent.
drift::Profile wards(std::uint64_t seed, int rows) {
  Random random(seed);
  drift::Profile out;
  out.rows = static_cast<std::uint64_t>(rows);
  out.columns.push_back({"ward", drift::ColumnProfile()});
  for (int i = 0; i < rows; ++i) out.columns[0].column.add_text("ward " + std::to_string(random.below(30)));
  return out;
}

TEST(ProfileJson, ShortTimesTellOfCategoriesThatTheTrainingDataShares) {
  const drift::Profile training = wards(1, 3'000);
  const drift::SharedCategories shared(training);
  drift::Profile strict;
  drift::Profile exact;
  drift::Profile all;
  for (std::uint64_t seed = 2; seed < 14; ++seed) {
    drift::Profile window = wards(seed, 80);
    window.columns[0].column.add_text("a name that nobody else has");
    ++window.rows;
    all.merge(window);
    strict.merge(*profile_from_json("p", to_json(window)));
    const std::string text = to_json(window, shared);
    EXPECT_EQ(text.find(fmt::format("{:08x}", drift::category_of(drift::hash_of_text("a name that nobody else has")))),
              std::string::npos);
    const auto read = profile_from_json("p", text);
    ASSERT_TRUE(read) << read.error().message;
    exact.merge(*read);
  }
  const drift::Bins bins(*training.find("ward"));
  EXPECT_EQ(bins.counts(*exact.find("ward")), bins.counts(*all.find("ward")));
  EXPECT_EQ(bins.slack(*exact.find("ward")).back(), 0);
  EXPECT_GT(bins.slack(*strict.find("ward")).back(), 500) << "most of what is not told may be anything";
}

TEST(ProfileJson, ColumnsThatOnlySomeSlicesHaveComeBack) {
  drift::Profile whole = wards(1, 40);
  drift::Profile other;
  other.rows = 9;
  other.columns.push_back({"price", drift::ColumnProfile()});
  for (int i = 0; i < 9; ++i) other.columns[0].column.add_number(i, false);
  whole.merge(other, drift::Profile::Absent::kUnknown);
  const auto got = profile_from_json("p", to_json(whole));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->rows, 49u);
  EXPECT_EQ(got->find("ward")->rows(), 40u);
  EXPECT_EQ(got->find("price")->missing, 0u);
}

TEST(ProfileJson, ReadsProfilesOfTheFirstForm) {
  const auto got = profile_from_json("p", R"({"profile":"backstay-profile/1","rows":10,"columns":[
      {"name":"n","type":"integer","missing":2,"distinct":8,"min":1,"max":9,"mean":5},
      {"name":"m","type":"mixed","missing":0,"distinct":3,"min":1,"max":2,"mean":1.5},
      {"name":"x","type":"number","missing":10}]})");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->find("n")->numbers, 8u);
  EXPECT_EQ(got->find("n")->distinct(), 8u);
  EXPECT_DOUBLE_EQ(got->find("n")->mean(), 5);
  EXPECT_STREQ(got->find("m")->type(), "mixed");
  EXPECT_EQ(got->find("n")->quantiles.count(), 0u);
}

TEST(ProfileJson, BooleansThatTheSecondFormTookForTextsAreBooleans) {
  drift::Profile profile;
  profile.rows = 100;
  profile.columns.resize(2);
  profile.columns[0].name = "flag";
  profile.columns[1].name = "word";
  for (int i = 0; i < 100; ++i) {
    profile.columns[0].column.add_text(i % 4 == 0 ? "True" : "False");
    profile.columns[1].column.add_text(i % 4 == 0 ? "True" : "maybe");
  }
  json older = json::parse(to_json(profile));
  older["profile"] = "backstay-profile/2";
  const auto got = profile_from_json("p", older.dump());
  ASSERT_TRUE(got) << got.error().message;
  drift::ColumnProfile booleans;
  for (int i = 0; i < 100; ++i) booleans.add_boolean(i % 4 == 0);
  EXPECT_EQ(got->find("flag")->booleans, 100u);
  EXPECT_EQ(got->find("flag")->texts, 0u);
  EXPECT_EQ(got->find("flag")->categories.entries(), booleans.categories.entries());
  EXPECT_EQ(got->find("word")->texts, 100u);
}

TEST(ProfileJson, RefusesWhatCanNotBe) {
  const json good = json::parse(to_json(sample()));
  const auto refused = [&](const char* what, const std::function<void(json&)>& change) {
    json bad = good;
    change(bad);
    EXPECT_FALSE(profile_from_json("p", bad.dump())) << what;
  };
  refused("rows", [](json& j) { j["rows"] = -1; });
  refused("other rows", [](json& j) { j["rows"] = 999; });
  refused("a name twice", [](json& j) { j["columns"][1]["name"] = "age"; });
  refused("more in a sketch than in the column", [](json& j) { j["columns"][0]["kinds"]["numbers"] = 3; });
  const auto refused_level = [&](const char* what, const json& level) {
    refused(what, [&](json& j) { j["columns"][0]["quantiles"]["levels"][0] = level; });
  };
  refused_level("a level that is no base 64", "x");
  refused_level("a level of half a number", "AAAA");
  refused_level("a level that has infinity", "AAAAAAAA8H8=");
  refused_level("a level that is a number", 1);
  refused_level("a level of texts", json::array({"1"}));
  refused("k", [](json& j) { j["columns"][0]["quantiles"]["k"] = 0; });
  refused("a hash", [](json& j) { j["columns"][1]["categories"]["entries"][0][0] = "xyz"; });
  refused("an error above the count", [](json& j) { j["columns"][1]["categories"]["entries"][0][2] = 1e6; });
  refused("registers", [](json& j) { j["columns"][0]["registers"] = "AAAA"; });
  refused("words", [](json& j) { j["columns"][3]["text"]["words"].erase(0); });
  refused("a script", [](json& j) { j["columns"][3]["text"]["scripts"]["klingon"] = 1; });
  refused("min above max", [](json& j) { j["columns"][0]["min"] = 1e9; });
  refused("columns", [](json& j) { j["columns"] = 1; });
  refused("a list", [](json& j) { j = json::array(); });
  json newer = good;
  newer["profile"] = "backstay-profile/5";
  EXPECT_EQ(profile_from_json("p", newer.dump()).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace backstay::wire
