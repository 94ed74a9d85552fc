#include "domain/evaluation/interpret.hpp"

#include <gtest/gtest.h>

namespace backstay::evaluation {
namespace {

Set set_of(Output::Kind kind, std::vector<std::string> classes) {
  Set set;
  set.name = "s";
  set.label = "y";
  set.output.kind = kind;
  set.classes = std::move(classes);
  return set;
}

Predictions truth_of(const Set& set, const std::vector<std::string>& labels) {
  Truth truth(set);
  for (const std::string& label : labels) EXPECT_TRUE(truth.add(label, "", {}));
  return truth.finish();
}

NamedTensor numbers(std::int64_t rows, std::vector<double> values) {
  NamedTensor tensor;
  tensor.spec = {"out", "FP32", {rows, static_cast<std::int64_t>(values.size()) / rows}};
  tensor.numbers = std::move(values);
  return tensor;
}

TEST(Interpret, ThePositiveClassIsTheLastOneUnlessAnotherIsNamed) {
  Set set = set_of(Output::Kind::kScore, {"benign", "malignant"});
  EXPECT_EQ(truth_of(set, {"malignant", "benign"}).truth, (std::vector<std::uint32_t>{1, 0}));
  set.positive = "benign";
  EXPECT_EQ(truth_of(set, {"malignant", "benign"}).truth, (std::vector<std::uint32_t>{0, 1}));
}

TEST(Interpret, ProbabilitiesComeInTheOrderOfTheClasses) {
  Set set = set_of(Output::Kind::kProbabilities, {"yes", "no"});
  set.positive = "yes";
  const Predictions truth = truth_of(set, {"yes", "no"});
  const auto found = interpret(set, truth, numbers(2, {0.9, 0.1, 0.2, 0.8}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->scores, (std::vector<double>{0.9, 0.2}));
  EXPECT_EQ(found->predicted, (std::vector<std::uint32_t>{1, 0}));
}

TEST(Interpret, ATieIsTheClassThatIsNamedFirstWhicheverIsThePositiveOne) {
  Set set = set_of(Output::Kind::kProbabilities, {"a", "b"});
  for (const char* positive : {"a", "b"}) {
    set.positive = positive;
    const auto found = interpret(set, truth_of(set, {"a"}), numbers(2, {0.5, 0.5}));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->predicted, found->truth) << positive;
  }
}

TEST(Interpret, ANumberIsTheSameClassHoweverItIsWritten) {
  const Set set = set_of(Output::Kind::kLabel, {"0", "1"});
  const auto found = interpret(set, truth_of(set, {"1.0", "0"}), numbers(2, {1, 1}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->predicted, (std::vector<std::uint32_t>{1, 1}));
  EXPECT_EQ(found->truth, (std::vector<std::uint32_t>{1, 0}));
}

TEST(Interpret, RefusesWhatIsNoProbability) {
  const Set score = set_of(Output::Kind::kScore, {"0", "1"});
  EXPECT_FALSE(interpret(score, truth_of(score, {"1"}), numbers(1, {3.2})));
  EXPECT_FALSE(interpret(score, truth_of(score, {"1"}), numbers(1, {0.5, 0.5})));
  const Set many = set_of(Output::Kind::kProbabilities, {"0", "1", "2"});
  EXPECT_FALSE(interpret(many, truth_of(many, {"1"}), numbers(1, {0.5, 0.5, 0.5})));
  EXPECT_FALSE(interpret(many, truth_of(many, {"1"}), numbers(1, {1.5, -0.5, 0})));
}

TEST(Interpret, RefusesALabelThatIsNoClass) {
  const Set set = set_of(Output::Kind::kScore, {"0", "1"});
  Truth truth(set);
  EXPECT_FALSE(truth.add("2", "", {}));
  EXPECT_FALSE(Truth(set).add("", "", {}));
}

TEST(Interpret, IntersectionsTellEveryCombinationApart) {
  Set set = set_of(Output::Kind::kScore, {"0", "1"});
  set.groups = {"site", "sex"};
  set.intersections = true;
  Truth truth(set);
  ASSERT_TRUE(truth.add("1", "", {"a,x", "f"}));
  ASSERT_TRUE(truth.add("0", "", {"a", "x,f"}));
  ASSERT_TRUE(truth.add("0", "", {"a", ""}));
  const Predictions found = truth.finish();
  ASSERT_EQ(found.attributes.size(), 3U);
  EXPECT_EQ(found.attributes[2].name, "site,sex");
  EXPECT_EQ(found.attributes[2].values.size(), 3U);
  EXPECT_EQ(found.attributes[1].values[0], "sex=(missing)");
}

}  // namespace
}  // namespace backstay::evaluation
