#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/temporary_folder.hpp"
#include "storage/memory/memory_predictions.hpp"
#include "storage/sqlite/sqlite_predictions.hpp"

// What every store of predictions promises (ports/predictions.hpp).
namespace backstay {
namespace {

using Fate = PredictionStore::Fate;

constexpr std::uint64_t kMost = 100;

struct InMemory {
  MemoryPredictions store{kMost};
};
struct OnDisk {
  const TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  std::unique_ptr<SqlitePredictions> opened = SqlitePredictions::open(folder / "predictions.db", {kMost}).value();
  SqlitePredictions& store = *opened;
};

Prediction prediction(std::uint64_t number, const std::string& version = "1.0.0") {
  Prediction out{"e", version, {}};
  out.outcome.prediction = {5, number};
  out.outcome.cluster = number * 7;
  out.outcome.status = 200;
  out.outcome.role = traffic::Role::kCandidate;
  out.outcome.candidate_ppm = 50'000;
  out.outcome.latency_us = 1234;
  out.outcome.response_bytes = 99;
  out.outcome.values[2] = 0.1F;
  return out;
}

template <class Store>
class PredictionsContract : public ::testing::Test {
 protected:
  Fate label(std::uint64_t number) {
    return made.store.label({{{5, number}, 1}}, Timestamp(seconds(9))).value().at(0).fate;
  }
  Store made;
  PredictionStore& store = made.store;
};
using Stores = ::testing::Types<InMemory, OnDisk>;
TYPED_TEST_SUITE(PredictionsContract, Stores);

TYPED_TEST(PredictionsContract, TellsWhichVersionAnsweredAndWhat) {
  ASSERT_TRUE(this->store.remember({prediction(1), prediction(2, "2.0.0")}));
  const auto joined = this->store.label({{{5, 2}, 1}}, {}).value().at(0);
  EXPECT_EQ(joined.fate, Fate::kJoined);
  EXPECT_EQ(joined.prediction.endpoint, "e");
  EXPECT_EQ(joined.prediction.version, "2.0.0");
  const traffic::Outcome& o = joined.prediction.outcome;
  const traffic::Outcome wanted = prediction(2).outcome;
  EXPECT_EQ(o.prediction, wanted.prediction);
  EXPECT_EQ(o.cluster, wanted.cluster);
  EXPECT_EQ(o.status, wanted.status);
  EXPECT_EQ(o.role, wanted.role);
  EXPECT_EQ(o.candidate_ppm, wanted.candidate_ppm);
  EXPECT_EQ(o.latency_us, wanted.latency_us);
  EXPECT_EQ(o.values[2], wanted.values[2]);
  EXPECT_TRUE(std::isnan(o.values[0]));
}

TYPED_TEST(PredictionsContract, JoinsEachOnceInWhateverOrderLabelsCome) {
  ASSERT_TRUE(this->store.remember({prediction(1), prediction(2), prediction(3)}));
  const std::vector<Label> labels{{{5, 3}, 1}, {{5, 1}, 0}, {{5, 3}, 0}, {{5, 77}, 1}};
  const auto joined = this->store.label(labels, {}).value();
  EXPECT_EQ(joined[0].fate, Fate::kJoined);
  EXPECT_EQ(joined[1].fate, Fate::kJoined);
  EXPECT_EQ(joined[2].fate, Fate::kDuplicate);
  EXPECT_EQ(joined[3].fate, Fate::kUnknown);
  EXPECT_EQ(this->label(1), Fate::kDuplicate);
  EXPECT_EQ(this->label(2), Fate::kJoined);
}

TYPED_TEST(PredictionsContract, RememberingAgainDoesNotForgetTheLabel) {
  ASSERT_TRUE(this->store.remember({prediction(1)}));
  EXPECT_EQ(this->label(1), Fate::kJoined);
  ASSERT_TRUE(this->store.remember({prediction(1)}));
  EXPECT_EQ(this->label(1), Fate::kDuplicate);
}

TYPED_TEST(PredictionsContract, ForgetsTheOldestWhenThereAreTooMany) {
  for (std::uint64_t n = 1; n <= 3 * kMost; ++n) ASSERT_TRUE(this->store.remember({prediction(n)}));
  EXPECT_EQ(this->label(1), Fate::kUnknown);
  EXPECT_EQ(this->label(2 * kMost - 1), Fate::kUnknown);
  EXPECT_EQ(this->label(3 * kMost - kMost / 2), Fate::kJoined);
  EXPECT_EQ(this->label(3 * kMost), Fate::kJoined);
}

TYPED_TEST(PredictionsContract, CreditsTheVersionThatAnswered) {
  ASSERT_TRUE(this->store.remember({prediction(1), prediction(2, "2.0.0"), prediction(3)}));
  for (const std::uint64_t n : {1, 2, 3, 3}) this->label(n);
  const auto totals = this->store.totals().value();
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].version, "1.0.0");
  EXPECT_EQ(totals[0].labels, 2u);
  EXPECT_EQ(totals[1].labels, 1u);
}

TYPED_TEST(PredictionsContract, TakesOneOfEachKindAndCountsThemByVersion) {
  ASSERT_TRUE(this->store.remember({prediction(1)}));
  const std::vector<Label> told{{{5, 1}, 1, FeedbackKind::kReport},
                                {{5, 1}, 3, FeedbackKind::kConversion},
                                {{5, 1}, 1, FeedbackKind::kReport},
                                {{5, 1}, 0, FeedbackKind::kLabel},
                                {{5, 9}, 1, FeedbackKind::kConversion}};
  const auto joined = this->store.label(told, Timestamp(seconds(9))).value();
  const std::vector<Fate> fates{Fate::kJoined, Fate::kJoined, Fate::kDuplicate, Fate::kJoined, Fate::kUnknown};
  for (std::size_t i = 0; i < fates.size(); ++i) EXPECT_EQ(joined[i].fate, fates[i]) << i;
  EXPECT_EQ(joined[1].prediction.version, "1.0.0");
  const auto totals = this->store.totals().value();
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].labels, 1u);
  EXPECT_EQ(totals[0].reports, 1u);
  EXPECT_EQ(totals[0].conversions, 1u);
}

