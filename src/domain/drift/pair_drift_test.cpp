#include "domain/drift/pair_drift.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"
#include "domain/drift/row_profile.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

Value number(double value) {
  return {Value::Kind::kNumber, false, value};
}

const std::vector<std::string> kNames{"x", "y", "site"};

/// Columns x and y, each normal, with a correlation; and a category.
Profile correlated(double correlation, std::size_t rows, std::uint64_t seed, double heavy = 1) {
  Random random(seed);
  RowProfile out;
  for (std::size_t i = 0; i < rows; ++i) {
    const double x = normal(random);
    const double y = correlation * x + std::sqrt(1 - correlation * correlation) * normal(random);
    const auto grown = [&](double v) { return std::copysign(std::pow(std::abs(v), heavy), v); };
    const std::vector<Value> row{
        number(grown(x)), number(grown(y)), {Value::Kind::kText, false, 0, i % 2 == 0 ? "a" : "b"}};
    out.add(row);
  }
  return out.named(kNames);
}

TEST(Pairs, ARelationThatChangesIsDriftThoughEachColumnIsAsBefore) {
  const Comparison got = compare(correlated(0.8, 4'000, 1), correlated(0, 800, 2), {});
  EXPECT_EQ(got.drifted(), 0u);
  ASSERT_EQ(got.pairs.size(), 1u);
  EXPECT_TRUE(got.pairs[0].drifted);
  EXPECT_EQ(got.pairs[0].x, "x");
  EXPECT_EQ(got.pairs[0].y, "y");
  EXPECT_NEAR(got.pairs[0].training, 0.8, 0.03);
  EXPECT_NEAR(got.pairs[0].live, 0, 0.1);
  EXPECT_LT(got.pairs[0].adjusted_p, 1e-6);
  EXPECT_EQ(got.drifted_pairs(), 1u);
  EXPECT_FALSE(got.clean());
}

TEST(Pairs, ASmallChangeIsNoneHoweverManyRowsThereAre) {
  const Comparison got = compare(correlated(0.5, 100'000, 1), correlated(0.45, 100'000, 2), {});
  EXPECT_LT(got.pairs.at(0).adjusted_p, 1e-6);
  EXPECT_TRUE(got.clean());
}

TEST(Pairs, ColumnsThatAreLeftOutHaveNone) {
  EXPECT_TRUE(compare(correlated(0.8, 500, 1), correlated(0, 500, 2), {}, {"y"}).pairs.empty());
}

/// Share of comparisons with a p-value below 5% when nothing changed.
double false_alarms(double correlation, std::size_t training, std::size_t live, double heavy, bool robust) {
  constexpr int kRuns = 300;
  int alarms = 0;
  int tested = 0;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    const Comparison got = compare(correlated(correlation, training, 2 * run, heavy),
                                   correlated(correlation, live, 2 * run + 1, heavy), {});
    if (got.pairs.empty()) continue;  // Single rows weigh too much.
    ++tested;
    const PairDrift& pair = got.pairs[0];
    const TestResult naive =
        correlation_test(pair.training, static_cast<double>(training), pair.live, static_cast<double>(live));
    if ((robust ? pair.p_value : naive.p_value) < 0.05) ++alarms;
  }
  EXPECT_GT(tested, kRuns / 3);
  return alarms / static_cast<double>(tested);
}

TEST(Pairs, ChancesHoldForNormalRows) {
  const double share = false_alarms(0.6, 1'000, 300, 1, true);
  EXPECT_LT(share, 0.09);
  EXPECT_GT(share, 0.005) << "a test that never rejects finds nothing";
}

TEST(Pairs, HeavyTailsMakeFewFindingsBecauseBlocksTellHowMuchCorrelationsVary) {
  EXPECT_GT(false_alarms(0.6, 2'000, 1'000, 2.5, false), 0.15) << "why Fisher's variance alone is not enough";
  EXPECT_LT(false_alarms(0.6, 2'000, 1'000, 2.5, true), 0.09);
}

/// Two amounts that go together, like incomes (sigma 1), claims or sizes of files (2).
Profile amounts(std::uint64_t seed, std::size_t rows, double sigma) {
  Random random(seed);
  RowProfile out;
  for (std::size_t i = 0; i < rows; ++i) {
    const double z = normal(random);
    std::vector<Value> row;
    for (const double own : {normal(random), normal(random)})
      row.push_back({Value::Kind::kNumber, false, std::exp(sigma * (0.7 * z + 0.7 * own))});
    out.add(row);
  }
  return out.named({"a", "b"});
}

TEST(Pairs, AmountsInWhichSingleRowsDecideMakeFewFindings) {
  for (const double sigma : {1.0, 1.5, 2.0}) {
    int alarms = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed)
      for (const std::size_t rows : {300, 6'000})
        alarms += compare(amounts(seed, 6'000, sigma), amounts(1'000 + seed, rows, sigma), {}).drifted_pairs() > 0;
    EXPECT_LE(alarms, 4) << sigma << ": of 80, in which nothing changed";
  }
  const Comparison untested = compare(amounts(1, 6'000, 2), amounts(2, 1'000, 2), {});
  EXPECT_EQ(untested.heavy_tailed, (std::vector<std::string>{"a", "b"}));
  const Comparison tested = compare(amounts(1, 6'000, 0.4), amounts(2, 1'000, 0.4), {});
  EXPECT_TRUE(tested.heavy_tailed.empty());
  EXPECT_EQ(tested.pairs.size(), 1u) << "of light tails the relation is tested";
}

TEST(Pairs, PartsMergeIntoTheWhole) {
  Random random(5);
  RowProfile whole;
  RowProfile first;
  RowProfile second;
  for (int i = 0; i < 1'000; ++i) {
    const double x = 1e6 + normal(random);
    std::vector<Value> row{number(x), number(3 * x + normal(random)), {}};
    if (i % 7 == 0) row[0] = {};
    if (i % 5 == 0) row[1] = {Value::Kind::kText, false, 0, "n/a"};
    whole.add(row);
    (i < 321 ? first : second).add(row);
  }
  Profile merged = first.named({"x", "y", "z"});
  merged.merge(second.named({"x", "y", "z"}));
  const PairMoments a = merged.pairs.find("x", "y");
  const PairMoments b = whole.named({"x", "y", "z"}).pairs.find("x", "y");
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_NEAR(a.correlation(), b.correlation(), 1e-12);
  EXPECT_NEAR(a.mean_x, b.mean_x, 1e-6);
  EXPECT_NEAR(a.xx / b.xx, 1, 1e-9);
  const PairMoments turned = merged.pairs.find("y", "x");
  EXPECT_DOUBLE_EQ(turned.xx, a.yy);
  EXPECT_DOUBLE_EQ(turned.mean_y, a.mean_x);
}

TEST(Pairs, ConstantColumnsAndHugeNumbersHaveNoCorrelation) {
  RowProfile rows;
  for (int i = 0; i < 200; ++i) {
    const std::vector<Value> row{number(0.1), number(i), number(i % 2 == 0 ? 1e300 : -1e300)};
    rows.add(row);
  }
  const Profile profile = rows.named({"constant", "count", "huge"});
  EXPECT_TRUE(std::isnan(profile.pairs.find("constant", "count").correlation()));
  EXPECT_FALSE(profile.pairs.find("count", "huge").finite());
  EXPECT_TRUE(compare(profile, profile, {}).pairs.empty());
}

TEST(Pairs, OfManyColumnsTheFirstTakePart) {
  RowProfile rows;
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back("c" + std::to_string(i));
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    std::vector<Value> row;
    for (int c = 0; c < 40; ++c) row.push_back(c == 3 ? Value{} : number(random.unit()));
    rows.add(row);
  }
  const PairProfile pairs = rows.named(names).pairs;
  ASSERT_EQ(pairs.columns().size(), PairProfile::kMaxColumns);
  EXPECT_EQ(pairs.columns()[3], "c4") << "a column without numbers takes no place";
  EXPECT_EQ(pairs.find("c0", "c32").rows, 100u);
  EXPECT_EQ(pairs.find("c0", "c33").rows, 0u);
}

TEST(Pairs, TestsOfPairsCostColumnsAtMostHalfOfTheirChance) {
  // 20 columns have 190 pairs; unweighted, a column's p-value would be multiplied tenfold.
  const auto wide = [](std::uint64_t seed, double shift) {
    Random random(seed);
    RowProfile rows;
    for (int i = 0; i < 400; ++i) {
      std::vector<Value> row;
      for (int c = 0; c < 20; ++c) row.push_back(number(normal(random) + (c == 0 ? shift : 0)));
      rows.add(row);
    }
    std::vector<std::string> names;
    for (int c = 0; c < 20; ++c) names.push_back("c" + std::to_string(c));
    return rows.named(names);
  };
  const Profile live = wide(2, 0.4);
  Profile training = wide(1, 0);
  const Comparison got = compare(training, live, {});
  EXPECT_EQ(got.pairs.size(), 190u);
  training.pairs = {};
  const Comparison alone = compare(training, live, {});
  ASSERT_EQ(got.columns[0].name, "c0");
  EXPECT_LE(got.columns[0].adjusted_p, 2 * alone.columns[0].adjusted_p * (1 + 1e-9));
  EXPECT_TRUE(got.columns[0].drifted);
}

}  // namespace
}  // namespace backstay::drift
