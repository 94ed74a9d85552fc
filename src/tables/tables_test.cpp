#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/digest.hpp"
#include "tables/profile.hpp"
#include "tables/row_slicer.hpp"
#include "wire/profile_json.hpp"

namespace backstay::tables {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Read {
  std::string canonical;
  std::size_t rows = 0;
  std::string error;
};

/// In pieces of `piece` bytes: where a piece ends must not matter.
Read read(Format format, std::string_view text, std::size_t piece = 1) {
  Read out;
  const auto reader = make_row_reader(format, "t", [&](const Row& row) -> Result<void> {
    out.canonical += row.canonical;
    ++out.rows;
    return {};
  });
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (auto fed = reader->feed(bytes(text.substr(at, piece))); !fed) {
      out.error = fed.error().message;
      return out;
    }
  }
  if (auto end = reader->end_file(); !end) out.error = end.error().message;
  out.canonical = std::string(reader->canonical_head()) + out.canonical;
  return out;
}

TEST(CsvReader, ReadsQuotesNewlinesInCellsAndBothLineEnds) {
  const Read got = read(Format::kCsv,
                        "\xef\xbb\xbf"
                        "a,\"b \"\"x\"\"\"\r\n1,\"two\nlines\"\n\n\"\",\n\xc3\xa9,\"\\\t\"");
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.canonical,
            "[\"a\",\"b \\\"x\\\"\"]\n[\"1\",\"two\\nlines\"]\n[\"\",\"\"]\n[\"\xc3\xa9\",\"\\\\\\t\"]\n");
  EXPECT_EQ(got.rows, 3u);
}

TEST(CsvReader, RefusesWhatReadersDisagreeAbout) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a,b\n1\n", "line 2: the row that began in line 2 has 1 cells, the head has 2"},
      {"a,b\n1,x\"y\"\n", "line 2: a quote stands inside"},
      {"a\n\"x\"y\n", "line 2: after a closing quote"},
      {"a\n\"x\ny", "line 3: the file ends inside quotes"},
      {"a\rb\n", "line 1: a carriage return"},
      {std::string("a\n\0\n", 4), "line 2: a zero byte"},
      {std::string("\xff\xfe"
                   "a\0,\0b\0",
                   8),
       "line 1: there are zero bytes in the head: it looks like UTF-16"},
      {"a;b\n1;2\n", "line 1: the columns are separated by ';'"},
      {"a\n\xff\n", "line 2: the row is not UTF-8"},
      {"a,b\n\xc3,\xa9\n", "line 2: the row is not UTF-8"},
      {"", "has no head"},
      {"\xef\xbb", "not UTF-8"}};
  for (const auto& [text, error] : cases)
    EXPECT_NE(read(Format::kCsv, text).error.find(error), std::string::npos)
        << text << ": " << read(Format::kCsv, text).error;
}

TEST(CsvReader, PiecesDoNotMatter) {
  const std::string text = "a,b\r\n\"x\"\"y\",\"\r\n\"\r\nlast,\"q\"";
  const Read whole = read(Format::kCsv, text, text.size());
  EXPECT_EQ(whole.error, "");
  for (std::size_t piece = 1; piece < text.size(); ++piece)
    EXPECT_EQ(read(Format::kCsv, text, piece).canonical, whole.canonical) << piece;
}

// A line that is there as a whole is not read byte by byte; it must make no difference, errors included.
TEST(CsvReader, AWholeLineIsReadAsItsBytesAre) {
  for (const std::string_view rows : std::initializer_list<std::string_view>{"1,2\n3,4\n",
                                                                             "1,2\r\n3,4",
                                                                             ",\n\n \t,x\n",
                                                                             "\"1\",2\n3,\"4\n5\"\n6,7\n",
                                                                             "1,2\n3\n",
                                                                             "1,2\n3,4,5\n",
                                                                             "1,2\n\r\n3,4\n",
                                                                             "1\r,2\n",
                                                                             "1,a\"b\n",
                                                                             "1,\xc3\xa9\n",
                                                                             "1,\xc3\n",
                                                                             "\xc3,\xa9\n",
                                                                             {"1,2\n\0,4\n", 8},
                                                                             "1,2\n3,4\r"}) {
    for (const Format format : {Format::kCsv, Format::kTsv}) {
      std::string text = "a,b\n" + std::string(rows);
      if (format == Format::kTsv) std::replace(text.begin(), text.end(), ',', '\t');
      const Read slowly = read(format, text, 1);
      const Read at_once = read(format, text, text.size());
      EXPECT_EQ(at_once.canonical, slowly.canonical) << text;
      EXPECT_EQ(at_once.rows, slowly.rows) << text;
      EXPECT_EQ(at_once.error, slowly.error) << text;
    }
  }
}

