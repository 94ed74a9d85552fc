#include "domain/audit/checkpoint.hpp"

#include <gtest/gtest.h>

namespace backstay::audit {
namespace {

// The example of https://c2sp.org/tlog-checkpoint.
constexpr const char* kExample =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

TEST(Checkpoint, IsReadAndWrittenAsC2spSays) {
  const auto checkpoint = parse_checkpoint(kExample);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->origin, "example.com/behind-the-sofa");
  EXPECT_EQ(checkpoint->tree.size, 20852163u);
  EXPECT_EQ(checkpoint->tree.root.hex().substr(0, 8), "0ac5186a");
  EXPECT_EQ(to_text(*checkpoint), kExample);
  EXPECT_TRUE(parse_checkpoint(std::string(kExample) + "an extension\n"));
}

TEST(Checkpoint, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "o\n", "o\n1\n", "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n18446744073709551616\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "o\n1\nCsUYapGG\n"})
    EXPECT_FALSE(parse_checkpoint(text)) << text;
}

TEST(Evidence, IsReadBackAsItWasWritten) {
  const InclusionEvidence inclusion{"the entry", 73894, {empty_root(), leaf_hash("x")}, "note\n\nsignature\n"};
  const auto read = parse_inclusion_evidence(to_text(inclusion));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entry, inclusion.entry);
  EXPECT_EQ(read->index, inclusion.index);
  EXPECT_EQ(read->proof, inclusion.proof);
  EXPECT_EQ(read->checkpoint, inclusion.checkpoint);
  EXPECT_FALSE(is_consistency_evidence(to_text(inclusion)));

  const ConsistencyEvidence consistency{"old\nnote\n", {leaf_hash("y")}, "new\nnote\n"};
  const auto again = parse_consistency_evidence(to_text(consistency));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->older, consistency.older);
  EXPECT_EQ(again->proof, consistency.proof);
  EXPECT_EQ(again->newer, consistency.newer);
  EXPECT_TRUE(is_consistency_evidence(to_text(consistency)));
}

TEST(Evidence, RefusesAProofThatIsCutOrTooLong) {
  InclusionEvidence evidence{"entry", 1, {empty_root()}, "note\n"};
  const std::string text = to_text(evidence);
  for (std::size_t size = 0; size < text.find("\n\n"); ++size)
    EXPECT_FALSE(parse_inclusion_evidence(text.substr(0, size))) << size;
  evidence.proof.assign(129, empty_root());
  EXPECT_FALSE(parse_inclusion_evidence(to_text(evidence)));
}

}  // namespace
}  // namespace backstay::audit
