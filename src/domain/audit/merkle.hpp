#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

/// The Merkle tree of RFC 6962 (and RFC 9162, which keeps its hashes) over the audit log: a root of 32 bytes that
/// stands for every entry, with short proofs that an entry is in it and that a later tree only added to an earlier one.
/// Pure; the tree's hashes are wherever ReadNode finds them.
namespace backstay::audit {

/// SHA-256(00 || entry): section 2.1.
Digest leaf_hash(std::string_view entry);
/// SHA-256(01 || left || right).
Digest node_hash(const Digest& left, const Digest& right);
/// Of the empty tree: SHA-256 of nothing.
Digest empty_root();

/// A complete subtree: 2^level leaves, the first of which is leaf index * 2^level (leaves count from 0). Once complete
/// it never changes.
struct NodeId {
  std::uint32_t level = 0;
  std::uint64_t index = 0;
  bool operator==(const NodeId&) const = default;
};
using ReadNode = std::function<Result<Digest>(NodeId)>;

/// The right edge of a growing tree (a "compact range"): the roots of the complete subtrees that make it up, of which
/// there is at most one per level. Those of the tree it starts from are read when they are first needed, so appending
/// reads one hash on average. Not thread-safe.
class CompactRange {
 public:
  /// The empty tree.
  CompactRange() = default;
  CompactRange(std::uint64_t size, ReadNode read) : size_(size), read_(std::move(read)) {}

  /// Adds a leaf; gives the hashes of the subtrees that it completes, by level: the leaf's own first.
  Result<std::vector<Digest>> append(const Digest& leaf);
  std::uint64_t size() const { return size_; }
  Result<Digest> root();

 private:
  Result<Digest> peak(std::uint32_t level);

  std::uint64_t size_ = 0;
  ReadNode read_;
  std::array<std::optional<Digest>, 64> peaks_{};
};

/// The root of the first `size` leaves. Reads at most log2(size) + 1 nodes.
Result<Digest> root_of(std::uint64_t size, const ReadNode& read);

/// PATH(index, D[size]) of section 2.1.1: from the leaf's sibling up. kInvalidArgument unless index < size.
Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size, const ReadNode& read);

/// PROOF(from, D[to]) of section 2.1.2; empty when from is 0 or `to`. kInvalidArgument when from > to.
Result<std::vector<Digest>> consistency_proof(std::uint64_t from, std::uint64_t to, const ReadNode& read);

/// A tree's size and root: what a checkpoint states.
struct TreeHead {
  std::uint64_t size = 0;
  Digest root;
  bool operator==(const TreeHead&) const = default;
};

/// RFC 9162, section 2.1.3.2: is this leaf the one at `index`? kIntegrity when it is not.
Result<void> verify_inclusion(const Digest& leaf, std::uint64_t index, const TreeHead& tree,
                              const std::vector<Digest>& proof);

/// RFC 9162, section 2.1.4.2: does `newer` begin with all of `older`? kIntegrity when it does not.
Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer, const std::vector<Digest>& proof);

}  // namespace backstay::audit
