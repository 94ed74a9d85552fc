#include <gtest/gtest.h>

#include <latch>

#include "classify/http_classifier.hpp"
#include "classify/lexicon_classifier.hpp"
#include "classify/model_classifier.hpp"

namespace backstay::classify {
namespace {

TEST(LexiconClassifier, FindsWholeWordsAndPhrases) {
  auto lexicon =
      LexiconClassifier::from_lines("# what nobody should read\nidiot\n  Shut   Up \r\nschlampe\n\n").value();
  EXPECT_EQ(lexicon.judge("You IDIOT!").value(), 1);
  EXPECT_EQ(lexicon.judge("idiotic, and an idiom").value(), 0);
  EXPECT_EQ(lexicon.judge("please shut\nup now").value(), 1);
  EXPECT_EQ(lexicon.judge("please shut it up").value(), 0);
  EXPECT_EQ(lexicon.judge("").value(), 0);
}

TEST(LexiconClassifier, KnowsWordsOfOtherScriptsByTheirBytes) {
  auto lexicon = LexiconClassifier::from_terms({"blöd", "дурак"}).value();
  EXPECT_EQ(lexicon.judge("so blöd.").value(), 1);
  EXPECT_EQ(lexicon.judge("(дурак)").value(), 1);
  EXPECT_EQ(lexicon.judge("blödsinn").value(), 0);
}

TEST(LexiconClassifier, RefusesListsThatFindNothingOrTooMuch) {
  EXPECT_FALSE(LexiconClassifier::from_lines(""));
  EXPECT_FALSE(LexiconClassifier::from_lines("# only a comment"));
  EXPECT_FALSE(LexiconClassifier::from_lines("..."));
  EXPECT_FALSE(LexiconClassifier::from_lines("a b c d e f g h i"));
}

/// A service that answers what a test says.
class Service : public Messenger {
 public:
  Result<Sent> send(const Message& message) const override {
    asked = message;
    if (status == 0) return Unexpected(ErrorCode::kTimeout, "It did not answer within 2s.");
    return Sent{status, body};
  }
  mutable Message asked;
  int status = 200;
  std::string body;
};

TEST(HttpClassifier, SendsTheTextAndReadsTheScore) {
  Service service;
  service.body = R"({"result":{"toxic":0.75}})";
  HttpClassifier classifier(service, {"http://c/judge", "/result/toxic", milliseconds(500), {"X-Key: k"}});
  EXPECT_EQ(classifier.judge("he said \"no\"\xff").value(), 0.75);
  EXPECT_EQ(service.asked.method, "POST");
  EXPECT_EQ(service.asked.timeout, milliseconds(500));
  EXPECT_EQ(service.asked.body, "{\"text\":\"he said \\\"no\\\"\xEF\xBF\xBD\"}");
}

TEST(HttpClassifier, HasNoVerdictWhenTheServiceHasNone) {
  Service service;
  HttpClassifier classifier(service, {"http://secret@c/judge", "/score", milliseconds(500), {}});
  for (const char* body : {"", "{}", R"({"score":"high"})", R"({"score":1.5})", R"({"score":-1})"}) {
    service.body = body;
    EXPECT_FALSE(classifier.judge("x")) << body;
  }
  service.body = R"({"score":0.5})";
  service.status = 503;
  EXPECT_EQ(classifier.judge("x").error().message.find("secret"), std::string::npos);
  service.status = 0;
  EXPECT_EQ(classifier.judge("x").error().code, ErrorCode::kTimeout);
}

/// A version that says of each text [label, 1 - p, p], p being its length over 100.
class TestVersion : public ModelRunner {
 public:
  explicit TestVersion(std::string datatype = "BYTES") { signature_.inputs = {{"text", std::move(datatype), {-1, 1}}}; }
  const registry::Signature& signature() const override { return signature_; }
  std::unique_ptr<ModelSession> open_session() override { return std::make_unique<Session>(*this); }
  std::uint64_t restarts() const override { return 0; }

  std::atomic<bool> gone{false};

