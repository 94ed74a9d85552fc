#include "domain/evaluation/calibration.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace backstay::evaluation {
namespace {

struct Rows {
  std::vector<double> scores;
  std::vector<double> right;
};

/// Uniform scores; the truth is drawn with the score after `truth_of`.
template <class TruthOf>
Rows draw(Random& random, std::size_t rows, const TruthOf& truth_of) {
  Rows out;
  for (std::size_t i = 0; i < rows; ++i) {
    out.scores.push_back(random.unit());
    out.right.push_back(random.unit() < truth_of(out.scores.back()) ? 1 : 0);
  }
  return out;
}

double same(double score) {
  return score;
}
/// Far too sure: .9 means .7.
double blunted(double score) {
  return 0.5 + (score - 0.5) / 2;
}

TEST(CalibrationError, IsTheMeanDistanceOverBins) {
  const double scores[] = {0.05, 0.15, 0.15, 0.95};
  const double right[] = {0, 1, 0, 1};
  EXPECT_NEAR(calibration_error(scores, right, 10), (0.05 + 0.7 + 0.05) / 4, 1e-12);
}

TEST(CalibrationErrorLimits, SeldomFindAnErrorInScoresWithoutAny) {
  Random random(5);
  for (const std::size_t rows : {60U, 300U}) {
    int found = 0;
    for (int set = 0; set < 100; ++set) {
      const Rows one = draw(random, rows, same);
      if (calibration_error_limits(one.scores, one.right, 10, 0.95).lower > 0) ++found;
    }
    EXPECT_LE(found, 5) << rows;
  }
}

TEST(CalibrationErrorLimits, FindAnErrorWhenRowsAreEnough) {
  Random random(6);
  const Rows many = draw(random, 2000, blunted);
  const Interval limits = calibration_error_limits(many.scores, many.right, 10, 0.95);
  EXPECT_GT(limits.lower, 0.05);  // The error is 1/8.
  EXPECT_LT(limits.upper, 0.16);
}

TEST(CalibrationErrorLimits, HoldTheErrorAsOftenAsTheyPromise) {
  Random random(7);
  int missed = 0;
  for (int set = 0; set < 100; ++set) {
    const Rows one = draw(random, 200, blunted);
    const Interval limits = calibration_error_limits(one.scores, one.right, 10, 0.95);
    if (limits.lower > 0.125 || limits.upper < 0.125) ++missed;
  }
  EXPECT_LE(missed, 5);
}

TEST(CalibrationErrorLimits, HoldItWhenSureScoresAreOftenWrong) {
  // All scores are .999, and 8 in 10 are right: labels drawn with the scores would hardly vary.
  Random random(8);
  int missed = 0;
  for (int set = 0; set < 100; ++set) {
    Rows one;
    for (int i = 0; i < 200; ++i) {
      one.scores.push_back(0.999);
      one.right.push_back(random.unit() < 0.8 ? 1 : 0);
    }
    const Interval limits = calibration_error_limits(one.scores, one.right, 10, 0.95);
    if (limits.lower > 0.199 || limits.upper < 0.199) ++missed;
  }
  EXPECT_LE(missed, 8);
}

TEST(CalibrationErrorLimits, OfFewRowsSayNothing) {
  const double scores[] = {0.9, 0.1};
  const double right[] = {1, 0};
  const Interval limits = calibration_error_limits(scores, right, 10, 0.95);
  EXPECT_EQ(limits.lower, 0);
  EXPECT_EQ(limits.upper, 1);
}

}  // namespace
}  // namespace backstay::evaluation
