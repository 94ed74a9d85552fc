#include "wire/profile_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.hpp"

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

TEST(ProfileJson, SaysNothingOfWhatFewRowsShare) {
  const std::string text = to_json(sample());
  EXPECT_EQ(text.find("patient"), std::string::npos);
  EXPECT_EQ(text.find("rare"), std::string::npos);
  const auto root = json::parse(text);
  const auto& site = root["columns"][1]["categories"]["entries"];
  EXPECT_EQ(site.size(), 2u) << "the hash of a rare value would tell whether a value that one guesses is there";
  EXPECT_TRUE(root["columns"][3]["categories"]["entries"].empty());
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
  refused("levels", [](json& j) { j["columns"][0]["quantiles"]["levels"][0] = "x"; });
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
  newer["profile"] = "backstay-profile/3";
  EXPECT_EQ(profile_from_json("p", newer.dump()).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace backstay::wire
