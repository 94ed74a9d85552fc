#include "monitor/error_alarms.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.hpp"

namespace backstay::monitor {
namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Signal;

std::vector<GuardrailSpec> specs() {
  GuardrailSpec errors;
  errors.name = "errors";
  GuardrailSpec accuracy;
  accuracy.name = "accuracy";
  accuracy.signal.kind = Signal::Kind::kFeedback;
  accuracy.objective = {Objective::Kind::kAtLeast, 0.95};
  GuardrailSpec relative;
  relative.name = "no worse";
  relative.signal.kind = Signal::Kind::kFeedback;
  return {errors, accuracy, relative};
}

TEST(ErrorAlarms, TellsOnceThatAVersionErrsMoreOftenThanItsObjectiveAllows) {
  ErrorAlarms alarms(specs());
  Random random(1);
  for (int i = 0; i < 5'000; ++i) EXPECT_FALSE(alarms.observe(1, "1.0.0", random.unit() > 0.05)) << "as allowed";
  int told = 0;
  int labels = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto alarm = alarms.observe(1, "1.0.0", random.unit() > 0.12);
    if (!alarm) continue;
    ++told;
    labels = i;
    EXPECT_EQ(alarm->guardrail, "accuracy");
    EXPECT_LE(alarm->labels, ErrorAlarms::kRecent);
    EXPECT_GT(static_cast<double>(alarm->errors), 0.08 * static_cast<double>(alarm->labels));
    EXPECT_NEAR(alarm->allowed, 0.05, 1e-12);
  }
  EXPECT_EQ(told, 1);
  EXPECT_LT(labels, 1'000) << "a long healthy past must not have to be won back";
}

TEST(ErrorAlarms, EachVersionHasAnAlarmOfItsOwn) {
  ErrorAlarms alarms(specs());
  for (const char* version : {"1.0.0", "1.1.0"}) {
    bool told = false;
    for (int i = 0; i < 1'000; ++i) told = alarms.observe(1, version, i % 3 != 0) || told;
    EXPECT_TRUE(told) << version;
  }
}

TEST(ErrorAlarms, EvidenceIsJsonWhateverTheGuardrailIsCalled) {
  const ErrorAlarms::Alarm alarm{R"(the "good" one\)", 8, 9, 0.05};
  const auto read = nlohmann::json::parse(alarm.evidence("1.0.0"));
  EXPECT_EQ(read["guardrail"], R"(the "good" one\)");
  EXPECT_EQ(read["errors"], 8);
}

TEST(ErrorAlarms, OnlyAnObjectiveOfItsOwnSaysWhatIsAllowed) {
  ErrorAlarms alarms(specs());
  for (int i = 0; i < 5'000; ++i) {
    EXPECT_FALSE(alarms.observe(0, "1.0.0", false));
    EXPECT_FALSE(alarms.observe(2, "1.0.0", false)) << "relative to stable";
  }
}

}  // namespace
}  // namespace backstay::monitor
