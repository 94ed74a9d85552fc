#include "domain/drift/comparison.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <optional>

#include "base/random.hpp"
#include "domain/drift/bins.hpp"
#include "domain/drift/distances.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

std::vector<Weighted> sample(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<Weighted> out;
  for (const double value : values) out.push_back({value, 1});
  return out;
}

TEST(Distances, AgreeWithPublishedValues) {
  const std::vector<double> a{16, 18, 16, 14, 12, 12};
  const std::vector<double> b{16, 16, 16, 16, 16, 8};
  const TestResult fit = chi_squared_fit(a, b);
  EXPECT_NEAR(fit.statistic, 3.5, 1e-12);
  const TestResult other = chi_squared_fit(b, a);
  EXPECT_NEAR(other.statistic, 3.1746032, 1e-7);
  EXPECT_NEAR(other.p_value, 0.6730877, 1e-7);
  EXPECT_NEAR(psi(a, b), 0.0372184, 1e-7);
  EXPECT_NEAR(jensen_shannon(a, b), 0.0680482, 1e-7);
  const auto x = sample({38.7, 41.5, 43.8, 44.5, 45.5, 46, 47.7, 58});
  const auto y = sample({39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8});
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov(x, y), 0.625);
  EXPECT_NEAR(ks_p_value(0.625, 8, 8), 0.0870240, 1e-7);
  EXPECT_NEAR(wasserstein(x, y), 4.1625, 1e-12);
}