 private:
  struct Session : ModelSession {
    explicit Session(TestVersion& its_version) : version(its_version) {}
    Result<Answer> predict(const std::vector<NamedTensor>& inputs) override {
      if (version.gone) return Unexpected(ErrorCode::kUnavailable, "The model can't be served: it crashed.");
      const auto rows = static_cast<std::int64_t>(inputs[0].texts.size());
      EXPECT_EQ(inputs[0].spec.shape, (std::vector<std::int64_t>{rows, 1}));
      Answer answer;
      answer.outputs = {{{"label", "INT64", {rows}}, {}, {}}, {{"probabilities", "FP32", {rows, 2}}, {}, {}}};
      for (const std::string& text : inputs[0].texts) {
        const double p = static_cast<double>(text.size()) / 100;
        answer.outputs[0].numbers.push_back(p > 0.5 ? 1 : 0);
        answer.outputs[1].numbers.insert(answer.outputs[1].numbers.end(), {1 - p, p});
      }
      return answer;
    }
    TestVersion& version;
  };
  registry::Signature signature_;
};

/// The first verdict that is not missing.
double wait_for_verdict(Classifier& classifier, std::string_view text) {
  while (true) {
    if (const auto verdict = classifier.judge(text)) return *verdict;
    std::this_thread::yield();
  }
}

std::shared_ptr<ServedVersion> serve(ServedVersion::Start start) {
  return std::make_shared<ServedVersion>("toxic@1.0.0", std::move(start), milliseconds(0));
}

Result<std::unique_ptr<ModelRunner>> started(std::unique_ptr<TestVersion> version) {
  return std::unique_ptr<ModelRunner>(std::move(version));
}

TEST(ModelClassifier, HasNoVerdictUntilItsVersionIsReadyAndTakesTheScoreAtItsPlace) {
  std::latch ready(1);
  ModelClassifier classifier({"toxic@1.0.0", "", "probabilities", 1}, serve([&](const std::stop_token&) {
                               ready.wait();
                               return started(std::make_unique<TestVersion>());
                             }));
  const auto early = classifier.judge("x");
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().message, "toxic@1.0.0 is starting.");
  ready.count_down();
  EXPECT_EQ(wait_for_verdict(classifier, std::string(90, 'x')), 0.9);
  EXPECT_EQ(classifier.judge("").value(), 0);
  EXPECT_FALSE(classifier.judge(std::string(120, 'x'))) << "1.2 is no score";
}

TEST(ModelClassifier, StartsItsVersionAgainWhenItIsGoneForGood) {
  TestVersion* first = nullptr;
  std::atomic<int> starts{0};
  const auto version = serve([&](const std::stop_token&) -> Result<std::unique_ptr<ModelRunner>> {
    if (++starts == 2) return Unexpected(ErrorCode::kUnavailable, "There is no memory.");
    auto made = std::make_unique<TestVersion>();
    if (starts == 1) first = made.get();
    return started(std::move(made));
  });
  ModelClassifier classifier({"toxic@1.0.0", "", "label", std::nullopt}, version);
  ModelClassifier other({"toxic@1.0.0", "", "probabilities", 1}, version);
  EXPECT_EQ(wait_for_verdict(other, std::string(90, 'x')), 0.9) << "another place of the same version";
  EXPECT_EQ(wait_for_verdict(classifier, std::string(90, 'x')), 1);
  first->gone = true;
  EXPECT_EQ(classifier.judge("x").error().message, "The model can't be served: it crashed.");
  EXPECT_EQ(wait_for_verdict(classifier, "x"), 0);
  EXPECT_EQ(wait_for_verdict(other, "x"), 0.01) << "it asks the new one";
  EXPECT_EQ(starts, 3) << "once for both";
}

TEST(ModelClassifier, SaysWhyAVersionIsNoClassifierOfTexts) {
  const auto version = serve([](const std::stop_token&) { return started(std::make_unique<TestVersion>("FP32")); });
  ModelClassifier classifier({"tabular@1.0.0", "", "", std::nullopt}, version);
  while (!version->runner()) std::this_thread::yield();
  EXPECT_EQ(classifier.judge("x").error().message, "The classifier tabular@1.0.0 does not take one text per row.");
}

TEST(ModelClassifier, StoppingEndsAStartThatTakesLong) {
  std::latch begun(1);
  ModelClassifier classifier({"toxic@1.0.0", "", "", std::nullopt},
                             serve([&](const std::stop_token& stop) -> Result<std::unique_ptr<ModelRunner>> {
                               begun.count_down();
                               std::mutex mutex;
                               std::condition_variable_any never;
                               std::unique_lock lock(mutex);
                               never.wait(lock, stop, [] { return false; });
                               return Unexpected(ErrorCode::kUnavailable, "Nobody waits.");
                             }));
  begun.wait();
  classifier.stop();
}

TEST(TextScorer, SaysWhichNumberToNameWhenThereAreSeveral) {
  TestVersion version;
  const std::vector<std::string> texts{"x"};
  const auto said = [&](const services::ScorePlace& place) {
    return services::score_texts(version, place, texts, 10).error().message;
  };
  EXPECT_NE(said({"t@1.0.0", "", "", {}}).find("its outputs are label, probabilities"), std::string::npos);
  EXPECT_NE(said({"t@1.0.0", "", "probabilities", {}}).find("'probabilities' has 2 for 1"), std::string::npos);
  EXPECT_NE(said({"t@1.0.0", "", "probabilities", 2}).find("no index 2"), std::string::npos);
  EXPECT_EQ(
      services::score_texts(version, {"t@1.0.0", "text", "probabilities", 0}, std::vector<std::string>{"", "x"}, 1)
          .value(),
      (std::vector<double>{1, 0.99}));
}

}  // namespace
}  // namespace backstay::classify
