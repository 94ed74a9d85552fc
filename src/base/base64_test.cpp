#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Base64, WritesAndReadsTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text).value(), bytes);
  }
}

TEST(Base64, ReadsEveryByteBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t size = 250; size <= 256; ++size)
    EXPECT_EQ(from_base64(to_base64(bytes.substr(0, size))).value(), bytes.substr(0, size));
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Zg=", "Zg", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm-_", "====", "Zg==Zg==", "Z===", "Zm=v"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace backstay