TEST(Distances, ChancesOfFewRowsAreThoseOfAllWaysToShareThemOut) {
  using Counts = std::vector<double>;
  const TestResult one = chi_squared(Counts{4'985, 15}, Counts{29, 1});
  EXPECT_NEAR(one.statistic, 8.653567926472544, 1e-9) << "the statistic is Pearson's";
  EXPECT_NEAR(one.p_value, 0.031809076844863615, 1e-9) << "the limit distribution says 0.003; one row in ten draws";
  EXPECT_NEAR(chi_squared(Counts{40, 30, 3, 2}, Counts{10, 5, 4, 6}).p_value, 0.0004823754479870904, 1e-9);
  Random random(3);
  int rejected = 0;
  for (int run = 0; run < 400; ++run) {
    std::array<double, 3> a{0, 0, 0};
    std::array<double, 3> b{0, 0, 0};
    const auto draw = [&](std::array<double, 3>& counts, int rows) {
      for (int i = 0; i < rows; ++i) {
        const double u = random.unit();
        counts[u < 0.003 ? 0 : u < 0.007 ? 1 : 2] += 1;
      }
    };
    draw(a, 5'000);
    draw(b, 30);
    rejected += chi_squared(a, b).p_value < 0.01 ? 1 : 0;
  }
  EXPECT_LE(rejected, 10) << "of 400; the limit distribution alone rejects a twelfth of them";
}

TEST(Distances, WeightsCountAsThatManyRows) {
  const std::vector<Weighted> heavy{{1, 3}, {2, 1}};
  const std::vector<Weighted> rows{{1, 1}, {1, 1}, {1, 1}, {2, 1}};
  const std::vector<Weighted> other{{0, 1}, {3, 1}};
  EXPECT_DOUBLE_EQ(wasserstein(heavy, other), wasserstein(rows, other));
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov(heavy, other), kolmogorov_smirnov(rows, other));
  EXPECT_DOUBLE_EQ(wasserstein(heavy, heavy), 0);
}

TEST(Distances, AdjustedPValuesAreInTheOrderGiven) {
  const std::vector<double> p{0.04, 0.001, 0.03, 0.5};
  const std::vector<double> q = benjamini_hochberg(p);
  EXPECT_NEAR(q[0], 0.04 * 4 / 3, 1e-12);
  EXPECT_NEAR(q[1], 0.004, 1e-12);
  EXPECT_NEAR(q[2], 0.04 * 4 / 3, 1e-12);
  EXPECT_NEAR(q[3], 0.5, 1e-12);
}

/// Share of p-values below 5% when both samples are of the same distribution.
struct FalseAlarms {
  double ks = 0, chi = 0, psi_test = 0, fixed_psi = 0;
};
FalseAlarms false_alarms(std::size_t training_rows, std::size_t live_rows, int runs) {
  FalseAlarms out;
  for (int run = 0; run < runs; ++run) {
    Random random(static_cast<std::uint64_t>(run) + 1);
    ColumnProfile training;
    ColumnProfile live;
    for (std::size_t i = 0; i < training_rows; ++i) training.add_number(normal(random), false);
    for (std::size_t i = 0; i < live_rows; ++i) live.add_number(normal(random), false);
    const double d = kolmogorov_smirnov(training.quantiles.sorted(), live.quantiles.sorted());
    const double n = training.quantiles.effective_count();
    const double m = live.quantiles.effective_count();
    const Bins bins(training);
    const auto a = bins.counts(training);
    const auto b = bins.counts(live);
    if (ks_p_value(d, n, m) < 0.05) out.ks += 1.0 / runs;
    if (chi_squared(a, b).p_value < 0.05) out.chi += 1.0 / runs;
    if (psi_test(a, b).p_value < 0.05) out.psi_test += 1.0 / runs;
    if (psi(a, b) >= 0.1) out.fixed_psi += 1.0 / runs;
  }
  return out;
}

TEST(Calibration, ChancesHoldForSmallWindowsWhereAFixedThresholdDoesNot) {
  const FalseAlarms small = false_alarms(2'000, 100, 400);
  EXPECT_LT(small.ks, 0.08);
  EXPECT_LT(small.chi, 0.08);
  EXPECT_LT(small.psi_test, 0.09);
  EXPECT_GT(small.ks, 0.01) << "a test that never rejects finds nothing";
  EXPECT_GT(small.fixed_psi, 0.3) << "why a fixed threshold is not enough";
}

TEST(Calibration, TheErrorOfSketchesMakesNoFindings) {
  const FalseAlarms large = false_alarms(50'000, 20'000, 100);
  EXPECT_LT(large.ks, 0.09);
}

Profile profile_of(std::vector<std::pair<std::string, ColumnProfile>> columns) {
  Profile out;
  for (auto& [name, column] : columns) {
    out.rows = column.rows();
    out.columns.push_back({name, std::move(column)});
  }
  return out;
}

ColumnProfile normals(std::uint64_t seed, std::size_t rows, double mean, double deviation_of = 1) {
  Random random(seed);
  ColumnProfile out;
  for (std::size_t i = 0; i < rows; ++i) out.add_number(mean + deviation_of * normal(random), false);
  return out;
}

TEST(Comparison, NamesTheColumnThatMovedAndByHowMuch) {
  const Profile training = profile_of({{"age", normals(1, 5'000, 50, 10)}, {"height", normals(2, 5'000, 170, 8)}});
  const Profile live = profile_of({{"age", normals(3, 800, 55, 10)}, {"height", normals(4, 800, 170, 8)}});
  const Comparison got = compare(training, live, {});
  ASSERT_EQ(got.columns.size(), 2u);
  EXPECT_EQ(got.columns[0].name, "age");
  EXPECT_TRUE(got.columns[0].drifted);
  EXPECT_NEAR(*got.columns[0].shift, 0.5, 0.15);
  EXPECT_NEAR(*got.columns[0].wasserstein, 5, 1.2);
  EXPECT_LT(got.columns[0].adjusted_p, 1e-6);
  EXPECT_FALSE(got.columns[1].drifted);
  EXPECT_EQ(got.drifted(), 1u);
}

TEST(Comparison, AShiftIsTheSameInAnyUnitAndFromAnyZero) {
  struct Unit {
    double zero, one;
  };
  std::optional<double> first;
  for (const Unit unit : {Unit{0, 1}, {101'325, 20}, {47.3769, 0.01}, {5e-12, 1e-12}, {1.7e18, 8.64e13}, {-40, 1e9}}) {
    ColumnProfile training(QuantileSketch::kFine);
    ColumnProfile live(QuantileSketch::kFine);
    Random random(4);
    for (int i = 0; i < 4'000; ++i) training.add_number(unit.zero + unit.one * normal(random), false);
    for (int i = 0; i < 4'000; ++i) live.add_number(unit.zero + unit.one * (normal(random) + 0.24), false);
    const Comparison got = compare(profile_of({{"x", training}}), profile_of({{"x", live}}), {});
    if (!first) first = got.columns[0].shift;
    EXPECT_NEAR(*got.columns[0].shift, *first, 1e-6) << unit.zero;
    EXPECT_NEAR(*got.columns[0].shift, 0.24, 0.07);
    EXPECT_EQ(got.drifted(), 1u) << unit.zero;
  }
}

/// What a stored profile tells of a column.
ColumnProfile stored(ColumnProfile column) {
  std::vector<CategorySketch::Entry> entries;
  std::uint64_t floor = column.categories.floor();
  for (const CategorySketch::Entry& entry : column.categories.entries()) {
    if (entry.certain() >= kLeastShared) {
      entries.push_back(entry);
    } else {
      floor = std::max(floor, entry.count);
    }
  }
  column.categories = *CategorySketch::from_entries(std::move(entries), floor);
  return column;
}

ColumnProfile wards(std::uint64_t seed, std::size_t rows, std::uint64_t first, std::uint64_t count) {
  Random random(seed);
  ColumnProfile out;
  for (std::size_t i = 0; i < rows; ++i) out.add_text("ward " + std::to_string(first + random.below(count)));
  return out;
}

TEST(Comparison, CategoriesThatPartsDoNotTellAreNoDrift) {
  ColumnProfile training;
  ColumnProfile live;
  for (std::uint64_t part = 0; part < 25; ++part) training.merge(stored(wards(part, 160, 0, 40)));
  for (std::uint64_t part = 0; part < 12; ++part) live.merge(stored(wards(100 + part, 80, 0, 40)));
  const ColumnProfile whole_training = wards(1, 4'000, 0, 40);
  const ColumnProfile whole_live = wards(2, 960, 0, 40);
  for (const auto& [a, b] : {std::pair{training, whole_live}, {whole_training, live}, {training, live}}) {
    EXPECT_TRUE(compare(profile_of({{"ward", a}}), profile_of({{"ward", b}}), {}).clean());
    EXPECT_LT(*distance(a, b), 0.1);
  }
  EXPECT_EQ(
      compare(profile_of({{"ward", whole_training}}), profile_of({{"ward", wards(3, 960, 20, 40)}}), {}).drifted(), 1u)
      << "half of the rows are of wards that training had not";
  ColumnProfile few;
  for (std::uint64_t part = 0; part < 25; ++part) few.merge(stored(wards(part, 160, 0, 5)));
  EXPECT_EQ(compare(profile_of({{"ward", few}}), profile_of({{"ward", wards(3, 960, 3, 5)}}), {}).drifted(), 1u);
}

/// Categories of which number k is 1/k^slope as frequent as the first.
ColumnProfile ranked(std::uint64_t seed, std::size_t rows, std::size_t categories, double slope) {
  Random random(seed);
  std::vector<double> below;
  double sum = 0;
  for (std::size_t k = 1; k <= categories; ++k) below.push_back(sum += std::pow(static_cast<double>(k), -slope));
  ColumnProfile out;
  for (std::size_t i = 0; i < rows; ++i)
    out.add_text("c" +
                 std::to_string(std::lower_bound(below.begin(), below.end(), random.unit() * sum) - below.begin()));
  return out;
}

TEST(Comparison, ManyCategoriesMakeFewFindingsWhereNothingChanged) {
  struct Kind {
    std::size_t categories;
    double slope;
  };
  for (const Kind kind : {Kind{60, 0}, {100, 1}, {250, 1}, {2'000, 1}, {30, 2}}) {
    int alarms = 0;
    int unseen = 0;
    constexpr int kRuns = 40;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
      const Profile training = profile_of({{"c", stored(ranked(seed, 5'000, kind.categories, kind.slope))}});
      for (const std::size_t rows : {30, 200, 5'000}) {
        const Comparison got =
            compare(training, profile_of({{"c", ranked(1'000 + seed, rows, kind.categories, kind.slope)}}), {});
        alarms += got.clean() ? 0 : 1;
        unseen += got.broken() > 0 ? 1 : 0;
      }
    }
    EXPECT_LE(alarms, 5) << "of " << 3 * kRuns << ", " << kind.categories;
    EXPECT_LE(unseen, 3) << kind.categories;
  }
  const Profile training = profile_of({{"c", stored(ranked(1, 5'000, 60, 0))}});
  EXPECT_EQ(compare(training, profile_of({{"c", ranked(2, 200, 60, 1)}}), {}).drifted(), 1u);
  EXPECT_EQ(compare(training, profile_of({{"c", ranked(2, 30, 60, 2)}}), {}).drifted(), 1u);
  EXPECT_EQ(compare(training, profile_of({{"c", ranked(2, 1'000, 70, 0)}}), {}).broken(), 1u)
      << "ten categories are new";
}

/// Counts of something rare that is sometimes frequent, or of something that is frequent.
ColumnProfile counted(std::uint64_t seed, std::size_t rows, double mean, double power) {
  Random random(seed);
  ColumnProfile out;
  for (std::size_t i = 0; i < rows; ++i)
    out.add_number(std::floor(mean + std::sqrt(mean) * normal(random) + std::pow(random.unit(), -power)), true);
  return out;
}

TEST(Comparison, CountsOfWhichAStoredProfileTellsFewAreNoCategories) {
  for (const auto& [mean, power] : {std::pair{50.0, 0.0}, {0.0, 0.9}, {0.0, 0.4}}) {
    for (const std::size_t rows : {40, 100, 500}) {
      int alarms = 0;
      for (std::uint64_t seed = 1; seed <= 15; ++seed) {
        const ColumnProfile training = stored(counted(seed, rows, mean, power));
        alarms +=
            compare(profile_of({{"n", training}}), profile_of({{"n", counted(99 + seed, 2'000, mean, power)}}), {})
                    .clean()
                ? 0
                : 1;
      }
      EXPECT_LE(alarms, 1) << mean << " " << power << " " << rows;
    }
  }
}

TEST(Comparison, AManyRowsButATrivialDifferenceIsNoDrift) {
  const Profile training = profile_of({{"x", normals(1, 200'000, 0)}});
  const Profile live = profile_of({{"x", normals(2, 200'000, 0.04)}});
  EXPECT_EQ(compare(training, live, {}).drifted(), 0u);
}

TEST(Comparison, FindsFewFalselyOverManyColumnsAndSmallWindows) {
  int wrong = 0;
  for (std::uint64_t run = 0; run < 50; ++run) {
    std::vector<std::pair<std::string, ColumnProfile>> a;
    std::vector<std::pair<std::string, ColumnProfile>> b;
    for (std::uint64_t c = 0; c < 20; ++c) {
      a.emplace_back("c" + std::to_string(c), normals(run * 100 + c, 1'000, 0));
      b.emplace_back("c" + std::to_string(c), normals(run * 100 + c + 50, 60, 0));
    }
    if (!compare(profile_of(a), profile_of(b), {}).clean()) ++wrong;
  }
  EXPECT_LE(wrong, 2);
}

ColumnProfile words(std::vector<std::pair<std::string, int>> counts) {
  ColumnProfile out;
  for (const auto& [word, times] : counts)
    for (int i = 0; i < times; ++i) out.add_text(word);
  return out;
}

TEST(Comparison, CategoriesThatTrainingHadNotAreTold) {
  const Profile training = profile_of({{"site", words({{"a", 500}, {"b", 490}, {"c", 3}})}});
  const Profile live = profile_of({{"site", words({{"a", 50}, {"b", 48}, {"z", 40}})}});
  const Comparison got = compare(training, live, {});
  EXPECT_EQ(got.columns[0].measure, Measure::kCategory);
  EXPECT_TRUE(got.columns[0].drifted);
  ASSERT_EQ(got.columns[0].quality.size(), 1u);
  EXPECT_EQ(got.columns[0].quality[0].kind, QualityFinding::Kind::kUnseen);
  EXPECT_NEAR(got.columns[0].quality[0].live, 40.0 / 138, 1e-9);
}

TEST(Comparison, TellsMissingValuesOtherTypesAndNumbersOutOfRange) {
  ColumnProfile live;
  for (int i = 0; i < 100; ++i) live.add_missing();
  for (int i = 0; i < 100; ++i) live.add_text("n/a");
  for (int i = 0; i < 200; ++i) live.add_number(100 + i % 7, true);
  const Profile training = profile_of({{"x", normals(1, 2'000, 0)}});
  const Comparison got = compare(training, profile_of({{"x", live}}), {});
  std::vector<QualityFinding::Kind> kinds;
  for (const QualityFinding& finding : got.columns[0].quality) kinds.push_back(finding.kind);
  EXPECT_EQ(kinds,
            (std::vector{QualityFinding::Kind::kMissing, QualityFinding::Kind::kType, QualityFinding::Kind::kRange}));
  EXPECT_TRUE(got.columns[0].drifted);
}

TEST(Comparison, FreeTextIsComparedByLengthLettersAndWords) {
  ColumnProfile training;
  ColumnProfile same;
  ColumnProfile russian;
  Random random(9);
  for (int i = 0; i < 600; ++i) {
    std::string text;
    for (std::uint64_t w = 0; w < 5 + random.below(10); ++w) text += "w" + std::to_string(random.below(300)) + " ";
    (i < 400 ? training : same).add_text(text);
    russian.add_text("\xd0\x9f\xd1\x80\xd0\xb8 " + std::to_string(i));
  }
  EXPECT_EQ(compare(profile_of({{"t", training}}), profile_of({{"t", same}}), {}).drifted(), 0u);
  const Comparison got = compare(profile_of({{"t", training}}), profile_of({{"t", russian}}), {});
  EXPECT_EQ(got.columns[0].measure, Measure::kText);
  EXPECT_TRUE(got.columns[0].drifted);
}

TEST(Comparison, AColumnThatWasConstantAndColumnsThatAreGone) {
  ColumnProfile constant;
  for (int i = 0; i < 500; ++i) constant.add_number(3.5, false);
  const Profile training = profile_of({{"c", constant}, {"gone", normals(1, 500, 0)}});
  const Profile same = profile_of({{"c", constant}, {"new", normals(1, 500, 0)}});
  const Comparison unchanged = compare(training, same, {});
  EXPECT_TRUE(unchanged.clean());
  EXPECT_EQ(unchanged.absent, std::vector<std::string>{"gone"});
  EXPECT_EQ(unchanged.not_in_training, std::vector<std::string>{"new"});
  EXPECT_EQ(compare(training, profile_of({{"c", normals(2, 500, 3.5)}}), {}).drifted(), 1u);
}

TEST(Comparison, FewLiveRowsGiveNoVerdict) {
  const Profile training = profile_of({{"x", normals(1, 500, 0)}});
  EXPECT_FALSE(compare(training, profile_of({{"x", normals(2, 29, 0)}}), {}).enough);
  EXPECT_TRUE(compare(training, profile_of({{"x", normals(2, 30, 0)}}), {}).enough);
}

TEST(Comparison, ChancesOfSketchesAreNotSurerThanTheyMayBe) {
  constexpr int kRuns = 300;
  int at_ten = 0;
  int at_one = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    Random random(seed);
    QuantileSketch a(QuantileSketch::kFine);
    QuantileSketch b({2'000, 8'192});
    for (QuantileSketch* sketch : {&a, &b})
      for (int i = 0; i < 40'000; ++i) sketch->add(random.unit());
    ASSERT_FALSE(a.exact() || b.exact());
    const double p = ks_p_value(kolmogorov_smirnov(a.sorted(), b.sorted()), a.effective_count(), b.effective_count());
    at_ten += p <= 0.1 ? 1 : 0;
    at_one += p <= 0.01 ? 1 : 0;
  }
  EXPECT_LE(at_ten, kRuns * 0.1 + 2 * std::sqrt(kRuns * 0.1 * 0.9));
  EXPECT_LE(at_one, kRuns * 0.01 + 2 * std::sqrt(kRuns * 0.01 * 0.99));
  EXPECT_GT(at_ten, kRuns / 100) << "nor much less sure";
}

}  // namespace
}  // namespace backstay::drift
