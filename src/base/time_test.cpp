#include "base/time.hpp"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Rfc3339, IsReadWithAnOffsetAndWrittenInUtc) {
  EXPECT_EQ(to_rfc3339(parse_rfc3339("2026-11-24T11:15:30+01:00").value()), "2026-11-24T10:15:30.000000Z");
  EXPECT_EQ(to_rfc3339(parse_rfc3339("2026-11-24T00:15:30.5-05:30").value()), "2026-11-24T05:45:30.500000Z");
  for (const char* text : {"2026-11-24T11:15:30+1:00", "2026-11-24T11:15:30+01:60", "2026-11-24T11:15:30+0100",
                           "2026-11-24T11:15:30 01:00", "2026-11-24T11:15:30+24:00"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Time, Rfc3339GoesThereAndBack) {
  const Timestamp at{microseconds(1'795'515'330'000'042)};
  EXPECT_EQ(parse_rfc3339(to_rfc3339(at)).value(), at);
  EXPECT_EQ(to_rfc3339(Timestamp{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(Timestamp(microseconds(-1))), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_rfc3339(Timestamp(seconds(1709210096) + microseconds(7))), "2024-02-29T12:34:56.000007Z");
  EXPECT_FALSE(parse_rfc3339("2026-11-24 10:15"));
}

TEST(Time, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("1h30m").value(), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("850ms").value(), milliseconds(850));
  EXPECT_EQ(to_string(milliseconds(5'400'000)), "1h30m");
  for (const char* bad : {"", "5", "m", "5 m", "-1s", "5x", "99999999999999d"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

}  // namespace
}  // namespace backstay
