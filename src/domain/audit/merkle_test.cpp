#include "domain/audit/merkle.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <string>

namespace backstay::audit {
namespace {

// The inputs of Certificate Transparency's own test data, with its roots of the trees of 1 to 8 leaves.
const std::string kInputs[] = {
    std::string(),
    std::string("\x00", 1),
    std::string("\x10"),
    std::string("\x20\x21"),
    std::string("\x30\x31"),
    std::string("\x40\x41\x42\x43"),
    std::string("\x50\x51\x52\x53\x54\x55\x56\x57"),
    std::string("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"),
};
const char* const kRoots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

/// A tree whose nodes are all kept.
class Tree {
 public:
  void add(const std::string& entry) {
    const std::vector<Digest> completed = edge_.append(leaf_hash(entry)).value();
    for (std::size_t level = 0; level < completed.size(); ++level) {
      if (levels_.size() <= level) levels_.emplace_back();
      levels_[level].push_back(completed[level]);
    }
  }
  std::uint64_t size() const { return edge_.size(); }
  Digest edge_root() { return edge_.root().value(); }
  ReadNode reader() const {
    return [this](NodeId node) -> Result<Digest> {
      ++reads;
      if (node.level >= levels_.size() || node.index >= levels_[node.level].size())
        return Unexpected(ErrorCode::kNotFound, "no such node");
      return levels_[node.level][node.index];
    };
  }
  TreeHead head(std::uint64_t size) const { return {size, root_of(size, reader()).value()}; }
  const Digest& leaf(std::uint64_t index) const { return levels_[0][index]; }
  mutable int reads = 0;

