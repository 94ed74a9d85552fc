#include "live/live_profiles.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.hpp"
#include "domain/drift/bins.hpp"
#include "live/drift_responder.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "wire/profile_json.hpp"

namespace backstay::live {
namespace {

class Hand : public Clock {
 public:
  Timestamp now() const override { return Timestamp(seconds(1'800'000'000)) + offset; }
  Monotonic monotonic() const override { return Monotonic() + offset; }
  microseconds offset{0};
};

class Windows : public LiveWindowStore {
 public:
  Result<void> keep(const LiveWindow& window) override {
    for (LiveWindow& each : kept)
      if (each.from == window.from && each.version == window.version && each.segment == window.segment) {
        each = window;
        return {};
      }
    kept.push_back(window);
    return {};
  }
  Result<std::vector<LiveWindow>> windows(const std::string&, const std::optional<Timestamp>&) const override {
    return kept;
  }
  std::vector<LiveWindow> kept;
};

class Live : public testing::Test {
 protected:
  Live() {
    Random random(1);
    training_.rows = 5'000;
    training_.columns.push_back({"age", drift::ColumnProfile()});
    for (int i = 0; i < 5'000; ++i) training_.columns[0].column.add_number(50 + 10 * random.unit(), false);
    config_.name = "e";
    config_.window = seconds(600);
    config_.segment_column = "site";
  }
  LiveProfiles make() {
    return LiveProfiles(
        LiveProfiles::Ports{[this](const auto& take) {
                              for (; !waiting_.empty(); waiting_.pop_front()) take(waiting_.front());
                            },
                            [] { return std::uint64_t{3}; }, windows_, ledger_, clock_,
                            [this](const std::string&, const std::string& version) -> Result<drift::Profile> {
                              if (version == "1.0.0") return training_;
                              return Unexpected(ErrorCode::kNotFound, "None.");
                            },
                            [this](const std::string& endpoint, const std::string& version) {
                              drifted_.push_back(endpoint + "@" + version);
                            }},
        {config_});
  }
  void ask(double age, const std::string& site = "a", const std::string& version = "1.0.0") {
    gateway::RequestSample sample;
    sample.version = version;
    sample.request = fmt::format(R"({{"instances":[{{"age":{},"site":"{}"}}]}})", age, site);
    sample.response = R"({"predictions":[1]})";
    waiting_.push_back(sample);
  }
  drift::Profile profile(std::size_t index) const {
    return *wire::profile_from_json("w", windows_.kept.at(index).profile);
  }
  std::size_t alarms() {
    std::size_t out = 0;
    const auto entries = ledger_.read(1, 1'000);
    for (const audit::Entry& entry : *entries)
      if (entry.draft.action == "drift.alarm") ++out;
    return out;
  }

  Hand clock_;
  Windows windows_;
  MemoryLedger ledger_{clock_};
  EndpointConfig config_;
  drift::Profile training_;
  std::deque<gateway::RequestSample> waiting_;
  std::vector<std::string> drifted_;
};

TEST_F(Live, RequestsAreProfiledByVersionAndSegmentAndKeptWhenTheWindowEnds) {
  LiveProfiles live = make();
  ask(50, "a");
  ask(51, "b");
  ask(52, "a", "2.0.0");
  live.turn();
  EXPECT_TRUE(windows_.kept.empty()) << "the window has only begun";
  clock_.offset = seconds(601);
  live.turn();
  ASSERT_EQ(windows_.kept.size(), 5u);
  const LiveWindow& whole = windows_.kept[0];
  EXPECT_EQ(whole.version, "1.0.0");
  EXPECT_EQ(whole.segment, "");
  EXPECT_EQ(whole.requests, 2u);
  EXPECT_EQ(profile(0).find("age")->numbers, 2u);
  EXPECT_EQ(windows_.kept[1].segment, "a");
  EXPECT_EQ(profile(1).rows, 1u);
  EXPECT_NE(whole.predictions, "");
}

TEST_F(Live, AShortWindowTellsOfEachCategoryThatTheTrainingDataShares) {
  training_.columns.push_back({"site", drift::ColumnProfile()});
  for (int i = 0; i < 5'000; ++i)
    training_.columns[1].column.add_text(i < 3 ? "rare" : "site " + std::to_string(i % 30));
  LiveProfiles live = make();
  for (int i = 0; i < 12; ++i) ask(50, "site " + std::to_string(2 * i));
  ask(50, "rare");
  live.turn();
  clock_.offset = seconds(601);
  live.turn();
  const drift::Profile window = profile(0);
  const drift::Bins bins(training_.columns[1].column);
  const std::vector<double> counts = bins.counts(*window.find("site"));
  EXPECT_EQ(std::count(counts.begin(), counts.end() - 1, 1.0), 12);
  EXPECT_EQ(counts.back(), 1) << "three rows of the training data are no crowd";
  EXPECT_EQ(bins.slack(*window.find("site")).back(), 0) << "that the others were not asked for is told as well";
  EXPECT_EQ(windows_.kept[0].profile.find(fmt::format("{:08x}", drift::category_of(drift::hash_of_text("rare")))),
            std::string::npos);
}

TEST_F(Live, AnOpenWindowIsKeptEveryMinuteAndReplacedByItself) {
  LiveProfiles live = make();
  ask(50);
  live.turn();
  clock_.offset = seconds(61);
  live.turn();
  ASSERT_GE(windows_.kept.size(), 1u);
  const std::size_t kept = windows_.kept.size();
  ask(51);
  live.turn();
  clock_.offset = seconds(122);
  live.turn();
  EXPECT_EQ(windows_.kept.size(), kept);
  EXPECT_EQ(profile(0).rows, 2u);
}

TEST_F(Live, WhatIsOpenIsKeptAtTheEnd) {
  LiveProfiles live = make();
  ask(50);
  live.start();
  live.stop();
  std::uint64_t requests = 0;
  for (const LiveWindow& window : windows_.kept)
    if (window.segment.empty()) requests += window.requests;
  EXPECT_EQ(requests, 1u);
}

TEST_F(Live, ABodyWithoutRowsIsCounted) {
  LiveProfiles live = make();
  gateway::RequestSample sample;
  sample.version = "1.0.0";
  sample.request = "not json";
  waiting_.push_back(sample);
  sample.request = R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1]}]})";
  waiting_.push_back(sample);
  sample.request_form.packed = gateway::BodyForm::Packed::kOther;
  waiting_.push_back(sample);
  live.turn();
  clock_.offset = seconds(601);
  live.turn();
  ASSERT_EQ(windows_.kept.size(), 1u);
  EXPECT_EQ(windows_.kept[0].unreadable, 3u);
  const std::map<std::string, std::uint64_t> why{{"no_rows", 1}, {"not_json", 1}, {"packed", 1}};
  EXPECT_EQ(windows_.kept[0].unreadable_for, why);
  EXPECT_EQ(live.counts("e")->sampled, 3u);
  EXPECT_EQ(live.counts("e")->unreadable, 3u);
  EXPECT_FALSE(live.counts("other"));
}

TEST_F(Live, MadeUpColumnsHideNeitherDriftNorSegmentsAndAreForgottenWithTheirWindow) {
  LiveProfiles live = make();
  gateway::RequestSample sample;
  sample.version = "1.0.0";
  sample.request = R"({"c0":1)";
  for (int i = 1; i < 300; ++i) sample.request += fmt::format(R"(,"c{}":1)", i);
  sample.request += "}";
  waiting_.push_back(sample);
  Random random(2);
  for (int i = 0; i < 500; ++i) ask(80 + 10 * random.unit());
  live.turn();
  EXPECT_EQ(alarms(), 1u);
  clock_.offset = seconds(601);
  live.turn();
  ASSERT_EQ(windows_.kept.size(), 2u) << "the whole and the segment a";
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(profile(i).find("age")->numbers, 500u);
    EXPECT_EQ(profile(i).left_out, 44u);
  }
  ask(50);
  waiting_.back().request = R"({"instances":[{"new":1,"age":50,"site":"a"}]})";
  live.turn();
  clock_.offset = seconds(1202);
  live.turn();
  ASSERT_EQ(windows_.kept.size(), 4u);
  for (std::size_t i = 2; i < 4; ++i) {
    EXPECT_EQ(profile(i).columns.size(), i == 2 ? 3u : 2u) << "new, age and, of the whole, site";
    EXPECT_EQ(profile(i).find("new")->numbers, 1u);
    EXPECT_EQ(profile(i).find("age")->numbers, 1u);
    EXPECT_EQ(profile(i).left_out, 0u);
  }
}

TEST_F(Live, ColumnsThatAreNotWatchedAndThatOfASegmentAreNotKept) {
  config_.ignored = {"id"};
  LiveProfiles live = make();
  for (int i = 0; i < 5; ++i) {
    ask(50);
    waiting_.back().request =
        fmt::format(R"({{"instances":[{{"id":{},"age":5{},"site":"a","dose":{}}}]}})", i, i, 9 - i);
  }
  live.turn();
  clock_.offset = seconds(601);
  live.turn();
  ASSERT_EQ(windows_.kept.size(), 2u);
  const drift::Profile whole = profile(0);
  EXPECT_EQ(whole.find("id"), nullptr);
  EXPECT_EQ(whole.pairs.find("id", "age").rows, 0u);
  EXPECT_EQ(whole.pairs.find("dose", "age").rows, 5u);
  EXPECT_NE(whole.find("site"), nullptr);
  const drift::Profile segment = profile(1);
  EXPECT_EQ(windows_.kept[1].segment, "a");
  EXPECT_EQ(segment.find("site"), nullptr);
  EXPECT_EQ(segment.find("id"), nullptr);
  EXPECT_EQ(segment.find("age")->numbers, 5u);
}

TEST_F(Live, DriftIsAnAlarmOnceAndToldAgainWithEveryWindow) {
  LiveProfiles live = make();
  Random random(2);
  for (int i = 0; i < 2'000; ++i) ask(50 + 10 * random.unit());
  live.turn();
  EXPECT_EQ(alarms(), 0u);
  for (int i = 0; i < 2'000; ++i) ask(58 + 10 * random.unit());
  live.turn();
  EXPECT_EQ(alarms(), 1u);
  EXPECT_EQ(drifted_, std::vector<std::string>{"e@1.0.0"});
  clock_.offset = seconds(601);
  live.turn();
  EXPECT_EQ(alarms(), 1u);
  EXPECT_EQ(drifted_.size(), 2u);
}

TEST_F(Live, RelationsThatChangeAreAnAlarmWhenTheWindowEnds) {
  Random random(4);
  const auto both = [&](double weight) {
    const double age = 50 + 10 * random.unit();
    return std::pair(age, weight * age + 10 * random.unit());
  };
  drift::RowProfile rows;
  for (int i = 0; i < 3'000; ++i) {
    const auto [age, dose] = both(1);
    const std::vector<drift::Value> row{{drift::Value::Kind::kNumber, false, age},
                                        {drift::Value::Kind::kNumber, false, dose}};
    rows.add(row);
  }
  training_ = rows.named({"age", "dose"});
  LiveProfiles live = make();
  const auto window = [&](double weight, double base, int number) {
    for (int i = 0; i < 400; ++i) {
      const auto [age, dose] = both(weight);
      gateway::RequestSample sample;
      sample.version = "1.0.0";
      sample.request = fmt::format(R"({{"instances":[{{"age":{},"dose":{}}}]}})", age, base + dose);
      waiting_.push_back(sample);
    }
    live.turn();
    clock_.offset = seconds(601 * number);
    live.turn();
  };
  window(1, 0, 1);
  EXPECT_EQ(alarms(), 0u);
  window(-1, 110, 2);  // Each column is as before; as one rises the other falls.
  EXPECT_EQ(alarms(), 1u);
  window(-1, 110, 3);
  EXPECT_EQ(alarms(), 1u) << "it is told once";
  EXPECT_EQ(drifted_.size(), 2u);
  const auto entries = ledger_.read(1, 10);
  EXPECT_NE(entries->back().draft.reason.find("age and dose"), std::string::npos) << entries->back().draft.reason;
}

TEST_F(Live, ErrorsThatRoseAreToldOfWithTheWindowAsItIs) {
  LiveProfiles live = make();
  ask(50);
  live.turn();
  EXPECT_TRUE(windows_.kept.empty());
  live.errors_rose("e", "1.0.0");
  EXPECT_TRUE(drifted_.empty()) << "not on the caller's thread";
  live.turn();
  EXPECT_EQ(drifted_, std::vector<std::string>{"e@1.0.0"});
  ASSERT_FALSE(windows_.kept.empty());
  EXPECT_EQ(windows_.kept[0].requests, 1u);
  live.turn();
  EXPECT_EQ(drifted_.size(), 1u);
}

TEST_F(Live, AVersionWithoutAProfileIsOnlyProfiled) {
  LiveProfiles live = make();
  for (int i = 0; i < 2'000; ++i) ask(500, "a", "2.0.0");
  live.turn();
  EXPECT_EQ(alarms(), 0u);
}

TEST(CautiousPlan, BeginsInTheShadowUnlessItDoesAnyway) {
  const rollout::Step shadow = usual_shadow();
  rollout::Plan plan = rollout::default_plan();
  const rollout::Plan got = cautious_plan(plan, shadow);
  EXPECT_EQ(got.steps.size(), plan.steps.size() + 1);
  EXPECT_EQ(got.steps.front(), shadow);
  EXPECT_TRUE(got.validate());
  EXPECT_EQ(cautious_plan(got, shadow), got);
}

}  // namespace
}  // namespace backstay::live
