#include "domain/drift/vector_drift.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "domain/drift/comparison.hpp"
#include "domain/drift/row_profile.hpp"
#include "domain/drift/suggestion.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

constexpr std::size_t kDimension = 64;

/// Embeddings of two kinds of text, `share` of the rows of the second; both are around the origin otherwise.
struct Source {
  double share = 0.5;
  double apart = 4;  ///< Between the two kinds, along one direction.
  double shift = 0;  ///< Of all coordinates.
  double scale = 1;
};

std::vector<double> embedding(Random& random, const Source& source) {
  std::vector<double> out;
  for (std::size_t i = 0; i < kDimension; ++i) out.push_back(source.scale * normal(random) + source.shift);
  const double side = random.unit() < source.share ? 0.5 : -0.5;
  for (std::size_t i = 0; i < kDimension; ++i) out[i] += side * source.apart * std::sqrt(1.0 / kDimension) * 2;
  return out;
}

Profile profile_of(const Source& source, std::size_t rows, std::uint64_t seed) {
  Random random(seed);
  RowProfile out;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::vector<double> vector = embedding(random, source);
    const std::vector<Value> row{{Value::Kind::kNested, false, 0, {}, vector}};
    out.add(row);
  }
  return out.named({"embedding"});
}

const ColumnDrift& only(const Comparison& comparison) {
  return comparison.columns.at(0);
}

TEST(Vectors, AShiftOfTheMeanIsFoundByAllRows) {
  const Comparison got = compare(profile_of({}, 20'000, 1), profile_of({.shift = 0.12}, 5'000, 2), {});
  EXPECT_EQ(only(got).measure, Measure::kVector);
  EXPECT_TRUE(only(got).drifted);
  EXPECT_EQ(only(got).test, "means");
  EXPECT_LT(only(got).adjusted_p, 1e-9);
}

