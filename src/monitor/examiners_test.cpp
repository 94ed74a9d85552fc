#include "monitor/examiners.hpp"

#include <gtest/gtest.h>

#include <condition_variable>

namespace backstay::monitor {
namespace {

/// Judges by what a test says, when a test lets it.
class Told : public Classifier {
 public:
  Result<double> judge(std::string_view text) override {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return open; });
    if (text == "no verdict") return Unexpected(ErrorCode::kTimeout, "It did not answer within 2s.");
    return text == "bad" ? 0.9 : 0.1;
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;
};

class ExaminersTest : public ::testing::Test {
 protected:
  void start(const std::vector<ExaminerConfig>& configs) {
    examiners = std::make_unique<Examiners>(
        Examiners::Ports{queue,
                         [this](std::uint32_t, const std::string& version) -> Result<registry::Signature> {
                           ++asked;
                           if (version == "0.0.0") return Unexpected(ErrorCode::kNotFound, "There is no 0.0.0.");
                           registry::Signature signature;
                           if (version == "1.0.0") signature.outputs = {{"y", "FP32", {1}}};
                           return signature;
                         },
                         [this](const traffic::Outcome&, std::size_t examiner, double verdict) {
                           const std::lock_guard lock(mutex);
                           verdicts.emplace_back(examiner, verdict);
                           changed.notify_all();
                         }},
        Examiners::Plan{configs});
  }
  void answer(const std::string& body, const std::string& version = "1.0.0") { ring.push({}, version, body, false); }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return verdicts.size() >= count; });
  }
  /// Nothing is told of what is missed: what came after it was.
  ExaminerStatus status(std::size_t index) { return examiners->status(0).at(index); }

  gateway::AnswerQueue queue;
  gateway::AnswerRing& ring = queue.open_ring();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<std::size_t, double>> verdicts;
  std::atomic<int> asked{0};
  std::unique_ptr<Examiners> examiners;
};

TEST_F(ExaminersTest, ACheckOfTheSignatureNeedsNoClassifier) {
  start({{"", nullptr, "", 1}});
  answer(R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1]}]})");
  answer(R"({"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1,2]}]})");
  answer("{}", "0.0.0");
  answer("{}", "2.0.0");
  answer("{}");
  wait_for(3);
  EXPECT_EQ(verdicts, (std::vector<std::pair<std::size_t, double>>{{0, 0}, {0, 1}, {0, 1}}));
  EXPECT_EQ(status(0).judged, 3U);
  EXPECT_EQ(status(0).bad, 2U);
  EXPECT_EQ(status(0).missing, 2U);
  EXPECT_EQ(status(0).last, "1.0.0: The answer has no outputs.");
  EXPECT_EQ(asked, 3) << "Once per version.";
}

TEST_F(ExaminersTest, AClassifierJudgesTheTextAndWhatItCannotJudgeIsMissing) {
  start({{"toxicity", std::make_shared<Told>(), "/text", 10}});
  answer(R"({"text":"no verdict"})");
  answer(R"({"other":"good"})");
  answer(R"({"text":"bad"})");
  wait_for(1);
  EXPECT_EQ(verdicts[0].second, 0.9);
  EXPECT_EQ(status(0).missing, 2U);
  EXPECT_EQ(status(0).bad, 1U);
}

TEST_F(ExaminersTest, OfAnEventStreamTheTextIsWhatItsEventsAddUpToAndNoSignatureIsChecked) {
  start({{"toxicity", std::make_shared<Told>(), "/text", 10}, {"", nullptr, "", 1}});
  const auto stream = [this](const std::string& body) {
    ring.push({}, "1.0.0", body, false, gateway::BodyKind::kEventStream);
  };
  stream("data: {\"type\":\"ping\"}\n\ndata: [DONE]\n\n");
  stream("data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(300'000, 'x') + "\"}}]}\n\n");
  stream(
      "data: {\"choices\":[{\"delta\":{\"content\":\"ba\"}}]}\n\ndata: "
      "{\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n");
  wait_for(1);
  EXPECT_EQ(verdicts, (std::vector<std::pair<std::size_t, double>>{{0, 0.9}}));
  EXPECT_EQ(status(0).missing, 2U);
  EXPECT_EQ(status(1).missing, 3U);
  EXPECT_EQ(status(1).judged, 0U);
  EXPECT_NE(status(1).last.find("event stream"), std::string::npos);
}

TEST_F(ExaminersTest, AClassifierThatHangsHoldsUpNobodyAndMissesWhatDoesNotFit) {
  const auto slow = std::make_shared<Told>();
  slow->open = false;
  start({{"slow", slow, "", 2}, {"quick", std::make_shared<Told>(), "", 100}});
  for (int i = 0; i < 10; ++i) answer("good");
  wait_for(10);  // The quick one's.
  EXPECT_EQ(status(0).missing, 8U);
  EXPECT_EQ(status(0).judged, 0U);
  slow->let_go();
  wait_for(12);
}

}  // namespace
}  // namespace backstay::monitor
