#include "domain/drift/row_block.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.hpp"
#include "domain/drift/row_profile.hpp"

namespace backstay::drift {
namespace {

Value number(double value) {
  return {Value::Kind::kNumber, false, value};
}
Value text(std::string_view value) {
  return {Value::Kind::kText, false, 0, value};
}
Value boolean(bool value) {
  return {Value::Kind::kBoolean, false, value ? 1.0 : 0.0};
}

TEST(RowBlock, HoldsCopiesOfWhatARowHas) {
  RowBlock block(3);
  std::string word = "first";
  std::vector<double> list{1, 2};
  const std::vector<Value> row{number(-0.0), text(word), Value{Value::Kind::kNested, false, 0, {}, list},
                               boolean(true)};
  block.add(row);
  word = "wrong";
  list = {7, 7};
  block.add({});
  ASSERT_EQ(block.columns().size(), 3u) << "the fourth is beyond the most";
  EXPECT_EQ(block.rows(), 2u);
  EXPECT_EQ(block.columns()[0].numbers, 1u);
  EXPECT_FALSE(std::signbit(block.columns()[0].values[0]));
  EXPECT_EQ(block.text_at(block.columns()[1], 0), "first");
  EXPECT_EQ(block.vector_at(block.columns()[2], 0)[1], 2);
  block.clear();
  EXPECT_EQ(block.rows(), 0u);
  EXPECT_EQ(block.columns()[1].texts, 0u);
}

TEST(RowBlock, IsFullOfLongTextsBeforeItHasManyRows) {
  RowBlock block(1);
  const auto long_text = [](char letter) { return std::string(300'000, letter); };
  for (const char letter : {'a', 'b', 'c'}) block.add(std::vector{text(long_text(letter))});
  block.add(std::vector{text(long_text('a'))});  // Is there already.
  EXPECT_FALSE(block.full());
  block.add(std::vector{text(long_text('d'))});
  EXPECT_TRUE(block.full());
  for (const auto& [row, letter] : {std::pair{1, 'b'}, {3, 'a'}, {4, 'd'}})
    EXPECT_EQ(block.text_at(block.columns()[0], static_cast<std::size_t>(row)), long_text(letter));
}

/// 1000 rows in which every kind of value comes, and none.
std::vector<std::vector<Value>> mixed_rows() {
  static const std::string kWords[] = {"a", "b", "a longer text", "\xc3\xa9t\xc3\xa9"};
  Random random(5);
  std::vector<std::vector<Value>> out;
  for (int i = 0; i < 1'000; ++i) {
    std::vector<Value> row{number(random.unit()),
                           random.unit() < 0.2 ? Value() : number(static_cast<double>(random.below(9))),
                           text(kWords[random.below(4)]), boolean(random.unit() < 0.5)};
    if (i % 7 == 0) row[0] = text(kWords[random.below(4)]);
    if (i % 100 == 99) row.resize(2);
    out.push_back(std::move(row));
  }
  return out;
}

TEST(RowBlock, AColumnsProfileIsThatOfItsValuesOneByOne) {
  const auto rows = mixed_rows();
  RowProfile blocks;
  for (const auto& row : rows) blocks.add(row);
  const Profile found = blocks.named({"x", "class", "word", "flag"});
  ASSERT_EQ(found.columns.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    ColumnProfile one;
    for (const auto& row : rows) {
      const Value value = i < row.size() ? row[i] : Value();
      if (value.kind == Value::Kind::kMissing) one.add_missing();
      if (value.kind == Value::Kind::kNumber) one.add_number(value.number, value.integer);
      if (value.kind == Value::Kind::kBoolean) one.add_boolean(value.number != 0);
      if (value.kind == Value::Kind::kText) one.add_text(value.text);
    }
    one.quantiles.settle();
    const ColumnProfile& all = found.columns[i].column;
    EXPECT_EQ(all.type(), one.type());
    EXPECT_EQ(all.missing, one.missing);
    EXPECT_EQ(all.numbers, one.numbers);
    EXPECT_DOUBLE_EQ(all.mean(), one.mean());
    EXPECT_EQ(all.quantiles.levels(), one.quantiles.levels());
    EXPECT_EQ(all.distinct_values.registers(), one.distinct_values.registers());
    EXPECT_EQ(all.text.words, one.text.words);
    EXPECT_EQ(all.text.scripts, one.text.scripts);
    EXPECT_EQ(all.text.lengths.count(), one.text.lengths.count());
  }
}

TEST(RowProfile, CategoriesAreCountedExactlyHoweverTheyCome) {
  // First few that come often, then so many that the sketch has to leave some out, and numbers among them.
  Random random(6);
  RowProfile rows;
  std::map<std::uint32_t, std::uint64_t> truth;
  for (int i = 0; i < 20'000; ++i) {
    if (i % 5 == 4) {
      rows.add(std::vector{number(static_cast<double>(random.below(10)))});
      continue;
    }
    const std::string word = "w" + std::to_string(i < 5'000 || i % 2 == 0 ? random.below(8) : random.below(500));
    rows.add(std::vector{text(word)});
    ++truth[category_of(hash_of_text(word))];
    if (i == 4'998) {
      const Profile early = rows.named({"word"});
      EXPECT_TRUE(early.columns[0].column.categories.exact());
      for (const auto& [hash, times] : truth)
        EXPECT_TRUE(std::any_of(early.columns[0].column.categories.entries().begin(),
                                early.columns[0].column.categories.entries().end(),
                                [&](const auto& entry) { return entry.hash == hash && entry.count == times; }));
    }
  }
  const Profile all = rows.named({"word"});
  const ColumnProfile& column = all.columns[0].column;
  EXPECT_EQ(column.texts, 16'000u);
  EXPECT_EQ(column.text.lengths.count(), 16'000u);
  EXPECT_EQ(column.text.word_count(), 16'000u);
  EXPECT_FALSE(column.categories.exact());
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint32_t hash = category_of(hash_of_text("w" + std::to_string(i)));
    const auto& entries = column.categories.entries();
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& each) { return each.hash == hash; });
    ASSERT_NE(found, entries.end());
    EXPECT_EQ(found->count, truth[hash]);
    EXPECT_EQ(found->error, 0u);
  }
}

TEST(RowBlock, AWatchSeesTheSameAsOneThatIsShownValueByValue) {
  Random random(9);
  ColumnProfile training;
  for (int i = 0; i < 4'000; ++i) training.add_number(random.unit(), false);
  ColumnWatch by_block(training, {});
  ColumnWatch by_value(training, {});
  RowBlock block(1);
  for (int i = 0; i < 3'000; ++i) {
    const bool missing = i % 10 == 0;
    const double value = random.unit() + (i > 1'500 ? 0.4 : 0);
    block.add(std::vector{missing ? Value() : number(value)});
    missing ? by_value.observe_missing() : by_value.observe_number(value);
    if (!block.full() && i < 2'999) continue;
    by_block.observe(block.columns()[0], block.rows());
    block.clear();
  }
  EXPECT_EQ(by_block.log_e(), by_value.log_e());
  ASSERT_TRUE(by_block.alarm());
  ASSERT_TRUE(by_value.alarm());
  EXPECT_EQ(by_block.alarm()->at, by_value.alarm()->at);
  EXPECT_EQ(by_block.alarm()->since, by_value.alarm()->since);
  EXPECT_EQ(by_block.alarm()->what, by_value.alarm()->what);
}

}  // namespace
}  // namespace backstay::drift
