#include "base/digest.hpp"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Digest, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, PiecesHashLikeTheWhole) {
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Digest, RefusesWhatIsNotLowerCaseHex) {
  EXPECT_EQ(Digest::from_hex(sha256("x").hex()).value(), sha256("x"));
  EXPECT_FALSE(Digest::from_hex("abc"));
  EXPECT_FALSE(Digest::from_hex(std::string(64, 'G')));
  EXPECT_FALSE(Digest::from_hex(std::string(64, 'A')));
}

}  // namespace
}  // namespace backstay
