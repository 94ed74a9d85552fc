#include "domain/guardrails/tensor_element.hpp"

#include <gtest/gtest.h>

namespace backstay::guardrails {
namespace {

TEST(TensorElement, IsANameAndAnIndexInEachDimension) {
  EXPECT_EQ(TensorElement::parse("score").value(), (TensorElement{"score", {}}));
  EXPECT_EQ(TensorElement::parse("scores[3]").value(), (TensorElement{"scores", {3}}));
  EXPECT_EQ(TensorElement::parse("a b.c[0, 12,7]").value(), (TensorElement{"a b.c", {0, 12, 7}}));
}

TEST(TensorElement, RefusesWhatIsNone) {
  for (const char* text : {"", "[1]", "a[", "a[]", "a[1", "a[1]x", "a[-1]", "a[1,]", "a[1;2]", "a[1][2]", "a]",
                           "a[99999999999999999999]", "a[0,0,0,0,0,0,0,0,0]"})
    EXPECT_FALSE(TensorElement::parse(text)) << text;
}

}  // namespace
}  // namespace backstay::guardrails
