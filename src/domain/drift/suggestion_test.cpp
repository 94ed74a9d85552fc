#include "domain/drift/suggestion.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

/// Rows of which a share comes from one season and the rest from the other.
Profile season(std::uint64_t seed, std::size_t rows, double winter) {
  Random random(seed);
  Profile out;
  out.rows = rows;
  out.columns.push_back({"temperature", ColumnProfile()});
  out.columns.push_back({"demand", ColumnProfile()});
  out.columns.push_back({"site", ColumnProfile()});
  for (std::size_t i = 0; i < rows; ++i) {
    const bool cold = random.unit() < winter;
    out.columns[0].column.add_number((cold ? 0 : 15) + 6 * normal(random), false);
    out.columns[1].column.add_number((cold ? 120 : 80) + 20 * normal(random), false);
    out.columns[2].column.add_text(random.unit() < (cold ? 0.7 : 0.4) ? "north" : "south");
  }
  return out;
}

TEST(Mixture, FindsTheSharesOfTheSeasons) {
  const Profile winter = season(1, 5'000, 1);
  const Profile summer = season(2, 5'000, 0);
  for (const double share : {0.0, 0.3, 0.9}) {
    const Profile live = season(3, 2'000, share);
    const Mixture got = fit_mixture({&winter, &summer}, live, 50, 1);
    EXPECT_EQ(got.columns, 3u);
    EXPECT_NEAR(got.weights[0], share, 0.05) << share;
    EXPECT_LT(got.unexplained, 0.05);
    ASSERT_EQ(got.resampled.size(), 50u);
  }
}

TEST(Mixture, TellsWhenTheLiveDataIsLikeNoSlice) {
  const Profile winter = season(1, 5'000, 1);
  const Profile summer = season(2, 5'000, 0);
  Profile live = season(3, 2'000, 0);
  ColumnProfile hot;
  Random random(5);
  for (int i = 0; i < 2'000; ++i) hot.add_number(45 + normal(random), false);
  live.columns[0].column = hot;
  live.columns[1].column = hot;
  EXPECT_GT(fit_mixture({&winter, &summer}, live, 0, 1).unexplained, 0.15);
}

TEST(Mixture, ColumnsThatASliceLacksAreLeftOut) {
  const Profile winter = season(1, 500, 1);
  Profile summer = season(2, 500, 0);
  summer.columns.erase(summer.columns.begin());
  EXPECT_EQ(fit_mixture({&winter, &summer}, winter, 0, 1).columns, 2u);
  EXPECT_EQ(fit_mixture({&winter, &summer}, Profile(), 0, 1).columns, 0u);
}

struct Case {
  Profile winter = season(1, 5'000, 1);
  Profile summer = season(2, 5'000, 0);
  Profile live;
  std::vector<Contender> contenders;
  Suggestion got(const SuggestionRules& rules = {}) const {
    const Mixture mixture = fit_mixture({&winter, &summer}, live, 200, 1);
    return suggest(contenders, 0, mixture, live.rows, rules);
  }
};

/// Scores on winter and on summer, of 1,000 rows each.
std::vector<SliceScore> scores(double winter, double summer) {
  const auto error = [](double p) { return std::sqrt(p * (1 - p) / 1'000); };
  return {{0, winter, error(winter)}, {1, summer, error(summer)}};
}

Case cold_snap() {
  Case out;
  out.live = season(7, 1'000, 0.95);
  out.contenders = {{"2.0.0", profile_distance(out.summer, out.live), scores(0.87, 0.95)},
                    {"1.3.0", profile_distance(out.winter, out.live), scores(0.94, 0.86)}};
  return out;
}

TEST(Suggestion, NamesTheVersionThatIsExpectedToDoBetterWithAnInterval) {
  const Suggestion got = cold_snap().got();
  ASSERT_TRUE(got.best);
  EXPECT_EQ(*got.best, 1u);
  EXPECT_NEAR(got.ranking[0].expected->value, 0.936, 0.01);
  EXPECT_LT(got.ranking[0].expected->lower, 0.936);
  EXPECT_GT(got.ranking[0].gain->lower, 0.02);
  EXPECT_NEAR(got.ranking[1].expected->value, 0.874, 0.01);
}

TEST(Suggestion, StaysWhenTheCurrentVersionIsBestOrTheOtherMayBeNoBetter) {
  Case back = cold_snap();
  back.live = season(8, 1'000, 0.02);
  EXPECT_FALSE(back.got().best);
  Case close = cold_snap();
  close.contenders[1].scores = scores(0.885, 0.86);
  const Suggestion got = close.got();
  EXPECT_FALSE(got.best);
  EXPECT_NE(got.reason.find("may be no better"), std::string::npos) << got.reason;
}

TEST(Suggestion, GoesByTheDistanceWhereNothingWasMeasuredAndSaysSo) {
  Case without = cold_snap();
  without.contenders[1].scores.clear();
  const Suggestion got = without.got();
  ASSERT_TRUE(got.best);
  EXPECT_NE(got.reason.find("was not measured"), std::string::npos);
  SuggestionRules by_chance;
  by_chance.drifted = false;
  EXPECT_FALSE(without.got(by_chance).best) << "of few rows any distance is large";
  without.contenders[1].distance = *without.contenders[0].distance * 0.85;
  EXPECT_FALSE(without.got().best);
}

TEST(Suggestion, StaysWhenTheLiveDataIsLikeTheCurrentTrainingDataEvenIfAnotherIsCloser) {
  Case calm = cold_snap();
  for (Contender& each : calm.contenders) each.scores.clear();
  calm.contenders[0].distance = 0.06;
  calm.contenders[1].distance = 0.02;
  const Suggestion got = calm.got();
  EXPECT_FALSE(got.best);
  EXPECT_TRUE(got.enough);
}

TEST(Suggestion, AbstainsWhenLiveDataIsUnlikeWhatWasMeasured) {
  Case far = cold_snap();
  ColumnProfile odd;
  for (int i = 0; i < 1'000; ++i) odd.add_number(60 + i * 0.001, false);
  far.live.columns[0].column = odd;
  far.live.columns[1].column = odd;
  const Suggestion got = far.got();
  EXPECT_FALSE(got.best);
  EXPECT_NE(got.reason.find("unlike every slice"), std::string::npos) << got.reason;
}

TEST(Suggestion, SaysWhenThereIsTooLittleToDecideBy) {
  Case few = cold_snap();
  few.live = season(7, 50, 0.95);
  EXPECT_FALSE(few.got().enough);
  Case single = cold_snap();
  single.contenders.resize(1);
  EXPECT_FALSE(single.got().best);
}

TEST(Suggestion, LowerIsBetterForErrors) {
  Case errors = cold_snap();
  errors.contenders[0].scores = scores(0.13, 0.05);
  errors.contenders[1].scores = scores(0.06, 0.14);
  SuggestionRules rules;
  rules.higher_is_better = false;
  const Suggestion got = errors.got(rules);
  ASSERT_TRUE(got.best);
  EXPECT_EQ(*got.best, 1u);
  EXPECT_GT(got.ranking[0].gain->lower, 0);
}

TEST(Suggestion, OfARootTheSquaresAreAveraged) {
  Case half = cold_snap();
  half.live = season(9, 2'000, 0.5);
  half.contenders[0].scores = {{0, 1, 0.01}, {1, 1, 0.01}};
  half.contenders[1].scores = {{0, 0, 0.01}, {1, 1.7, 0.01}};
  SuggestionRules rules;
  rules.higher_is_better = rules.share = false;
  ASSERT_TRUE(half.got(rules).best) << "a mean error of 0.85 is less than 1";
  rules.root = true;
  const Suggestion got = half.got(rules);
  EXPECT_FALSE(got.best) << "a root mean squared error of 1.2 is not";
  EXPECT_NEAR(got.ranking[0].expected->value, 1, 1e-9);
  EXPECT_NEAR(got.ranking[1].expected->value, 1.7 * std::sqrt(0.5), 0.05);
  EXPECT_LT(got.ranking[1].expected->upper, 1.4);
}

TEST(Suggestion, SmallNumbersOfAnErrorCountByTheirProportion) {
  Case halved = cold_snap();
  halved.contenders[0].scores = {{0, 0.004, 0.0001}, {1, 0.004, 0.0001}};
  halved.contenders[1].scores = {{0, 0.002, 0.0001}, {1, 0.002, 0.0001}};
  SuggestionRules rules;
  rules.higher_is_better = false;
  EXPECT_FALSE(halved.got(rules).best) << "of shares 0.002 is nothing";
  rules.share = false;
  ASSERT_TRUE(halved.got(rules).best);
  halved.contenders[1].scores = {{0, 0.003995, 1e-9}, {1, 0.003995, 1e-9}};
  halved.contenders[0].scores = {{0, 0.004, 1e-9}, {1, 0.004, 1e-9}};
  EXPECT_FALSE(halved.got(rules).best) << "an eighth of a percent is sure, and nothing";
}

}  // namespace
}  // namespace backstay::drift
