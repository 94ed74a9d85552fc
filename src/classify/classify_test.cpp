#include <gtest/gtest.h>

#include "classify/http_classifier.hpp"
#include "classify/lexicon_classifier.hpp"

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

}  // namespace
}  // namespace backstay::classify
