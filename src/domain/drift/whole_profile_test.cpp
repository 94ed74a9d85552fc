#include "domain/drift/whole_profile.hpp"

#include <gtest/gtest.h>

namespace backstay::drift {
namespace {

constexpr const char* kColumn = "ward";

/// So many rows of each ward.
Profile part(const std::map<std::string, int>& wards) {
  Profile out;
  out.columns.push_back({kColumn, ColumnProfile()});
  for (const auto& [ward, rows] : wards) {
    for (int i = 0; i < rows; ++i) out.columns[0].column.add_text(ward);
    out.rows += static_cast<std::uint64_t>(rows);
  }
  return out;
}

CategorySketch::Entry entry(const Profile& profile, const std::string& ward) {
  for (const CategorySketch::Entry& each : profile.find(kColumn)->categories.entries())
    if (each.hash == category_of(hash_of_text(ward))) return each;
  return {};
}

TEST(WholeProfile, CountsWhatNoPartTells) {
  WholeProfile whole;
  for (int i = 0; i < 25; ++i) whole.add(part({{"a", 3}, {"b", 20}}));
  const Profile got = whole.profile();
  EXPECT_EQ(whole.parts(), 25u);
  EXPECT_EQ(got.rows, 575u);
  EXPECT_EQ(entry(got, "a").certain(), 75u);
  EXPECT_EQ(entry(got, "a").error, 0u);
  EXPECT_EQ(entry(got, "b").certain(), 500u);
}

TEST(WholeProfile, TellsNoCountOfFewRowsToWhoSubtractsTheParts) {
  WholeProfile whole;
  whole.add(part({{"a", 9}, {"b", 9}, {"c", 9}, {"d", 2}}));
  whole.add(part({{"a", 3}, {"b", 8}, {"d", 2}, {"e", 70}}));
  const Profile got = whole.profile();
  EXPECT_EQ(entry(got, "a").certain(), 9u) << "of 12 rows 9 are told by the first part, and 3 by none";
  EXPECT_EQ(entry(got, "a").count, 13u) << "whether it is one or four more";
  EXPECT_EQ(entry(got, "b").certain(), 17u);
  EXPECT_EQ(entry(got, "b").error, 0u);
  EXPECT_EQ(entry(got, "c").error, 0u);
  EXPECT_LT(entry(got, "d").certain(), kLeastShared) << "which is not written";
}

TEST(WholeProfile, OfManyCategoriesItStillTellsNoMoreThanItMay) {
  WholeProfile whole;
  for (int p = 0; p < 20; ++p) {
    std::map<std::string, int> wards{{"common", 30}, {"some", p == 0 ? 40 : 0}, {"few", p == 7 ? 3 : p == 8 ? 90 : 0}};
    for (int i = 0; i < 60; ++i) wards["ward " + std::to_string(60 * p + i)] = 5 + i % 3;
    whole.add(part(wards));
  }
  const Profile got = whole.profile();
  EXPECT_FALSE(got.find(kColumn)->categories.exact());
  EXPECT_LE(entry(got, "common").certain(), 600u);
  EXPECT_GE(entry(got, "common").count, 600u);
  const CategorySketch::Entry few = entry(got, "few");
  EXPECT_LE(few.certain(), 90u);
  EXPECT_GE(few.count, 93u);
}

}  // namespace
}  // namespace backstay::drift