TEST(Vectors, AnotherMixOfTheSameKindsIsFound) {
  const Comparison got =
      compare(profile_of({.apart = 8}, 3'000, 1), profile_of({.share = 0.9, .apart = 8}, 800, 2), {});
  EXPECT_TRUE(only(got).drifted);
  EXPECT_GT(*only(got).mmd, 0.01);
}

TEST(Vectors, AChangeThatLeavesTheMeanIsFoundByMmd) {
  // Two kinds far apart instead of one cloud of the same covariance.
  Random random(7);
  const auto profile = [&](bool split) {
    RowProfile out;
    for (int i = 0; i < 2'000; ++i) {
      std::vector<double> vector(kDimension);
      const double side = random.unit() < 0.5 ? 1 : -1;
      for (double& each : vector) each = 0.05 * normal(random);
      vector[3] += split ? side : normal(random);
      const std::vector<Value> row{{Value::Kind::kNested, false, 0, {}, vector}};
      out.add(row);
    }
    return out.named({"embedding"});
  };
  const Profile cloud = profile(false);
  const Profile split = profile(true);
  const MmdTest mmd = mmd_test(points_of(cloud.columns[0].column.vectors), points_of(split.columns[0].column.vectors));
  EXPECT_LT(mmd.p_value, 1e-3);
  EXPECT_GT(means_test(cloud.columns[0].column.vectors.moments(), split.columns[0].column.vectors.moments()).p_value,
            1e-3);
  EXPECT_TRUE(only(compare(cloud, split, {})).drifted);
}

TEST(Vectors, NormsThatChangeAreFound) {
  const Comparison got =
      compare(profile_of({.apart = 0}, 3'000, 1), profile_of({.apart = 0, .scale = 1.1}, 500, 2), {});
  EXPECT_TRUE(only(got).drifted);
  EXPECT_EQ(only(got).test, "norms");
  EXPECT_GT(only(got).live_quantiles.at(2), only(got).training_quantiles.at(2));
}

TEST(Vectors, ChancesHoldWhenNothingChanged) {
  constexpr int kRuns = 100;
  int mmd = 0;
  int means = 0;
  int findings = 0;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    const Profile a = profile_of({.share = 0.2}, 500, 2 * run);
    const Profile b = profile_of({.share = 0.2}, 120, 2 * run + 1);
    const VectorProfile& x = a.columns[0].column.vectors;
    const VectorProfile& y = b.columns[0].column.vectors;
    if (mmd_test(points_of(x), points_of(y)).p_value < 0.05) ++mmd;
    if (means_test(x.moments(), y.moments()).p_value < 0.05) ++means;
    if (!compare(a, b, {}).clean()) ++findings;
  }
  EXPECT_LT(mmd, kRuns * 0.1);
  EXPECT_GT(mmd, kRuns * 0.01) << "a test that never rejects finds nothing";
  EXPECT_LT(means, kRuns * 0.1);
  EXPECT_LT(findings, kRuns * 0.03);
}

TEST(Vectors, PartsMergeIntoTheWholeAndTheSampleStaysUniform) {
  Random random(3);
  VectorProfile whole;
  VectorProfile first;
  VectorProfile second;
  for (int i = 0; i < 4'000; ++i) {
    const std::vector<double> vector = embedding(random, {.shift = i < 1'000 ? 10.0 : -10.0});
    whole.add(vector);
    (i < 1'000 ? first : second).add(vector);
  }
  VectorProfile merged = first;
  merged.merge(second);
  VectorProfile other_way = second;
  other_way.merge(first);
  EXPECT_EQ(merged.count(), 4'000u);
  EXPECT_EQ(merged.sample(), other_way.sample());
  for (std::size_t i = 0; i < kProjected; ++i) {
    EXPECT_NEAR(merged.moments().mean[i], whole.moments().mean[i], 1e-9);
    EXPECT_NEAR(merged.moments().covariance(i, 0), whole.moments().covariance(i, 0), 1e-6);
  }
  // A quarter of the rows have the other sign; the 16 sums tell which.
  const std::vector<double> ones(kDimension, 1.0);
  const Projected direction = project(ones);
  int positive = 0;
  for (const Projected& point : points_of(merged)) {
    double along = 0;
    for (std::size_t i = 0; i < kProjected; ++i) along += point[i] * direction[i];
    if (along > 0) ++positive;
  }
  EXPECT_NEAR(positive, 64, 28) << "four standard deviations";
}

TEST(Vectors, WhatIsNoVectorIsLeftOutAndOtherDimensionsAreCounted) {
  VectorProfile out;
  const double infinite = INFINITY;
  out.add({});
  out.add(std::vector<double>{1, NAN});
  out.add(std::vector<double>{infinite});
  out.add(std::vector<double>{1e200, 1e200});
  out.add(std::vector<double>(VectorProfile::kMaxDimension + 1, 1.0));
  EXPECT_EQ(out.dimension(), 0u);
  out.add(std::vector<double>{3, 4});
  out.add(std::vector<double>{1, 2, 3});
  EXPECT_EQ(out.dimension(), 2u);
  EXPECT_EQ(out.count(), 1u);
  EXPECT_EQ(out.others(), 1u);
  EXPECT_DOUBLE_EQ(out.norms().sorted().at(0).value, 5);
}

TEST(Vectors, AnotherDimensionIsAMatterOfQuality) {
  const Profile training = profile_of({}, 500, 1);
  Random random(2);
  RowProfile rows;
  for (int i = 0; i < 200; ++i) {
    std::vector<double> vector = embedding(random, {});
    if (i % 2 == 0) vector.pop_back();
    const std::vector<Value> row{{Value::Kind::kNested, false, 0, {}, vector}};
    rows.add(row);
  }
  const Comparison got = compare(training, rows.named({"embedding"}), {});
  ASSERT_EQ(only(got).quality.size(), 1u);
  EXPECT_EQ(only(got).quality[0].kind, QualityFinding::Kind::kType);
  EXPECT_NE(only(got).quality[0].text.find("64 numbers"), std::string::npos) << only(got).quality[0].text;
}

TEST(Vectors, ConstantVectorsAreComparedWithoutAFault) {
  const auto constant = [](double value) {
    RowProfile rows;
    const std::vector<double> vector(8, value);
    const std::vector<Value> row{{Value::Kind::kNested, false, 0, {}, vector}};
    for (int i = 0; i < 100; ++i) rows.add(row);
    return rows.named({"embedding"});
  };
  EXPECT_TRUE(compare(constant(1), constant(1), {}).clean());
  EXPECT_FALSE(compare(constant(1), constant(2), {}).clean());
}

TEST(Vectors, TheDistanceOfVersionsIsFrechetsInPooledDeviations) {
  const Profile training = profile_of({}, 4'000, 1);
  const std::optional<double> near = profile_distance(training, profile_of({}, 4'000, 2));
  const std::optional<double> far = profile_distance(training, profile_of({.shift = 1}, 4'000, 3));
  ASSERT_TRUE(near && far);
  EXPECT_LT(*near, 0.1);
  EXPECT_GT(*far, 0.5);
  EXPECT_FALSE(vector_distance(VectorProfile(), training.columns[0].column.vectors));
}

TEST(ProjectedMoments, OneAtATimeIsAsTheDefinitionSays) {
  Random random(4);
  std::vector<Projected> points(300);
  ProjectedMoments moments;
  for (Projected& point : points) {
    for (double& each : point) each = 1e5 + normal(random);
    moments.add(point);
  }
  double mean = 0;
  for (const Projected& point : points) mean += point[2] / 300;
  double square = 0;
  for (const Projected& point : points) square += (point[2] - mean) * (point[2] - mean) / 299;
  EXPECT_NEAR(moments.mean[2], mean, 1e-6);
  EXPECT_NEAR(moments.covariance(2, 2), square, 1e-6);
}

}  // namespace
}  // namespace backstay::drift
