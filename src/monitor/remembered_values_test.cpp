#include "monitor/remembered_values.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/temporary_folder.hpp"
#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"
#include "monitor/watch_test_outcomes.hpp"
#include "monitor/watched_endpoint.hpp"
#include "storage/memory/memory_predictions.hpp"
#include "storage/recordings/local_recordings.hpp"

namespace backstay::monitor {
namespace {

using gateway::ValueSource;
using Sources = std::vector<ValueSource>;

const ValueSource kClass{"/class", ""};
const ValueSource kVerdict{"/verdict", ""};
const ValueSource kSite{"", "X-Site", "", {}, ValueSource::Of::kRequest};

class RememberedValuesTest : public ::testing::Test {
 protected:
  /// 1, 2, ... in the order of the sources of then, as they are found by the sources of now; 0: unrecorded.
  std::vector<int> found(const Sources& then, const Sources& now) {
    Prediction prediction;
    prediction.values_of = RememberedValues::open(store, then).value().plan();
    for (std::size_t slot = 0; slot < then.size(); ++slot)
      prediction.outcome.values[slot] = static_cast<float>(slot + 1);
    const auto values = RememberedValues::open(store, now).value().now(prediction);
    std::vector<int> out;
    for (std::size_t slot = 0; slot < now.size(); ++slot)
      out.push_back(traffic::is_unrecorded(values[slot]) ? 0 : static_cast<int>(values[slot]));
    return out;
  }
  MemoryPredictions store;
};
using Found = std::vector<int>;

TEST_F(RememberedValuesTest, AreFoundWhereverTheGuardrailsOfNowLookForThem) {
  EXPECT_EQ(found({kClass, kVerdict}, {kClass, kVerdict}), (Found{1, 2}));
  EXPECT_EQ(found({kClass, kVerdict}, {kVerdict, kClass}), (Found{2, 1}));
  EXPECT_EQ(found({kClass}, {kVerdict, kClass, kSite}), (Found{0, 1, 0}));
  EXPECT_EQ(found({kVerdict, kSite, kClass}, {kClass}), (Found{3}));
  EXPECT_EQ(found({}, {kClass}), (Found{0}));
}

TEST_F(RememberedValuesTest, ThatAreOfAnotherPlaceAreNotTakenForThem) {
  EXPECT_EQ(found({{"/clas", ""}}, {kClass}), (Found{0})) << "The pointer was corrected.";
  EXPECT_EQ(found({{"", "site"}}, {{"/site", ""}}), (Found{0}));
  EXPECT_EQ(found({{"", "X-Site"}}, {kSite}), (Found{0})) << "The answer's header is not the request's.";
  EXPECT_EQ(found({{"", "", "scores", {0, 1}}}, {{"", "", "scores", {1, 0}}, {"", "", "scores"}}), (Found{0, 0}));
  EXPECT_EQ(found({{"", "", "scores", {0, 1}}}, {{"", "", "labels", {0, 1}}, {"", "", "scores", {0, 1}}}),
            (Found{0, 1}));
}

TEST_F(RememberedValuesTest, OfALookThatFoundNothingAreMissingAndNotUnrecorded) {
  const RememberedValues values = RememberedValues::open(store, {kClass, kVerdict}).value();
  Prediction prediction;
  prediction.values_of = values.plan();
  // Not even an answer that holds the very NaN is unrecorded.
  prediction.outcome.values[1] = traffic::kUnrecorded;
  for (const std::size_t slot : {0, 1}) {
    EXPECT_TRUE(std::isnan(values.now(prediction)[slot]));
    EXPECT_FALSE(traffic::is_unrecorded(values.now(prediction)[slot]));
  }
}

TEST_F(RememberedValuesTest, ThatCouldNotBeReadAreUnreadEverAfter) {
  Prediction prediction;
  prediction.values_of = RememberedValues::open(store, {kClass}).value().plan();
  prediction.outcome.values[0] = traffic::kUnread;
  EXPECT_TRUE(traffic::is_unread(RememberedValues::open(store, {kVerdict, kClass}).value().now(prediction)[1]));
}

TEST_F(RememberedValuesTest, OfBeforeThereWasARecordOfTheirPlacesOrWhoseRecordIsDamagedAreUnrecorded) {
  const ValuePlanId no_json = store.value_plan("[{\"json_pointer\":").value();
  const ValuePlanId no_list = store.value_plan("{\"json_pointer\":\"/class\"}").value();
  const std::string one = places_text({kClass});
  std::string long_list = "[0,0,0,0,0,0,0," + one.substr(1);
  const ValuePlanId too_long = store.value_plan(long_list).value();
  const RememberedValues values = RememberedValues::open(store, {kClass}).value();
  for (const ValuePlanId plan : {kNoValuePlan, no_json, no_list, too_long, ValuePlanId{99}}) {
    Prediction prediction;
    prediction.values_of = plan;
    prediction.outcome.values[0] = 1;
    EXPECT_TRUE(traffic::is_unrecorded(values.now(prediction)[0])) << plan;
  }
}

TEST_F(RememberedValuesTest, HaveOneTextForEachListOfPlaces) {
  EXPECT_EQ(places_text({kClass, kSite}), R"([{"json_pointer":"/class"},{"header":"X-Site","of":"request"}])");
  EXPECT_EQ(RememberedValues::open(store, {kClass, kSite})->plan(),
            RememberedValues::open(store, {kClass, kSite})->plan());
  EXPECT_NE(RememberedValues::open(store, {kClass, kSite})->plan(),
            RememberedValues::open(store, {kSite, kClass})->plan());
}

GuardrailSpec right() {
  GuardrailSpec spec = sensitivity();
  spec.name = "right";
  spec.signal.json_pointer = "/class";
  spec.signal.among = Signal::Among::kAll;
  spec.signal.right_when = Signal::RightWhen::kSame;
  spec.objective.bound = 0.9;
  return spec;
}

/// An endpoint with a rollout under way and these guardrails: one life of the server.
struct Life {
  Life(PredictionStore& store, std::vector<GuardrailSpec> specs) : endpoint(config(std::move(specs)), nullptr) {
    state.id = "e-2";
    state.candidate = "2.0.0";
    state.stable = "1.0.0";
    state.plan = rollout::default_plan();
    EXPECT_TRUE(endpoint.remember_in(store));
    endpoint.reset(&state, {});
  }
  static EndpointConfig config(std::vector<GuardrailSpec> specs) {
    EndpointConfig out;
    out.name = "e";
    out.guardrails = std::move(specs);
    out.slots = plan_values(out.guardrails).value().slots;
    return out;
  }
  /// So many answers of the candidate that hold these values, each by the first guardrail that takes it.
  void answer(PredictionStore& store, std::uint64_t count, const std::vector<float>& values) const {
    Outcome outcome = answered();
    std::copy(values.begin(), values.end(), outcome.values.begin());
    for (std::uint64_t n = 1; n <= count; ++n) {
      outcome.prediction = {5, n};
      ASSERT_TRUE(store.remember({endpoint.remembered("2.0.0", outcome)}));
    }
  }
  /// The evidence of the guardrail `right` when every answer's label is `label`.
  guardrails::Evidence after_labels(PredictionStore& store, std::uint64_t count, double label) {
    for (std::uint64_t n = 1; n <= count; ++n) {
      const Label told{{5, n}, label};
      const auto joined = store.label({told}, {}).value().at(0);
      EXPECT_EQ(joined.fate, PredictionStore::Fate::kJoined);
      const Prediction prediction = endpoint.joined(joined.prediction);
      endpoint.show(state, observation_of(prediction, told, state, endpoint.clock, system_clock()), [](const auto&) {});
    }
    const auto evidence = endpoint.watch.evidence();
    return *std::find_if(evidence.begin(), evidence.end(), [](const auto& each) { return each.name == "right"; });
  }
  WatchedEndpoint endpoint;
  rollout::State state;
};

const float kCat = traffic::text_number("cat");
const float kSafe = 1;

TEST_F(RememberedValuesTest, OfAnswersOfBeforeTheGuardrailsChangedAreJudgedByTheirOwnPlaces) {
  struct Change {
    const char* what;
    std::vector<GuardrailSpec> before, after;
    std::vector<float> values;
  };
  const Change changes[] = {{"the same", {right()}, {right()}, {kCat}},
                            {"one in front", {right()}, {safety(), right()}, {kCat}},
                            {"one behind", {right()}, {right(), safety()}, {kCat}},
                            {"swapped", {safety(), right()}, {right(), safety()}, {kSafe, kCat}},
                            {"removed in front", {safety(), right()}, {right()}, {kSafe, kCat}}};
  for (const Change& change : changes) {
    for (const bool is_right : {true, false}) {
      MemoryPredictions predictions;
      Life(predictions, change.before).answer(predictions, 40, change.values);
      const auto seen =
          Life(predictions, change.after).after_labels(predictions, 40, is_right ? kCat : traffic::text_number("dog"));
      // What breached counts no further.
      EXPECT_EQ(seen.breached, !is_right) << change.what;
      if (is_right) {
        EXPECT_EQ(seen.candidate_n, 40U) << change.what;
      }
      EXPECT_EQ(seen.candidate_bad, is_right ? 0U : seen.candidate_n) << change.what;
    }
  }
}

TEST_F(RememberedValuesTest, ThatNobodyLookedForWhenTheAnswerWasGivenJudgeNothing) {
  GuardrailSpec slip = right();
  slip.signal.json_pointer = "/clas";
  GuardrailSpec reports;
  reports.name = "reports";
  reports.signal.kind = Signal::Kind::kReport;
  reports.signal.within = milliseconds(1'000);
  for (const GuardrailSpec& before : {slip, reports}) {
    MemoryPredictions predictions;
    Life(predictions, {before}).answer(predictions, 40, {});
    EXPECT_EQ(Life(predictions, {right()}).after_labels(predictions, 40, kCat).candidate_n, 0U) << before.name;
  }
  // Looked for, and not in the answer: wrong, as ever.
  MemoryPredictions predictions;
  Life(predictions, {right()}).answer(predictions, 40, {});
  EXPECT_TRUE(Life(predictions, {safety(), right()}).after_labels(predictions, 40, kCat).breached);
}

TEST_F(RememberedValuesTest, OfASegmentThatWasAddedLaterAreInNoSegment) {
  GuardrailSpec berlin = right();
  berlin.signal.segment = {"", "X-Site"};
  berlin.signal.segment_of_request = true;
  berlin.signal.where =
      guardrails::Predicate{guardrails::Predicate::Op::kIs, static_cast<double>(traffic::text_number("berlin"))};
  MemoryPredictions predictions;
  Life(predictions, {right()}).answer(predictions, 40, {kCat});
  EXPECT_EQ(Life(predictions, {berlin}).after_labels(predictions, 40, 0).candidate_n, 0U);
}

TEST(UnrecordedValue, IsKeptByRecordingsSoThatReplaysJudgeNothingByIt) {
  const TemporaryFolder folder;
  LocalRecordings recordings{folder.path()};
  Observation label;
  label.kind = Observation::Kind::kLabel;
  label.outcome.values[1] = traffic::kUnrecorded;
  ASSERT_TRUE(recordings.begin("e-2", "[]"));
  ASSERT_TRUE(recordings.append("e-2", {label}));
  ASSERT_TRUE(recordings.end("e-2", ""));
  std::vector<Observation> read;
  ASSERT_TRUE(recordings.read(
      "e-2", {[](const std::string&) { return Result<void>(); }, [&](const Observation& o) { read.push_back(o); }}));
  ASSERT_EQ(read.size(), 1U);
  EXPECT_FALSE(traffic::is_unrecorded(read[0].outcome.values[0]));
  EXPECT_TRUE(traffic::is_unrecorded(read[0].outcome.values[1]));
}

}  // namespace
}  // namespace backstay::monitor
