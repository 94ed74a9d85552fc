#include "domain/rollout/calendar.hpp"

#include <gtest/gtest.h>

namespace backstay::rollout {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Timestamp time(const char* text) {
  return parse_rfc3339(text).value();
}

TEST(Calendar, IsOpenInItsHoursOfTheLocalTimeOnly) {
  Calendar calendar;
  calendar.hours = OpeningHours{parse_days("mon-fri").value(), hours(9), hours(17), minutes(90)};
  // 24 November 2026 is a Tuesday.
  EXPECT_TRUE(calendar.closed(time("2026-11-24T07:29:59Z")));
  EXPECT_FALSE(calendar.closed(time("2026-11-24T07:30:00Z")));
  EXPECT_FALSE(calendar.closed(time("2026-11-24T15:29:59Z")));
  EXPECT_TRUE(calendar.closed(time("2026-11-24T15:30:00Z")));
  EXPECT_TRUE(calendar.closed(time("2026-11-28T10:00:00Z")));  // Saturday.
  EXPECT_TRUE(calendar.closed(time("2026-11-22T23:00:00Z")));  // Sunday in London, Monday 00:30 there.
}

TEST(Calendar, HoursThatEndBeforeTheyBeginGoOverMidnight) {
  Calendar calendar;
  calendar.hours = OpeningHours{parse_days("fri").value(), hours(22), hours(6), {}};
  ASSERT_TRUE(calendar.validate());
  EXPECT_TRUE(calendar.closed(time("2026-11-27T21:59:59Z")));
  EXPECT_FALSE(calendar.closed(time("2026-11-27T22:00:00Z")));
  EXPECT_FALSE(calendar.closed(time("2026-11-28T05:59:59Z"))) << "Saturday, but of Friday's night";
  EXPECT_TRUE(calendar.closed(time("2026-11-28T06:00:00Z")));
  EXPECT_TRUE(calendar.closed(time("2026-11-27T05:00:00Z"))) << "of Thursday's";
  calendar.hours->until = hours(22);
  EXPECT_FALSE(calendar.validate());
}

TEST(Calendar, BeforeThe1970sDaysAreDaysToo) {
  Calendar calendar;
  calendar.hours = OpeningHours{parse_days("wed").value(), hours(0), hours(24), {}};
  EXPECT_FALSE(calendar.closed(time("1969-12-31T23:59:59Z")));
  EXPECT_TRUE(calendar.closed(time("1970-01-01T00:00:00Z")));
}

TEST(Calendar, AFreezeSaysUntilWhenAndWhy) {
  Calendar calendar;
  calendar.freezes = {{time("2026-12-20T00:00:00Z"), time("2027-01-04T00:00:00Z"), "holidays"}};
  EXPECT_FALSE(calendar.closed(time("2026-12-19T23:59:59Z")));
  EXPECT_EQ(calendar.closed(time("2026-12-24T18:00:00Z")), "Frozen until 2027-01-04T00:00Z: holidays.");
  EXPECT_FALSE(calendar.closed(time("2027-01-04T00:00:00Z")));
}

TEST(Days, AreReadAndWrittenAlike) {
  for (const char* text : {"mon-fri", "mon,wed,fri", "sat-sun", "tue", "mon-sun", "mon-tue,thu-fri"})
    EXPECT_EQ(days_text(parse_days(text).value()), text);
  EXPECT_EQ(days_text(parse_days("sat-mon").value()), "mon,sat-sun");
  for (const char* text : {"", "monday", "mon-", "-fri", "mon,,tue", "mon,", "mon-fri-sun"})
    EXPECT_FALSE(parse_days(text)) << text;
}

TEST(TimeOfDay, IsReadAndWrittenAlike) {
  for (const char* text : {"00:00", "09:30", "24:00"})
    EXPECT_EQ(time_of_day_text(parse_time_of_day(text).value()), text);
  for (const char* text : {"", "9:30", "24:01", "12:60", "-1:00", "12:-1", "ab:cd", "12:3x"})
    EXPECT_FALSE(parse_time_of_day(text)) << text;
}

TEST(UtcOffset, IsReadAndWrittenAlike) {
  for (const char* text : {"Z", "+01:00", "-05:30"}) EXPECT_EQ(utc_offset_text(parse_utc_offset(text).value()), text);
  for (const char* text : {"", "01:00", "+15:00", "+1", "CET"}) EXPECT_FALSE(parse_utc_offset(text)) << text;
}

}  // namespace
}  // namespace backstay::rollout