TEST(ReadNumber, IsTheNearestDouble) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    std::string text = std::to_string(random() >> (random() % 64));
    if (text.size() > 18) text.resize(18);
    if (random() % 4 != 0) text.insert(random() % (text.size() + 1), ".");
    if (random() % 2 == 0) text.insert(0, "-");
    double expected = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), expected);
    double got = 0;
    ASSERT_EQ(read_number(text, got), problem == std::errc{} && end == text.data() + text.size()) << text;
    EXPECT_EQ(got, problem == std::errc{} ? expected : got) << text;
  }
  double number = 0;
  for (const char* text : {"", "-", ".", "1.2.3", "1,5", " 1", "1 ", "0x10", "inf", "nan", "--1", "+-1"})
    EXPECT_FALSE(read_number(text, number)) << text;
}

TEST(TsvReader, TakesQuotesAsTheyAre) {
  EXPECT_EQ(read(Format::kTsv, "a\tb\n5\" nail\t\"\n").canonical, "[\"a\",\"b\"]\n[\"5\\\" nail\",\"\\\"\"]\n");
}

TEST(JsonlReader, KeepsLinesAndRefusesOtherThings) {
  EXPECT_EQ(read(Format::kJsonl, " {\"a\": 1.0}\r\n\n{\"b\":[1]}").canonical, "{\"a\": 1.0}\n{\"b\":[1]}\n");
  for (const std::string& text : {std::string("[1]"), std::string("{"), std::string("{\"a\":\"\xff\"}"),
                                  "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"})
    EXPECT_NE(read(Format::kJsonl, text).error, "") << text;
  EXPECT_NE(read(Format::kJsonl, R"({"a":1e999})").error.find("line 1: a number is larger"), std::string::npos);
}

std::vector<RowSlice> slices(Format format, std::string_view text, Partition partition, std::string* error = nullptr) {
  RowSlicer slicer(format, "t", std::move(partition));
  auto done = slicer.feed(bytes(text));
  if (done) done = slicer.end_file();
  auto out = done ? slicer.finish() : Result<std::vector<RowSlice>>(Unexpected(done.error()));
  if (!out && error != nullptr) *error = out.error().message;
  return out ? *out : std::vector<RowSlice>();
}

nlohmann::json stored(const std::vector<RowSlice>& got) {
  const auto& profile = got.at(0).profile;
  return profile ? nlohmann::json::parse(wire::to_json(*profile)) : nlohmann::json();
}

TEST(RowSlicer, MakesOneSlicePerValueWhoseDigestDependsOnItsRowsOnly) {
  const auto got = slices(Format::kCsv, "id,site\n1,b\n2,a\n3,b\n4,\n", {"site"});
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].value, "");
  EXPECT_EQ(got[1].value, "a");
  EXPECT_EQ(got[2].rows, 2u);
  EXPECT_EQ(got[2].sha256, sha256("[\"id\",\"site\"]\n[\"1\",\"b\"]\n[\"3\",\"b\"]\n"));
  const auto other = slices(Format::kCsv, "\"id\",site\r\n1,b\r\n3,\"b\"\r\n", {"site"});
  EXPECT_EQ(other.at(0).sha256, got[2].sha256) << "how the table is written must not matter";
}

TEST(RowSlicer, MakesRangesAndRefusesThoseBeyondTheTable) {
  const auto got = slices(Format::kJsonl, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", {"", {{0, 1}, {1, 2}}});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[1].sha256, sha256("{\"a\":2}\n{\"a\":3}\n"));
  EXPECT_EQ(got[1].first, 1u);
  std::string error;
  slices(Format::kCsv, "a\n1\n", {"", {{0, 1}}}, &error);
  EXPECT_EQ(error, "t has 1 rows, so there is no range 0-1.");
}

