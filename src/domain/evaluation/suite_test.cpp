#include "domain/evaluation/suite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstay::evaluation {
namespace {

using testing::HasSubstr;

Suite suite_of(Set set) {
  Suite suite;
  suite.name = "s";
  set.name = "a";
  set.files = {"a.csv"};
  set.inputs = {{"x", {"x"}, {}, {}}};
  set.label = "y";
  if (set.task == Task::kClassification) set.classes = {"0", "1"};
  suite.sets = {set};
  return suite;
}

std::string refusal(const Set& set) {
  const auto checked = validate(suite_of(set));
  return checked ? "" : checked.error().message;
}

TEST(Suite, HasNoGroupThatIsTheLabelOrThatIsNamedTwice) {
  Set set;
  set.groups = {"site", "sex"};
  EXPECT_EQ(refusal(set), "");
  set.groups = {"site", "y"};
  EXPECT_THAT(refusal(set), HasSubstr("its label 'y' among its groups"));
  set.groups = {"site", "site"};
  EXPECT_THAT(refusal(set), HasSubstr("the group 'site' twice"));
}

TEST(Suite, MissesTheQueryOfARankingBeforeItsOutput) {
  Set set;
  set.task = Task::kRanking;
  set.output.kind = Output::Kind::kScore;
  EXPECT_THAT(refusal(set), HasSubstr("no query column"));
}

TEST(Suite, HasThresholdsOfScoresOnly) {
  Set set;
  set.output.threshold = 0.3;
  EXPECT_EQ(refusal(set), "");
  set.output.kind = Output::Kind::kProbabilities;
  EXPECT_EQ(refusal(set), "");
  set.output.kind = Output::Kind::kLabel;
  EXPECT_THAT(refusal(set), HasSubstr("no score that it could be of"));
}

TEST(Suite, HasTolerancesOfNumbersOnly) {
  Set set;
  set.behaviour = {{"alike", Behaviour::Kind::kSame, {Change::Kind::kSet, {}, 0, "0"}, 0.01}};
  EXPECT_EQ(refusal(set), "");
  set.output.kind = Output::Kind::kLabel;
  EXPECT_THAT(refusal(set), HasSubstr("its output is a label"));
  set.output.kind = Output::Kind::kScore;
  set.behaviour[0].tolerance = -1;
  EXPECT_THAT(refusal(set), HasSubstr("tolerance of 'alike'"));
}

TEST(BackendChoice, OfAPairHasTwoUrls) {
  BackendChoice backend;
  EXPECT_TRUE(check_urls_of_pair(backend, "1.1.0", "1.0.0")) << "each version has its own files";
  backend.kind = BackendChoice::Kind::kUrl;
  EXPECT_FALSE(check_urls_of_pair(backend, "1.1.0", "1.0.0"));
  backend.url = "http://127.0.0.1:9000";
  const auto same = check_urls_of_pair(backend, "1.1.0", "1.0.0");
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().hint, HasSubstr("urls: {1.1.0: \"http://...\", 1.0.0: \"http://...\"}"));
  backend.urls = {{"1.0.0", "http://127.0.0.1:9001"}};
  EXPECT_TRUE(check_urls_of_pair(backend, "1.1.0", "1.0.0"));
  backend.urls = {{"1.0.0", backend.url}};
  EXPECT_FALSE(check_urls_of_pair(backend, "1.1.0", "1.0.0"));
  backend = {};
  backend.kind = BackendChoice::Kind::kUrl;
  backend.url = "http://m-{version}:9000";
  EXPECT_TRUE(check_urls_of_pair(backend, "1.1.0", "1.0.0"));
  backend.url.clear();
  backend.urls = {{"1.1.0", "http://127.0.0.1:9001"}};
  const auto nowhere = check_urls_of_pair(backend, "1.1.0", "1.0.0");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, HasSubstr("no url for version 1.0.0"));
}

}  // namespace
}  // namespace backstay::evaluation
