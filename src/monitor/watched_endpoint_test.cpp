#include "monitor/watched_endpoint.hpp"

#include <gtest/gtest.h>

namespace backstay::monitor {
namespace {

class WatchedEndpointTest : public ::testing::Test {
 protected:
  WatchedEndpointTest() {
    state.id = "e-2";
    state.phase = rollout::Phase::kStepping;
    state.plan = rollout::default_plan();
  }
  static EndpointConfig config() {
    EndpointConfig out;
    out.name = "e";
    out.model = "m";
    out.guardrails = guardrails::default_guardrails();
    out.slots = plan_values(out.guardrails).value().slots;
    return out;
  }
  static traffic::Outcome outcome(seconds at, milliseconds latency) {
    traffic::Outcome out;
    out.at = Monotonic(at);
    out.latency_us = static_cast<std::uint32_t>(microseconds(latency).count());
    return out;
  }
  WatchedEndpoint endpoint{config(), nullptr};
  rollout::State state;
};

TEST_F(WatchedEndpointTest, ARequestOfBeforeTheRolloutIsNotItsEvidenceHoweverLateItsAnswerComes) {
  endpoint.reset(&state, Monotonic(seconds(100)));
  EXPECT_TRUE(endpoint.is_of_experiment(state, outcome(seconds(101), milliseconds(900))));
  EXPECT_FALSE(endpoint.is_of_experiment(state, outcome(seconds(105), milliseconds(5'100))));
  EXPECT_FALSE(endpoint.is_of_experiment(state, outcome(seconds(99), milliseconds(1))));
}

TEST_F(WatchedEndpointTest, NothingIsEvidenceOfARolloutWhoseStartIsNotStoredOrThatWarmsUp) {
  endpoint.reset(&state, Monotonic(seconds(100)));
  rollout::State next = state;
  next.id = "e-3";
  EXPECT_FALSE(endpoint.looks_at(next));
  EXPECT_FALSE(endpoint.is_of_experiment(next, outcome(seconds(101), milliseconds(1))));
  endpoint.reset(&next, Monotonic(seconds(102)));
  next.phase = rollout::Phase::kWarming;
  EXPECT_TRUE(endpoint.looks_at(next));
  EXPECT_FALSE(endpoint.is_of_experiment(next, outcome(seconds(103), milliseconds(1))));
}

}  // namespace
}  // namespace backstay::monitor