TEST(RowSlicer, SaysWhetherColumnsOrSlicesAreTheReasonThatColumnsAreLeftOut) {
  const auto warnings = [](std::size_t values, std::size_t columns) {
    std::string text = "part";
    for (std::size_t i = 1; i < columns; ++i) text += fmt::format(",c{}", i);
    for (std::size_t row = 0; row < values; ++row) {
      text += fmt::format("\np{}", row);
      for (std::size_t i = 1; i < columns; ++i) text += ",1";
    }
    std::set<std::string> out;
    for (const RowSlice& slice : slices(Format::kCsv, text + "\n", {"part"}))
      out.insert(slice.warnings.begin(), slice.warnings.end());
    return out;
  };
  EXPECT_TRUE(warnings(3, 70).empty());
  const std::set<std::string> wide = warnings(1, 1'030);
  ASSERT_EQ(wide.size(), 1u);
  EXPECT_TRUE(wide.begin()->starts_with("t has 1030 columns, and the first 1024 are profiled")) << *wide.begin();
  const std::set<std::string> many = warnings(33, 257);
  ASSERT_EQ(many.size(), 1u);
  EXPECT_TRUE(many.begin()->starts_with(
      "t is cut into 33 slices, and of those beyond 32 only the first 256 of its 257 columns are profiled"))
      << *many.begin();
  EXPECT_NE(many.begin()->find("Cut it into at most 32 slices"), std::string::npos);
}

TEST(RowSlicer, RefusesAColumnThatIsNotThereAndOneOfTooManyValues) {
  std::string error;
  slices(Format::kCsv, "a,b\n1,2\n", {"c"}, &error);
  EXPECT_EQ(error, "t has no column 'c'.");
  slices(Format::kJsonl, "{\"a\":1}\n", {"c"}, &error);
  EXPECT_EQ(error, "t has no column 'c'.");
  EXPECT_EQ(slices(Format::kJsonl, "{\"a\":1}\n{\"c\":2}\n", {"c"}).size(), 2u);
  std::string many = "id\n";
  for (int i = 0; i < 1001; ++i) many += std::to_string(i) + "\n";
  slices(Format::kCsv, many, {"id"}, &error);
  EXPECT_NE(error.find("more than 1000 values"), std::string::npos);
}

TEST(Profile, TellsTypesMissingExtremesAndDistinctValues) {
  std::string text = "n,x,t,flag,mix,none\n";
  for (int i = 0; i < 150; ++i)
    text += std::to_string(i) + ",0." + std::to_string(i % 2) + ",w" + std::to_string(i % 3) + ",true," +
            (i == 0 ? "word" : "1") + ",\n";
  const auto got = slices(Format::kCsv, text, {""});
  const auto profile = stored(got);
  EXPECT_EQ(profile["profile"], "backstay-profile/4");
  EXPECT_EQ(profile["rows"], 150);
  const auto& columns = profile["columns"];
  EXPECT_EQ(columns[0]["type"], "integer");
  EXPECT_EQ(columns[0]["min"], 0);
  EXPECT_EQ(columns[0]["max"], 149);
  EXPECT_EQ(columns[0]["mean"], 74.5);
  EXPECT_NEAR(columns[0]["distinct"].get<double>(), 150, 10);
  EXPECT_EQ(columns[0]["quantiles"]["levels"][0].get<std::string>().size(), 150u * sizeof(double) / 3 * 4);
  EXPECT_EQ(columns[1]["type"], "number");
  EXPECT_NEAR(columns[1]["mean"].get<double>(), 0.05, 1e-12);
  EXPECT_EQ(columns[2]["type"], "text");
  EXPECT_EQ(columns[2]["distinct"], 3);
  EXPECT_EQ(columns[2]["categories"]["entries"].size(), 3u);
  EXPECT_EQ(columns[2]["text"]["scripts"], (nlohmann::json{{"latin", 150}}));
  EXPECT_EQ(columns[3]["type"], "boolean");
  EXPECT_EQ(columns[4]["type"], "mixed");
  EXPECT_EQ(columns[5], (nlohmann::json{{"name", "none"}, {"type", "empty"}, {"missing", 150}}));
}

TEST(Profile, KeysThatComeLateAreMissingBefore) {
  const auto got = slices(Format::kJsonl, "{\"a\":1}\n{\"a\":2,\"b\":[1]}\n{\"a\":3,\"b\":null}\n", {""});
  const auto columns = stored(got)["columns"];
  EXPECT_EQ(columns[1]["missing"], 2);
  EXPECT_EQ(columns[1]["kinds"], (nlohmann::json{{"nested", 1}}));
}

TEST(Profile, ItsMeanKeepsSmallNumbersBesideLargeOnes) {
  const auto got = slices(Format::kCsv, "x\n1e100\n1\n-1e100\n1\n", {""});
  EXPECT_EQ(stored(got)["columns"][0]["mean"], 0.5);
}

}  // namespace
}  // namespace backstay::tables
