#include "gateway/body_form.hpp"

#include <gtest/gtest.h>

namespace backstay::gateway {
namespace {

using Packed = BodyForm::Packed;

constexpr std::string_view kBody = R"({"instances":[{"age":3}]})";
/// The same as Python's gzip.compress() makes it.
std::string packed_body() {
  constexpr char kBytes[] =
      "\037\213\010\000\000\000\000\000\002\003\253\126\312\314\053\056\111\314\113\116\055\126\262\212\256\126\112\114"
      "\117\125\262\062\256\215\255\005\000\122\350\121\311\031\000\000\000";
  return {kBytes, sizeof kBytes - 1};
}

TEST(UnpackBody, ReadsGzipAndLeavesWhatIsNotPackedAlone) {
  std::string room;
  EXPECT_EQ(unpacked(kBody, {}, room), kBody);
  EXPECT_EQ(unpacked(packed_body(), {Packed::kGzip, 0}, room), kBody);
  EXPECT_FALSE(unpacked(kBody, {Packed::kOther, 0}, room));
}

TEST(UnpackBody, TakesNoMoreMemoryThanItMayWhateverTheBodyClaims) {
  std::string room;
  std::string lies = packed_body();
  lies.replace(lies.size() - 4, 4, "\xff\xff\xff\x7f");
  EXPECT_FALSE(unpacked(lies, {Packed::kGzip, 0}, room));
  lies.replace(lies.size() - 4, 4, std::string("\x05\0\0\0", 4));
  EXPECT_FALSE(unpacked(lies, {Packed::kGzip, 0}, room)) << "it is longer than it says";
  EXPECT_FALSE(unpacked(packed_body().substr(0, 20), {Packed::kGzip, 0}, room));
  EXPECT_FALSE(unpacked("", {Packed::kGzip, 0}, room));
  EXPECT_LE(room.capacity(), kMaxUnpacked);
}

}  // namespace
}  // namespace backstay::gateway
