#include "domain/traffic/prediction_id.hpp"

#include <gtest/gtest.h>

namespace backstay::traffic {
namespace {

TEST(PredictionId, SaysWhoAnsweredAndWhen) {
  const PredictionId id = PredictionId::make(7, 1'800'000'000, 0xdeadbeef);
  std::string hex;
  id.append_hex(hex);
  EXPECT_EQ(hex, "000000076b49d20000000000deadbeef");
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

}  // namespace
}  // namespace backstay::traffic
