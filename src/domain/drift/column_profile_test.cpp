#include "domain/drift/column_profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.hpp"
#include "domain/drift/row_profile.hpp"

namespace backstay::drift {
namespace {

/// Greatest and root mean squared error of the ranks of 99 percentiles.
struct RankErrors {
  double greatest = 0;
  double rms = 0;
};
RankErrors rank_errors(const QuantileSketch& sketch, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::vector<Weighted> sorted = sketch.sorted();
  RankErrors out;
  for (int i = 1; i < 100; ++i) {
    const double value = values[values.size() * static_cast<std::size_t>(i) / 100];
    const auto below = std::upper_bound(values.begin(), values.end(), value) - values.begin();
    const double error = rank(sorted, value) - static_cast<double>(below) / static_cast<double>(values.size());
    out.greatest = std::max(out.greatest, std::abs(error));
    out.rms += error * error / 99;
  }
  out.rms = std::sqrt(out.rms);
  return out;
}

TEST(QuantileSketch, IsTheSampleWhileItIsSmall) {
  QuantileSketch sketch;
  for (int i = 399; i > 0; --i) sketch.add(i);
  QuantileSketch full({200, 399});
  full.merge(sketch);
  EXPECT_TRUE(full.exact());
  full.add(0);
  EXPECT_TRUE(full.exact()) << "the larger of the two";
  QuantileSketch over({200, 399});
  for (int i = 400; i > 0; --i) over.add(i);
  EXPECT_FALSE(over.exact());
  EXPECT_TRUE(sketch.exact());
  EXPECT_EQ(sketch.effective_count(), 399);
  const std::vector<Weighted> sorted = sketch.sorted();
  ASSERT_EQ(sorted.size(), 399u);
  EXPECT_EQ(quantile(sorted, 0.5), 200);
  EXPECT_EQ(quantile(sorted, 1), 399);
  EXPECT_EQ(rank(sorted, 0), 0);
}

TEST(QuantileSketch, RanksOfLongStreamsAreNearlyRightWhateverTheirOrder) {
  for (const int order : {0, 1, 2}) {
    double squares = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Random random(seed);
      std::vector<double> values(100'000);
      for (double& value : values) value = random.unit();
      if (order == 1) std::sort(values.begin(), values.end());
      if (order == 2) std::sort(values.begin(), values.end(), std::greater<>());
      QuantileSketch sketch;
      for (const double value : values) sketch.add(value);
      EXPECT_EQ(sketch.count(), 100'000u);
      EXPECT_LT(sketch.sorted().size(), 1'700u);
      sketch.settle();
      EXPECT_LT(sketch.sorted().size(), 750u);
      const RankErrors errors = rank_errors(sketch, values);
      EXPECT_LT(errors.greatest, 0.02) << seed;
      squares += errors.rms * errors.rms / 20;
    }
    EXPECT_LT(std::sqrt(squares), 0.0045) << "the error that effective_count() assumes; order " << order;
  }
}

TEST(QuantileSketch, AFineOneIsExactForThousandsAndThenFourTimesAsGood) {
  double squares = 0;
  double greatest = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    std::vector<double> values(200'000);
    for (double& value : values) value = random.unit();
    QuantileSketch sketch(QuantileSketch::kFine);
    sketch.add(std::span(values).first(4'096));
    EXPECT_TRUE(sketch.exact());
    sketch.add(std::span(values).subspan(4'096));
    EXPECT_FALSE(sketch.exact());
    sketch.settle();
    EXPECT_LT(sketch.sorted().size(), 3'000u);
    const RankErrors errors = rank_errors(sketch, values);
    squares += errors.rms * errors.rms / 20;
    greatest = std::max(greatest, errors.greatest);
  }
  EXPECT_LT(std::sqrt(squares), 0.9 / 800) << "the error that effective_count() assumes";
  EXPECT_LT(greatest, 0.004) << "what docs/drift.md says of Kolmogorov-Smirnov";
}

TEST(QuantileSketch, MergedSketchesAreAsGoodAsOneOfAll) {
  Random random(7);
  std::vector<double> all;
  QuantileSketch merged;
  for (int part = 0; part < 50; ++part) {
    QuantileSketch sketch;
    for (int i = 0; i < 1'000 + part * 37; ++i) {
      const double value = random.unit() + part;
      sketch.add(value);
      all.push_back(value);
    }
    merged.merge(sketch);
  }
  EXPECT_EQ(merged.count(), all.size());
  EXPECT_LT(rank_errors(merged, all).greatest, 0.02);
  double weight = 0;
  for (const Weighted& each : merged.sorted()) weight += each.weight;
  EXPECT_EQ(weight, static_cast<double>(all.size()));
}

TEST(QuantileSketch, TheSameRowsGiveTheSameSketchAndItsLevelsGiveItBack) {
  Random random(3);
  QuantileSketch a;
  QuantileSketch b;
  for (int i = 0; i < 5'000; ++i) {
    const double value = random.unit();
    a.add(value);
    b.add(value);
  }
  EXPECT_EQ(a.levels(), b.levels());
  const auto again = QuantileSketch::from_levels(a.k(), a.levels());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->count(), 5'000u);
  EXPECT_EQ(again->levels(), a.levels());
  EXPECT_FALSE(QuantileSketch::from_levels(200, {std::vector<double>(5'000, 1.0)})) << "too full";
  EXPECT_FALSE(QuantileSketch::from_levels(200, {{INFINITY}}));
  EXPECT_FALSE(QuantileSketch::from_levels(1, {{1.0}}));
}

TEST(CategorySketch, IsExactForFewValuesAndBoundsTheCountsOfMany) {
  Random random(5);
  CategorySketch sketch;
  std::map<std::uint32_t, std::uint64_t> truth;
  for (int i = 0; i < 100'000; ++i) {
    // A few are frequent, most come once or twice.
    const auto value = static_cast<std::uint32_t>(random.unit() < 0.5 ? random.below(20) : random.below(50'000));
    sketch.add(value);
    ++truth[value];
    if (i == 200) {
      EXPECT_TRUE(sketch.exact());
    }
  }
  EXPECT_FALSE(sketch.exact());
  std::size_t frequent = 0;
  for (const CategorySketch::Entry& entry : sketch.entries()) {
    EXPECT_LE(entry.certain(), truth[entry.hash]);
    EXPECT_GE(entry.count, truth[entry.hash]);
    if (entry.hash < 20) ++frequent;
  }
  EXPECT_EQ(frequent, 20u);
  for (std::uint32_t value = 0; value < 20; ++value) {
    const auto found = std::find_if(sketch.entries().begin(), sketch.entries().end(),
                                    [&](const CategorySketch::Entry& entry) { return entry.hash == value; });
    EXPECT_GT(static_cast<double>(found->certain()), 0.9 * static_cast<double>(truth[value]));
  }
}

TEST(CategorySketch, MergingKeepsTheBounds) {
  Random random(6);
  std::map<std::uint32_t, std::uint64_t> truth;
  CategorySketch merged;
  for (int part = 0; part < 10; ++part) {
    CategorySketch sketch;
    for (int i = 0; i < 3'000; ++i) {
      const auto value = static_cast<std::uint32_t>(random.unit() < 0.5 ? random.below(20) : random.below(1'000));
      sketch.add(value);
      ++truth[value];
    }
    merged.merge(sketch);
  }
  for (const CategorySketch::Entry& entry : merged.entries()) {
    EXPECT_LE(entry.certain(), truth[entry.hash]);
    EXPECT_GE(entry.count, truth[entry.hash]);
  }
  EXPECT_LE(merged.entries().size(), 2 * CategorySketch::kKept);
}

TEST(DistinctCounter, RegistersAreWhatTheHashesSayHoweverManyThereWere) {
  DistinctCounter counter;
  std::vector<std::uint8_t> wanted(DistinctCounter::kRegisters, 0);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const std::uint64_t hash = finish_hash(i);
    counter.add(hash);
    std::uint8_t place = 1;
    while (place < DistinctCounter::kMaxRegister && (hash << 9 << place >> 63) == 0) ++place;
    wanted[hash >> 54] = std::max(wanted[hash >> 54], place);
    if (i % 10'000 == 0) {
      EXPECT_EQ(counter.registers(), wanted) << i;
    }
  }
  EXPECT_EQ(counter.registers(), wanted);
  EXPECT_NE(counter.silent_bits(), 0U);
}

TEST(DistinctCounter, CountsWithinThreeStandardErrors) {
  for (const std::uint64_t distinct : {1, 50, 1'000, 20'000, 500'000}) {
    Random random(distinct);
    DistinctCounter left;
    DistinctCounter right;
    for (std::uint64_t i = 0; i < distinct; ++i) {
      const std::uint64_t hash = random.next();
      left.add(hash);
      if (i % 2 == 0) right.add(hash);
    }
    right.merge(left);
    EXPECT_EQ(right.registers(), left.registers());
    EXPECT_NEAR(left.estimate(), static_cast<double>(distinct), 0.1 * static_cast<double>(distinct)) << distinct;
  }
}

TEST(Script, IsThatOfMostLetters) {
  EXPECT_EQ(script_of("Guten Tag, wie geht's? 42"), Script::kLatin);
  EXPECT_EQ(script_of("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 ok"), Script::kCyrillic);
  EXPECT_EQ(script_of("\xe4\xbd\xa0\xe5\xa5\xbd"), Script::kHan);
  EXPECT_EQ(script_of("\xe6\xbc\xa2\xe5\xad\x97\xe3\x81\xa8"), Script::kKana);
  EXPECT_EQ(script_of("12 / 34"), Script::kNone);
  EXPECT_EQ(script_of("\xff\xfe"), Script::kNone);
}

TEST(TextProfile, AShortWordCountsAsInALongerText) {
  TextProfile word;
  TextProfile text;
  word.add("Ward7");
  text.add("Ward7 \t and  more of it");
  EXPECT_EQ(word.scripts, text.scripts);
  EXPECT_EQ(word.word_count(), 1u);
  EXPECT_EQ(text.word_count(), 5u);
  for (std::size_t i = 0; i < TextProfile::kWordBuckets; ++i) EXPECT_LE(word.words[i], text.words[i]);
  word.add("42");
  EXPECT_EQ(word.scripts[static_cast<std::size_t>(Script::kNone)], 1u);
}

TEST(ColumnProfile, TellsTypesAndMergesIntoWhatOneOfAllWouldBe) {
  ColumnProfile all;
  ColumnProfile first;
  ColumnProfile second;
  for (int i = 0; i < 100; ++i) {
    ColumnProfile& part = i < 40 ? first : second;
    for (ColumnProfile* column : {&all, &part}) {
      if (i % 10 == 0) {
        column->add_missing();
      } else {
        column->add_number(i / 10, true);
      }
    }
  }
  first.merge(second);
  EXPECT_STREQ(first.type(), "integer");
  EXPECT_EQ(first.missing, 10u);
  EXPECT_EQ(first.distinct(), 10u);
  EXPECT_EQ(first.categories.entries(), all.categories.entries());
  EXPECT_EQ(first.min, 0);
  EXPECT_EQ(first.max, 9);
  EXPECT_DOUBLE_EQ(first.mean(), all.mean());
  first.add_text("x");
  EXPECT_STREQ(first.type(), "mixed");
}

TEST(ColumnProfile, ManyDifferentNumbersAreNoCategories) {
  ColumnProfile column;
  for (int i = 0; i < 500; ++i) column.add_number(i * 0.5, false);
  EXPECT_TRUE(column.many_numbers);
  EXPECT_TRUE(column.categories.entries().empty());
  EXPECT_NEAR(static_cast<double>(column.distinct()), 500, 50);
}

TEST(Profile, RowsWithoutAColumnCountAsMissingThere) {
  Profile a;
  a.rows = 2;
  a.columns.push_back({"x", ColumnProfile()});
  a.columns[0].column.add_number(1, true);
  a.columns[0].column.add_number(2, true);
  Profile b;
  b.rows = 1;
  b.columns.push_back({"y", ColumnProfile()});
  b.columns[0].column.add_boolean(true);
  a.merge(b);
  EXPECT_EQ(a.rows, 3u);
  EXPECT_EQ(a.find("x")->missing, 1u);
  EXPECT_EQ(a.find("y")->missing, 2u);
  EXPECT_EQ(a.find("z"), nullptr);
}

TEST(Profile, OfAnotherTableColumnsAreNotMissingButNotKnown) {
  Profile a;
  a.rows = 2;
  a.columns.push_back({"x", ColumnProfile()});
  for (const double value : {1.0, 2.0}) a.columns[0].column.add_number(value, true);
  Profile b;
  b.rows = 1;
  b.columns.push_back({"y", ColumnProfile()});
  b.columns[0].column.add_missing();
  a.merge(b, Profile::Absent::kUnknown);
  EXPECT_EQ(a.rows, 3u);
  EXPECT_EQ(a.find("x")->missing, 0u);
  EXPECT_EQ(a.find("y")->missing, 1u);
}

/// Rows of columns c0, c1, ...
Profile wide(std::size_t columns, std::size_t max_columns) {
  RowProfile rows(max_columns);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < columns; ++i) names.push_back("c" + std::to_string(i));
  const std::vector<Value> row(columns, {Value::Kind::kNumber, false, 0.5});
  for (int i = 0; i < 10; ++i) rows.add(row);
  return rows.named(names);
}

TEST(Profile, CountsTheColumnsThatItLeavesOut) {
  const Profile narrow = wide(20, 8);
  EXPECT_EQ(narrow.columns.size(), 8u);
  EXPECT_EQ(narrow.left_out, 12u);
  EXPECT_EQ(wide(8, 8).left_out, 0u);
}

TEST(Profile, AColumnThatOneSliceLeftOutIsNoneOfAll) {
  Profile all = wide(20, 10);
  all.merge(wide(20, 8));
  EXPECT_EQ(all.columns.size(), 8u) << "of the ninth only half of the rows is known";
  EXPECT_EQ(all.left_out, 12u);
  for (const Profile::Named& each : all.columns) EXPECT_EQ(each.column.missing, 0u) << each.name;
  Profile none;
  none.merge(wide(20, 8));
  EXPECT_EQ(none.left_out, 12u);
  Profile both = wide(600, 1'024);
  Profile others = wide(600, 1'024);
  for (Profile::Named& each : others.columns) each.name = "d" + each.name;
  both.merge(others);
  EXPECT_EQ(both.columns.size(), Profile::kMaxColumns);
  EXPECT_EQ(both.left_out, 1'200u - Profile::kMaxColumns);
}

}  // namespace
}  // namespace backstay::drift
