#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tables/table_reader.hpp"

namespace backstay::tables {
namespace {

/// A file of this test's own.
std::filesystem::path file(const std::string& name, const std::string& content) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

TEST(OpenTable, GivesNumbersOfATextTableWithoutTexts) {
  auto table = open_table(file("n.csv", "x,word\n0.5,a\n+2,\n,inf\n"));
  ASSERT_TRUE(table.has_value());
  const auto batch = (*table)->next();
  ASSERT_TRUE(batch.has_value());
  ASSERT_NE(*batch, nullptr);
  std::vector<double> numbers;
  (*batch)->columns[0].numbers(numbers);
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_EQ(numbers[0], 0.5);
  EXPECT_EQ(numbers[1], 2);
  EXPECT_TRUE(std::isnan(numbers[2]));
  (*batch)->columns[1].numbers(numbers);
  EXPECT_TRUE(std::isnan(numbers[0]) && std::isnan(numbers[1]) && std::isnan(numbers[2]));
  const auto end = (*table)->next();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(*end, nullptr);
}

TEST(OpenTable, GivesEveryRowWhereverPiecesEnd) {
  std::string text = "id,word\n";
  constexpr std::size_t kRows = 100'000;
  for (std::size_t i = 0; i < kRows; ++i) text += std::to_string(i) + ",word\n";
  std::uint64_t bytes = 0;
  std::size_t rows = 0;
  bool in_order = true;
  const auto path = file("many.csv", text);
  const auto done =
      read_rows(path, {[&](const Row& row) -> Result<void> {
                  in_order = in_order && row.cells[0].text == std::to_string(rows++) && row.cells[1].text == "word";
                  return {};
                }},
                {"", {}, [&](std::uint64_t count) { bytes += count; }});
  EXPECT_TRUE(done.has_value());
  EXPECT_TRUE(in_order);
  EXPECT_EQ(rows, kRows);
  EXPECT_GE(bytes, text.size());
}

TEST(OpenTable, TellsOfColumnsThatComeLater) {
  const auto path = file("late.jsonl", "{\"a\": 1}\n{\"b\": \"x\"}\n");
  std::vector<std::string> names;
  std::size_t widest = 0;
  const auto done = read_rows(path, {.on_row = [&](const Row& row) -> Result<void> {
                                       widest = std::max(widest, row.cells.size());
                                       return {};
                                     },
                                     .on_columns =
                                         [&](const std::vector<ColumnInfo>& columns) {
                                           names.clear();
                                           for (const ColumnInfo& column : columns) names.push_back(column.name);
                                         }});
  EXPECT_TRUE(done.has_value());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(widest, 2u);
}

TEST(OpenTable, KeepsLittleOfLinesThatHaveAThousandMissingCells) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  text += "}\n";
  for (int i = 0; i < 100'000; ++i) text += "{}\n";
  auto table = open_table(file("wide.jsonl", text));
  ASSERT_TRUE(table.has_value());
  std::size_t rows = 0;
  while (true) {
    const auto batch = (*table)->next();
    ASSERT_TRUE(batch.has_value());
    if (*batch == nullptr) break;
    EXPECT_LT((*batch)->rows, 10'000u);
    rows += (*batch)->rows;
  }
  EXPECT_EQ(rows, 100'001u);
}

TEST(OpenTable, SaysWhatAFileIsNot) {
  const auto error = [](const std::filesystem::path& path) {
    const auto table = open_table(path);
    return table ? std::string() : table.error().message;
  };
  EXPECT_NE(error(file("a.parquet", "")).find("does not begin as"), std::string::npos);
  EXPECT_NE(error(file("b.parquet", "PAR1")).find("PAR1"), std::string::npos);
  EXPECT_NE(error(file("c.arrow", "ARROW1")).find("too short"), std::string::npos);
  EXPECT_NE(error(file("d.arrows", "\xff\xff\xff\xff")).find("not a sound Arrow file"), std::string::npos);
  EXPECT_NE(error(file("e.bin", "what")).find("no table that can be read"), std::string::npos);
  EXPECT_NE(error(file("f.csv", "")).find("no head"), std::string::npos);
}

}  // namespace
}  // namespace backstay::tables
