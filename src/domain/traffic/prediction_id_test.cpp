#include "domain/traffic/prediction_id.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace backstay::traffic {
namespace {

TEST(PredictionId, SaysWhoAnsweredAndWhen) {
  const PredictionId id = PredictionId::make(7, 1'800'000'000, 0xdeadbeef);
  std::string hex;
  id.append_hex(hex);
  EXPECT_EQ(hex, "80000000deadbeef000000076b49d200");
  const PredictionId read = PredictionId::parse(hex).value();
  EXPECT_EQ(read, id);
  EXPECT_EQ(read.serving(), 7u);
  EXPECT_EQ(read.at(), Timestamp(seconds(1'800'000'000)));
}

TEST(PredictionId, RefusesAnythingElse) {
  for (const char* bad :
       {"", "7", "000000076b49d20000000000deadbee", "000000076b49d20000000000deadbeeff",
        "000000076b49d20000000000deadbeeg", "+00000076b49d20000000000deadbeef", "00000007-b49d-0000-0000-00deadbeef"})
    EXPECT_FALSE(PredictionId::parse(bad)) << bad;
}

TEST(PredictionId, SortedByItsTextItIsSortedByChance) {
  Random random(3);
  int sooner = 0;
  for (int i = 0; i < 1'000; ++i) {
    std::string older, newer;
    PredictionId::make(1, 1'800'000'000, random.next()).append_hex(older);
    PredictionId::make(2, 1'800'000'100, random.next()).append_hex(newer);
    sooner += older < newer ? 1 : 0;
  }
  EXPECT_NEAR(sooner, 500, 60);
}

TEST(PredictionId, OneOfBeforeIsReadAsItWasWritten) {
  const auto id = PredictionId::parse("000000076b49d200f0000000deadbeef");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->serving(), 7U);
  EXPECT_EQ(id->low, 0xf0000000deadbeefU);
}

}  // namespace
}  // namespace backstay::traffic
