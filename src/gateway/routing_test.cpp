#include "gateway/routing.hpp"

#include <gtest/gtest.h>

namespace backstay::gateway {
namespace {

traffic::Split canary() {
  traffic::Split split;
  split.arms = {{"1.0.0", traffic::Role::kStable, 950'000}, {"2.0.0", traffic::Role::kCandidate, 50'000}};
  split.fallback = "1.0.0";
  return split;
}

TEST(RouteMap, TakesTheLongestPrefixThatEndsAtABoundary) {
  RouteMap routes;
  routes.add("/v2/models/a", 1);
  routes.add("/v2/models/a/special/", 2);
  routes.add("/v2", 3);
  EXPECT_EQ(routes.find("/v2/models/a"), 1U);
  EXPECT_EQ(routes.find("/v2/models/a/infer?x=/v2/models/a/special"), 1U);
  EXPECT_EQ(routes.find("/v2/models/a?x"), 1U);
  EXPECT_EQ(routes.find("/v2/models/a/special/infer"), 2U);
  EXPECT_EQ(routes.find("/v2/models/abc"), 3U);
  EXPECT_EQ(routes.find("/v1/models/a"), std::nullopt);
  EXPECT_EQ(routes.find("/"), std::nullopt);
  EXPECT_EQ(routes.find("*"), std::nullopt);
  routes.add("/", 4);
  EXPECT_EQ(routes.find("/v1/models/a"), 4U);
}

TEST(RouteMap, TakesWhatFollowsAColonForAVerb) {
  RouteMap routes;
  routes.add("/v1/models/m", 1);
  EXPECT_EQ(routes.find("/v1/models/m:predict"), 1U);
  EXPECT_EQ(routes.find("/v1/models/m/labels/stable:predict"), 1U);
  EXPECT_EQ(routes.find("/v1/models/mm:predict"), std::nullopt);
}

TEST(RoutingDirectory, PublishesSplitsWithTheAddressesItKnows) {
  RoutingCell cell;
  RoutingDirectory directory(cell, {"a", "b"});
  directory.publish("b", canary());
  directory.set_address("b", "2.0.0", Address{0x7f000001, 81});
  const auto table = cell.table();
  ASSERT_EQ(table->endpoints.size(), 2U);
  EXPECT_TRUE(table->endpoints[0].arms.empty());
  const EndpointRouting& routing = table->endpoints[1];
  EXPECT_EQ(routing.candidate_ppm, 50'000U);
  EXPECT_EQ(routing.fallback, 0U);
  EXPECT_FALSE(routing.arms[0].address);
  EXPECT_EQ(routing.arms[1].address.port, 81);
  EXPECT_EQ(directory.named(routing.arms[1].number).version, "2.0.0");
}

TEST(RoutingReader, SeesANewTableAtTheNextPinAndKeepsTheOldOneForWhoHoldsIt) {
  RoutingCell cell;
  RoutingDirectory directory(cell, {"a"});
  RoutingReader reader(cell);
  const TablePin before = reader.pin();
  directory.publish("a", canary());
  EXPECT_TRUE(before->endpoints[0].arms.empty());
  EXPECT_EQ(reader.pin()->endpoints[0].arms.size(), 2U);
}

TEST(RoutingDirectory, ALostBackendKeepsItsArmWithoutAnAddress) {
  RoutingCell cell;
  RoutingDirectory directory(cell, {"a"});
  directory.set_address("a", "1.0.0", Address{1, 1});
  directory.publish("a", canary());
  EXPECT_TRUE(cell.table()->endpoints[0].arms[0].address);
  directory.set_address("a", "1.0.0", std::nullopt);
  EXPECT_FALSE(cell.table()->endpoints[0].arms[0].address);
}

}  // namespace
}  // namespace backstay::gateway
