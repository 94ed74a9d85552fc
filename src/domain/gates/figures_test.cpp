#include "domain/gates/figures.hpp"

#include <gtest/gtest.h>

#include "domain/registry/measurement.hpp"

namespace backstay::gates {
namespace {

using registry::Metric;
using registry::ScorecardKind;
using registry::StoredScorecard;

StoredScorecard card(ScorecardKind kind, std::vector<Metric> metrics) {
  StoredScorecard stored;
  stored.scorecard.kind = kind;
  stored.scorecard.dataset = "held-out";
  stored.scorecard.metrics = std::move(metrics);
  stored.scorecard.evaluator = registry::evaluator_of({"1", "s", sha256("suite").hex(), sha256("data").hex()});
  return stored;
}

std::string explained(const Rule& rule, const std::vector<StoredScorecard>& cards, const std::string& production = "") {
  return evaluate({"g", 0.95, {rule}}, {}, cards, nullptr, production).rows.at(1).explanation;
}

TEST(MissingFigures, OfGroupsThatAreAllSmallAreToldAsThat) {
  const Rule ratio{Rule::Kind::kAtLeast, "demographic_parity_ratio", "site", 0.8};
  const Metric small{"small_groups", "site", 2, 4, {}, {}};
  const Metric difference{"demographic_parity_difference", "site", 0, 400, {}, {}};
  EXPECT_EQ(explained(ratio, {card(ScorecardKind::kBias, {small})}),
            "It is not defined on the rows of 'held-out': fewer than two of the groups of site have as many rows as "
            "min_group asks for.");
  EXPECT_EQ(explained(ratio, {card(ScorecardKind::kBias, {difference, small})}),
            "It is not defined on the rows of 'held-out': no group is called positive at all.");
}

TEST(MissingFigures, ThatAreThereOfOtherGroupsAreToldOf) {
  const std::vector cards{card(ScorecardKind::kQuality, {{"accuracy", "", 0.9, 400, {}, {}},
                                                         {"accuracy", "site=a", 0.9, 200, {}, {}},
                                                         {"accuracy_change", "", 0, 400, -0.01, 0.01}})};
  EXPECT_EQ(explained({Rule::Kind::kAtLeast, "accuracy", "site=zz", 0.8}, cards),
            "It was measured of everyone, site=a, not of site=zz. Groups with fewer rows than min_group are not "
            "measured.");
  EXPECT_EQ(explained({Rule::Kind::kMaxDrop, "accuracy", "site=zz", 0.01}, cards, "m@1.0.0"),
            "It was measured of everyone, not of site=zz. Groups with fewer rows than min_group are not measured.");
}

TEST(MissingFigures, ThatAreThereOfOtherDataAreToldOf) {
  const std::vector cards{card(ScorecardKind::kQuality, {{"accuracy", "", 0.9, 400, {}, {}}})};
  Rule rule{Rule::Kind::kAtLeast, "accuracy", "", 0.8, "autumn"};
  EXPECT_EQ(explained(rule, cards), "It was measured on 'held-out', not on 'autumn'.");
  rule.kind = Rule::Kind::kMaxGap;
  EXPECT_EQ(explained(rule, cards), "It was measured on 'held-out', not on 'autumn'.");
}

TEST(MissingFigures, OfAMisspelledMetricAreThoseOfTheNearest) {
  const std::vector cards{card(ScorecardKind::kQuality, {{"accuracy", "", 0.9, 400, {}, {}}})};
  EXPECT_EQ(explained({Rule::Kind::kAtLeast, "acuracy", "", 0.8}, cards),
            "No scorecard has this metric. Did you mean 'accuracy'?");
  EXPECT_EQ(explained({Rule::Kind::kMaxDrop, "acuracy", "", 0.8}, cards, "m@1.0.0"),
            "No scorecard has this metric. Did you mean 'accuracy'?");
  EXPECT_EQ(explained({Rule::Kind::kMaxDrop, "accuracy", "", 0.8}, cards, "m@1.0.0"),
            "Compare it with m@1.0.0 on the same rows: backstay evaluate.");
  EXPECT_EQ(explained({Rule::Kind::kAtLeast, "toxicity_rate", "", 0.8}, cards),
            "No scorecard has this metric: measure it with `backstay evaluate`.");
}

}  // namespace
}  // namespace backstay::gates
