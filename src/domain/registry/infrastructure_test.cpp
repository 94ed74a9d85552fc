#include "domain/registry/infrastructure.hpp"

#include <gmock/gmock.h>

namespace backstay::registry {
namespace {

using testing::HasSubstr;

Dependency database(const char* version, const std::string& schema = "") {
  return {"patients", "database", "upstream", version, schema};
}

TEST(Dependencies, AVersionInItsRangeHolds) {
  EXPECT_TRUE(check_dependencies({database(">=12 <15")}, {{"patients", "database", "14.2", "", false}}).holds());
}

TEST(Dependencies, AVersionOutsideItsRangeIsNamedWithWhatIsLive) {
  const auto check = check_dependencies({database(">=12 <15")}, {{"patients", "database", "15.1", "", false}});
  ASSERT_EQ(check.mismatches.size(), 1u);
  EXPECT_EQ(check.mismatches[0].reason, "needs database 'patients' >=12 <15; 15.1 is live");
}

TEST(Dependencies, AnotherSchemaKindOrAMissingVersionDoesNotHold) {
  const std::string a = sha256("a").hex();
  const std::string b = sha256("b").hex();
  EXPECT_TRUE(check_dependencies({database("", a)}, {{"patients", "database", "", a, false}}).holds());
  EXPECT_FALSE(check_dependencies({database("", a)}, {{"patients", "database", "", b, false}}).holds());
  EXPECT_FALSE(check_dependencies({database("", a)}, {{"patients", "database", "", "", false}}).holds());
  EXPECT_FALSE(check_dependencies({database("12")}, {{"patients", "queue", "12", "", false}}).holds());
  EXPECT_FALSE(check_dependencies({database("12")}, {{"patients", "database", "", "", false}}).holds());
}

TEST(Dependencies, WhatWasRemovedBreaksWhatWasNeverDeclaredIsOnlyNamed) {
  const auto gone = check_dependencies({database("12")}, {{"patients", "database", "12", "", true}});
  ASSERT_EQ(gone.mismatches.size(), 1u);
  EXPECT_THAT(gone.mismatches[0].reason, HasSubstr("was removed"));
  const auto unknown = check_dependencies({database("12")}, {});
  EXPECT_TRUE(unknown.holds());
  EXPECT_EQ(unknown.undeclared.size(), 1u);
}

TEST(Dependencies, ChangesReplaceByName) {
  const auto after = with_changes({{"b", "queue", "1", "", false}, {"a", "api", "2", "", false}},
                                  {{"b", "queue", "2", "", false}, {"c", "api", "1", "", false}});
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[0].name, "a");
  EXPECT_EQ(after[1].version, "2");
}

}  // namespace
}  // namespace backstay::registry
