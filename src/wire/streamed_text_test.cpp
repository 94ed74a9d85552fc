#include "wire/streamed_text.hpp"

#include <gtest/gtest.h>

namespace backstay::wire {
namespace {

std::string text_of(std::initializer_list<const char*> events) {
  StreamedText text;
  for (const char* event : events) text.add(event);
  return text.found() ? text.text() : "(none)";
}

TEST(StreamedText, IsWhatTheDeltasOfAChatAddUpTo) {
  EXPECT_EQ(text_of({R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})",
                     R"({"choices":[{"index":0,"delta":{"content":"You "},"finish_reason":null}]})",
                     R"({"choices":[{"index":0,"delta":{"content":"Idi\u00f6t!"}}]})",
                     R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})",
                     R"({"choices":[],"usage":{"total_tokens":9}})", "[DONE]"}),
            "You Idiöt!");
}

TEST(StreamedText, IsWhatTheTextsOfACompletionAddUpTo) {
  EXPECT_EQ(text_of({R"({"choices":[{"text":"Have a ","index":0}]})", R"({"choices":[{"text":"nice day."}]})"}),
            "Have a nice day.");
}

TEST(StreamedText, IsOfTheFirstChoiceAlone) {
  EXPECT_EQ(text_of({R"({"choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"content":"first"}}]})",
                     R"({"choices":[{"index":1,"delta":{"content":"other"}}]})"}),
            "first");
}

TEST(StreamedText, IsNoneWhereNothingHasAPiece) {
  EXPECT_EQ(text_of({"[DONE]", "{", "", "7", R"({"choices":7})", R"({"choices":[7,null,"x"]})",
                     R"({"choices":[{"index":0,"delta":{"content":null,"tool_calls":[{}]}}]})",
                     R"({"choices":[{"index":"0","delta":{"content":"x"}}]})", R"({"choices":[{"delta":[],"text":7}]})",
                     R"({"type":"content_block_delta","delta":{"text":"x"}})"}),
            "(none)");
  EXPECT_EQ(text_of({R"({"choices":[{"delta":{"content":""}}]})"}), "");
}

TEST(StreamedText, ADeeplyNestedEventAddsNothing) {
  StreamedText text;
  text.add(R"({"choices":[{"delta":{"content":"a"}}],"x":)" + std::string(100, '[') + std::string(100, ']') + "}");
  EXPECT_FALSE(text.found());
}

}  // namespace
}  // namespace backstay::wire
