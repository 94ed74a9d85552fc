#include "sim/story.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace backstay::sim {
namespace {

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Of the source: the tests run from the build's folder.
std::vector<std::string> files() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(BACKSTAY_STORIES)) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

class Stories : public ::testing::TestWithParam<std::string> {};

TEST_P(Stories, EndAsTheySayWhateverTheSeed) {
  const auto story = story_from(GetParam(), read(GetParam()));
  ASSERT_TRUE(story) << story.error().message << " " << story.error().hint;
  for (std::uint64_t seed = 1; seed <= story->seeds; ++seed) {
    Scenario scenario = story->scenario;
    scenario.seed = seed;
    EXPECT_EQ(check(*story, run(scenario)), "") << story->title << ", seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Stories, ::testing::ValuesIn(files()), [](const auto& tested) {
  std::string name = std::filesystem::path(tested.param).stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(StoryFile, IsReadStrictly) {
  const std::string good = read(std::filesystem::path(BACKSTAY_STORIES) / "offensive-recommendations.yaml");
  ASSERT_TRUE(story_from("s", good));
  const auto refused = [&](const std::string& what, const std::string& with) {
    std::string text = good;
    text.replace(text.find(what), what.size(), with);
    const auto story = story_from("s", text);
    return story ? std::string("read") : story.error().message + " " + story.error().hint;
  };
  EXPECT_NE(refused("converts: 5%", "convers: 5%").find("converts"), std::string::npos);
  EXPECT_NE(refused("deploy: 1.0.0", "deploy: 9.0.0").find("9.0.0"), std::string::npos);
  EXPECT_NE(refused("deploy: 1.0.0", "deploy: 1.0.0, crash: true").find("exactly one"), std::string::npos);
  EXPECT_NE(refused("how: guardrail", "by_what: x").find("how"), std::string::npos);
  EXPECT_NE(refused("kind: conversion", "kind: conversation").find("conversion"), std::string::npos);
  EXPECT_NE(refused("stable: 1.0.0", "stabel: 1.0.0").find("stable"), std::string::npos);
}

TEST(StoryFile, AStoryThatEndsOtherwiseIsTold) {
  auto story = story_from("s", read(std::filesystem::path(BACKSTAY_STORIES) / "safety-in-the-first-hour.yaml")).value();
  story.scenario.seed = 1;
  const Report report = run(story.scenario);
  ASSERT_EQ(check(story, report), "");
  story.endings[0].requests_at_most = 3;
  EXPECT_NE(check(story, report).find("too many"), std::string::npos);
  story.endings[0].how = "done";
  EXPECT_NE(check(story, report).find("not as the story says"), std::string::npos);
}

}  // namespace
}  // namespace backstay::sim