TYPED_TEST(PredictionsContract, NumbersEachListOfPlacesOnceAndKeepsItWithThePrediction) {
  const ValuePlanId first = this->store.value_plan("[1]").value();
  const ValuePlanId second = this->store.value_plan("[2]").value();
  EXPECT_NE(first, kNoValuePlan);
  EXPECT_NE(second, kNoValuePlan);
  EXPECT_NE(first, second);
  EXPECT_EQ(this->store.value_plan("[1]").value(), first);
  EXPECT_EQ(this->store.value_plans().value(), (std::map<ValuePlanId, std::string>{{first, "[1]"}, {second, "[2]"}}));
  Prediction with = prediction(1);
  with.values_of = second;
  ASSERT_TRUE(this->store.remember({with, prediction(2)}));
  const auto joined = this->store.label({{{5, 1}, 1}, {{5, 2}, 1}}, {}).value();
  EXPECT_EQ(joined[0].prediction.values_of, second);
  EXPECT_EQ(joined[1].prediction.values_of, kNoValuePlan);
}

TEST(SqlitePredictions, AFileOfBeforeThereWereListsOfPlacesIsGoneOnWith) {
  OnDisk disk;
  Prediction before = prediction(1);
  before.values_of = disk.store.value_plan("[1]").value();
  ASSERT_TRUE(disk.store.remember({before}));
  disk.opened.reset();
  ASSERT_TRUE(sqlite::Database::open(disk.folder / "predictions.db")
                  ->execute("ALTER TABLE predictions DROP COLUMN value_plan; DROP TABLE value_plans;"));
  const auto again = SqlitePredictions::open(disk.folder / "predictions.db", {kMost}).value();
  Prediction after = prediction(2);
  after.values_of = again->value_plan("[2]").value();
  ASSERT_TRUE(again->remember({after}));
  const auto joined = again->label({{{5, 1}, 1}, {{5, 2}, 1}}, {}).value();
  EXPECT_EQ(joined[0].fate, Fate::kJoined);
  EXPECT_EQ(joined[0].prediction.values_of, kNoValuePlan);
  EXPECT_EQ(joined[0].prediction.outcome.values[2], before.outcome.values[2]);
  EXPECT_EQ(joined[1].prediction.values_of, after.values_of);
}

TEST(SqlitePredictions, WhatWasToldIsForgottenWithItsPrediction) {
  OnDisk disk;
  ASSERT_TRUE(disk.store.remember({prediction(1)}));
  ASSERT_TRUE(disk.store.label({{{5, 1}, 1, FeedbackKind::kReport}}, {}));
  for (std::uint64_t n = 2; n <= 3 * kMost; ++n) ASSERT_TRUE(disk.store.remember({prediction(n)}));
  disk.opened.reset();
  const auto database = sqlite::Database::open(disk.folder / "predictions.db").value();
  auto left = database.prepare("SELECT count(*) FROM told");
  ASSERT_TRUE(left.step().value());
  EXPECT_EQ(left.integer(0), 0);
}

TEST(SqlitePredictions, AFileOfBeforeThereWereReportsIsGoneOnWith) {
  OnDisk disk;
  ASSERT_TRUE(disk.store.remember({prediction(1)}));
  ASSERT_TRUE(disk.store.label({{{5, 1}, 1}}, {}));
  disk.opened.reset();
  {
    const auto database = sqlite::Database::open(disk.folder / "predictions.db").value();
    ASSERT_TRUE(
        database.execute("DROP TRIGGER told_is_forgotten; DROP TABLE told; ALTER TABLE label_totals DROP COLUMN "
                         "reports; ALTER TABLE label_totals DROP COLUMN conversions;"));
  }
  const auto again = SqlitePredictions::open(disk.folder / "predictions.db", {kMost}).value();
  const auto joined = again->label({{{5, 1}, 1}, {{5, 1}, 1, FeedbackKind::kReport}}, {}).value();
  EXPECT_EQ(joined[0].fate, Fate::kDuplicate);
  EXPECT_EQ(joined[1].fate, Fate::kJoined);
  EXPECT_EQ(again->totals()->front().labels, 1u);
  EXPECT_EQ(again->totals()->front().reports, 1u);
}

TEST(SqlitePredictions, AreThereAfterARestartWithTheirLabels) {
  OnDisk disk;
  ASSERT_TRUE(disk.store.remember({prediction(1), prediction(2)}));
  ASSERT_TRUE(disk.store.label({{{5, 1}, 1}}, {}));
  const ValuePlanId places = disk.store.value_plan("[1]").value();
  disk.opened.reset();
  const auto again = SqlitePredictions::open(disk.folder / "predictions.db", {kMost}).value();
  const auto joined = again->label({{{5, 1}, 1}, {{5, 2}, 1}}, {}).value();
  EXPECT_EQ(joined[0].fate, Fate::kDuplicate);
  EXPECT_EQ(joined[1].fate, Fate::kJoined);
  EXPECT_EQ(again->totals()->front().labels, 2u);
  EXPECT_EQ(again->value_plan("[1]").value(), places);
}

}  // namespace
}  // namespace backstay
