#include "gateway/event_stream.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace backstay::gateway {
namespace {

using Events = std::vector<std::string>;

/// The events of a stream that comes in pieces of so many bytes.
Events events_of(std::string_view stream, std::size_t piece = 1'000'000, std::size_t most = 1000) {
  EventStreamParser parser(most);
  Events out;
  while (!stream.empty()) {
    std::string_view bytes = stream.substr(0, piece);
    stream.remove_prefix(bytes.size());
    while (parser.next(bytes)) out.push_back(parser.data());
  }
  return out;
}

TEST(EventStreamParser, GivesTheDataOfEachEvent) {
  EXPECT_EQ(events_of("data: {\"a\": 1}\n\ndata: [DONE]\n\n"), (Events{"{\"a\": 1}", "[DONE]"}));
  EXPECT_EQ(events_of("event: delta\nid: 7\ndata: x\nretry: 10\n\n: a comment\n\nevent: end\n\n"), Events{"x"});
}

// The examples of the standard.
TEST(EventStreamParser, ReadsWhatTheStandardShows) {
  EXPECT_EQ(events_of("data: YHOO\ndata: +2\ndata: 10\n\n"), Events{"YHOO\n+2\n10"});
  EXPECT_EQ(events_of(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            (Events{"first event", "second event", " third event"}));
  EXPECT_EQ(events_of("data\n\ndata\ndata\n\ndata:"), (Events{"", "\n"})) << "the last one has not ended";
  EXPECT_EQ(events_of("data:test\n\ndata: test\n\n"), (Events{"test", "test"}));
}

TEST(EventStreamParser, TakesAnyEndOfLineWhereverTheBytesAreCut) {
  for (const char* end : {"\n", "\r\n", "\r"}) {
    std::string stream = "\xEF\xBB\xBF";
    for (const char* line : {"data: one", "data: two", "", ":", "", "data: three", ""}) stream.append(line).append(end);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece)
      EXPECT_EQ(events_of(stream, piece), (Events{"one\ntwo", "three"})) << piece;
  }
}

TEST(EventStreamParser, AFieldWhoseNameOnlyBeginsLikeDataIsAnother) {
  EXPECT_EQ(events_of("database: x\ndata: y\n\n data: z\n\nDATA: z\n\n"), Events{"y"});
}

TEST(EventStreamParser, DropsAnEventThatIsTooLongAndGoesOn) {
  const std::string line = "data: " + std::string(95, 'x') + "\n";
  for (const std::size_t piece : {1UL, 7UL, 1'000'000UL}) {
    EXPECT_EQ(events_of(line + "\ndata: short\n\n", piece, 100), Events{"short"}) << "the line is too long";
    EXPECT_EQ(events_of(line + "\ndata: short\n\n", piece, 101), (Events{std::string(95, 'x'), "short"}));
    EXPECT_EQ(events_of(line + line + "\ndata: short\n\n", piece, 150), Events{"short"}) << "the data are too long";
  }
  EventStreamParser parser(100);
  const std::string stream = line + "\n" + line + "\n";
  std::string_view bytes = stream;
  EXPECT_FALSE(parser.next(bytes));
  EXPECT_EQ(parser.dropped(), 2u);
}

TEST(LastObjects, AreThoseOfTheLastEventsThatAreAny) {
  LastObjects last;
  EXPECT_EQ(last.size(), 0u);
  last.feed("data: {\"usage\":1}\n\ndata: {\"usage\"");
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last.newest(0), "{\"usage\":1}");
  last.feed(":2}\n\ndata: [DONE]\n\ndata: 7\n\ndata: {\"cut");
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last.newest(0), "{\"usage\":2}");
  EXPECT_EQ(last.newest(1), "{\"usage\":1}");
}

TEST(LastObjects, KeepsNoMoreThanTheLastFew) {
  LastObjects last;
  for (int i = 0; i < 20; ++i) last.feed("data: {" + std::to_string(i) + "}\n\n");
  last.feed("data: {" + std::string(LastObjects::kMostBytes, 'x') + "}\n\n");
  ASSERT_EQ(last.size(), LastObjects::kMost);
  for (std::size_t back = 0; back < last.size(); ++back)
    EXPECT_EQ(last.newest(back), "{" + std::to_string(19 - back) + "}");
}

}  // namespace
}  // namespace backstay::gateway