 private:
  CompactRange edge_;
  std::vector<std::vector<Digest>> levels_;
};

Tree tree_of(std::uint64_t size) {
  Tree tree;
  for (std::uint64_t i = 0; i < size; ++i) tree.add("entry " + std::to_string(i));
  return tree;
}

/// MTH(D[n]) exactly as section 2.1 writes it.
Digest reference_root(const std::vector<Digest>& leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  const auto k = static_cast<std::ptrdiff_t>(std::bit_floor(leaves.size() - 1));
  return node_hash(reference_root({leaves.begin(), leaves.begin() + k}),
                   reference_root({leaves.begin() + k, leaves.end()}));
}

TEST(MerkleTree, HasTheRootsOfCertificateTransparencysTestData) {
  EXPECT_EQ(empty_root().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Tree tree;
  EXPECT_EQ(tree.edge_root(), empty_root());
  for (std::size_t i = 0; i < 8; ++i) {
    tree.add(kInputs[i]);
    EXPECT_EQ(tree.edge_root().hex(), kRoots[i]);
    EXPECT_EQ(tree.head(i + 1).root.hex(), kRoots[i]);
  }
}

TEST(MerkleTree, GivesTheProofsOfCertificateTransparencysTestData) {
  Tree tree;
  for (const std::string& input : kInputs) tree.add(input);
  const auto hexes = [](const std::vector<Digest>& proof) {
    std::vector<std::string> out;
    for (const Digest& digest : proof) out.push_back(digest.hex());
    return out;
  };
  EXPECT_EQ(hexes(inclusion_proof(5, 8, tree.reader()).value()),
            (std::vector<std::string>{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                                      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  EXPECT_EQ(hexes(inclusion_proof(2, 3, tree.reader()).value()),
            (std::vector<std::string>{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}));
  EXPECT_EQ(hexes(consistency_proof(6, 8, tree.reader()).value()),
            (std::vector<std::string>{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
  EXPECT_EQ(hexes(consistency_proof(2, 5, tree.reader()).value()),
            (std::vector<std::string>{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
}

constexpr std::uint64_t kSmall = 40;

TEST(MerkleTree, TheRootIsThatOfTheDefinitionForEverySize) {
  const Tree tree = tree_of(kSmall);
  std::vector<Digest> leaves;
  for (std::uint64_t size = 0; size <= kSmall; ++size) {
    EXPECT_EQ(tree.head(size).root, reference_root(leaves));
    CompactRange range(size, tree.reader());
    EXPECT_EQ(range.root().value(), tree.head(size).root);
    if (size < kSmall) leaves.push_back(tree.leaf(size));
  }
}

TEST(MerkleTree, GrowsFromAnyStoredSizeAsIfItHadNeverStopped) {
  const Tree tree = tree_of(kSmall);
  for (std::uint64_t start = 0; start <= kSmall; ++start) {
    CompactRange range(start, tree.reader());
    for (std::uint64_t i = start; i < kSmall; ++i) ASSERT_TRUE(range.append(tree.leaf(i)));
    EXPECT_EQ(range.root().value(), tree.head(kSmall).root);
  }
}

TEST(MerkleTree, EveryInclusionProofOfASmallTreeVerifiesAndNoChangedOneDoes) {
  const Tree tree = tree_of(kSmall);
  for (std::uint64_t size = 1; size <= kSmall; ++size) {
    const TreeHead head = tree.head(size);
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto proof = inclusion_proof(index, size, tree.reader()).value();
      // inner = bit length of index xor (size - 1); the rest are the ones of the index above it.
      const auto inner = static_cast<std::size_t>(std::bit_width(index ^ (size - 1)));
      ASSERT_EQ(proof.size(), inner + static_cast<std::size_t>(std::popcount(inner < 64 ? index >> inner : 0)));
      ASSERT_TRUE(verify_inclusion(tree.leaf(index), index, head, proof));
      for (std::size_t i = 0; i < proof.size(); ++i) {
        auto changed = proof;
        changed[i].bytes[index % 32] ^= 1;
        ASSERT_EQ(verify_inclusion(tree.leaf(index), index, head, changed).error().code, ErrorCode::kIntegrity);
        changed = proof;
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
        ASSERT_FALSE(verify_inclusion(tree.leaf(index), index, head, changed));
      }
      auto longer = proof;
      longer.push_back(head.root);
      ASSERT_FALSE(verify_inclusion(tree.leaf(index), index, head, longer));
      for (std::uint64_t other = 0; other < size; ++other) {
        if (other == index) continue;
        ASSERT_FALSE(verify_inclusion(tree.leaf(index), other, head, proof));
        ASSERT_FALSE(verify_inclusion(tree.leaf(other), index, head, proof));
      }
      ASSERT_FALSE(verify_inclusion(tree.leaf(index), size + index, head, proof));
    }
  }
}

TEST(MerkleTree, EveryConsistencyProofOfASmallTreeVerifiesAndNoChangedOneDoes) {
  const Tree tree = tree_of(kSmall);
  for (std::uint64_t to = 0; to <= kSmall; ++to) {
    for (std::uint64_t from = 0; from <= to; ++from) {
      const TreeHead older = tree.head(from);
      const TreeHead newer = tree.head(to);
      const auto proof = consistency_proof(from, to, tree.reader()).value();
      ASSERT_TRUE(verify_consistency(older, newer, proof)) << from << " " << to;
      TreeHead forged = older;
      forged.root.bytes[0] ^= 1;
      ASSERT_EQ(verify_consistency(forged, newer, proof).error().code, ErrorCode::kIntegrity);
      forged = newer;
      forged.root.bytes[31] ^= 1;
      // An empty log begins every log, whatever it is.
      if (from > 0) {
        ASSERT_FALSE(verify_consistency(older, forged, proof));
      }
      auto longer = proof;
      longer.push_back(newer.root);
      ASSERT_FALSE(verify_consistency(older, newer, longer));
      for (std::size_t i = 0; i < proof.size(); ++i) {
        auto changed = proof;
        changed[i].bytes[i % 32] ^= 0x80;
        ASSERT_FALSE(verify_consistency(older, newer, changed));
        changed = proof;
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
        ASSERT_FALSE(verify_consistency(older, newer, changed));
      }
      if (from > 0 && from < to) {
        ASSERT_FALSE(verify_consistency(newer, older, proof));
      }
    }
  }
}

TEST(MerkleTree, ARewrittenHistoryHasNoConsistencyProof) {
  const Tree honest = tree_of(21);
  Tree rewritten;
  for (std::uint64_t i = 0; i < 30; ++i) rewritten.add("entry " + std::to_string(i == 3 ? 1000 : i));
  const auto proof = consistency_proof(21, 30, rewritten.reader()).value();
  EXPECT_FALSE(verify_consistency(honest.head(21), rewritten.head(30), proof));
}

TEST(MerkleTree, AProofOfALargeLogReadsFewNodes) {
  const Tree tree = tree_of(100'000);
  tree.reads = 0;
  ASSERT_TRUE(inclusion_proof(77'777, 100'000, tree.reader()));
  EXPECT_LE(tree.reads, 34);
  tree.reads = 0;
  ASSERT_TRUE(consistency_proof(65'537, 99'999, tree.reader()));
  EXPECT_LE(tree.reads, 51);
  tree.reads = 0;
  CompactRange range(99'999, tree.reader());
  ASSERT_TRUE(range.append(tree.leaf(99'999)));
  EXPECT_EQ(tree.reads, 5);  // 99,999 ends in five ones.
}

TEST(MerkleTree, RefusesToProveWhatIsNotThere) {
  const Tree tree = tree_of(5);
  EXPECT_EQ(inclusion_proof(5, 5, tree.reader()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(consistency_proof(6, 5, tree.reader()).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace backstay::audit
