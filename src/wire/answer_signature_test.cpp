#include "wire/answer_signature.hpp"

#include <gtest/gtest.h>

namespace backstay::wire {
namespace {

registry::Signature signature() {
  registry::Signature out;
  out.outputs = {{"scores", "FP32", {-1, 2}}, {"label", "BYTES", {-1}}};
  return out;
}

constexpr const char* kLabel = R"({"name":"label","datatype":"BYTES","shape":[1],"data":["a"]})";

std::string answer(const std::string& scores) {
  return R"({"model_name":"m","outputs":[)" + scores + "," + kLabel + "]}";
}

TEST(CheckAnswer, TakesWhatTheSignatureSaysFlatOrNested) {
  EXPECT_EQ(
      check_answer(answer(R"({"name":"scores","datatype":"FP32","shape":[2,2],"data":[1,2,3.5,4]})"), signature()), "");
  EXPECT_EQ(
      check_answer(answer(R"({"name":"scores","datatype":"FP32","shape":[2,2],"data":[[1,2],[3,4]]})"), signature()),
      "");
}

TEST(CheckAnswer, SaysWhatIsWrong) {
  const auto wrong = [](const std::string& scores) { return check_answer(answer(scores), signature()); };
  EXPECT_EQ(wrong(R"({"name":"scores","datatype":"FP64","shape":[1,2],"data":[1,2]})"),
            "The output 'scores' has the datatype FP64, not FP32.");
  EXPECT_EQ(wrong(R"({"name":"scores","datatype":"FP32","shape":[2],"data":[1,2]})"),
            "The output 'scores' has the shape [2], not [-1,2].");
  EXPECT_EQ(wrong(R"({"name":"scores","datatype":"FP32","shape":[1,2],"data":[1,2,3]})"),
            "The output 'scores' has 3 elements, and its shape [1,2].");
  EXPECT_EQ(wrong(R"({"name":"scores","datatype":"FP32","shape":[1,2],"data":[1,null]})"),
            "The output 'scores' has data that is no FP32.");
  EXPECT_EQ(wrong(R"({"name":"other","datatype":"FP32","shape":[1,2],"data":[1,2]})"),
            "The answer has an output 'other', which the signature has not.");
  EXPECT_EQ(wrong(kLabel), "The answer has the output 'label' twice.");
  EXPECT_EQ(check_answer(std::string(R"({"outputs":[)") + kLabel + "]}", signature()),
            "The answer lacks the output 'scores'.");
  EXPECT_EQ(check_answer("<html>", signature()), "The answer is no JSON object.");
  EXPECT_EQ(check_answer(R"({"error":"x"})", signature()), "The answer has no outputs.");
}

TEST(CheckAnswer, SurvivesHostileAnswers) {
  EXPECT_NE(check_answer(std::string(100'000, '['), signature()), "");
  EXPECT_NE(check_answer(answer(R"({"name":"scores","datatype":7,"shape":[1,2],"data":[1,2]})"), signature()), "");
  EXPECT_NE(check_answer(answer(R"({"name":"scores","datatype":"FP32","shape":[-1,2],"data":[]})"), signature()), "");
  EXPECT_NE(check_answer(answer(R"({"name":"scores","datatype":"FP32","shape":[9223372036854775807,2],"data":[]})"),
                         signature()),
            "");
  EXPECT_EQ(check_answer(R"({"outputs":[{"name":"a\n'b"}]})", signature()),
            "The answer has an output 'a?'b', which the signature has not.");
}

TEST(TextOfAnswer, IsFoundByItsPointer) {
  const std::string body = R"({"choices":[{"message":{"content":"hello"}}],"score":0.25,"ok":true})";
  EXPECT_EQ(text_of_answer(body, "/choices/0/message/content").value(), "hello");
  EXPECT_EQ(text_of_answer(body, "").value(), body);
  EXPECT_FALSE(text_of_answer(body, "/choices/1/message/content"));
  EXPECT_FALSE(text_of_answer(body, "/score"));
  EXPECT_EQ(number_of_answer(body, "/score").value(), 0.25);
  EXPECT_EQ(number_of_answer(body, "/ok").value(), 1);
  EXPECT_FALSE(number_of_answer(body, "/choices"));
  EXPECT_FALSE(number_of_answer(body, "no pointer"));
}

}  // namespace
}  // namespace backstay::wire
