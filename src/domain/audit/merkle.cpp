#include "domain/audit/merkle.hpp"

#include <fmt/format.h>

#include <bit>

namespace backstay::audit {

namespace {

/// The largest power of two below n; n > 1.
std::uint64_t split(std::uint64_t n) {
  return std::bit_floor(n - 1);
}

/// The root of `count` leaves from `begin`, which is a multiple of the power of two at or above count.
Result<Digest> subtree(std::uint64_t begin, std::uint64_t count, const ReadNode& read) {
  if (std::has_single_bit(count)) {
    const auto level = static_cast<std::uint32_t>(std::countr_zero(count));
    return read({level, begin >> level});
  }
  const std::uint64_t left_count = split(count);
  TRY(const Digest left, subtree(begin, left_count, read));
  TRY(const Digest right, subtree(begin + left_count, count - left_count, read));
  return node_hash(left, right);
}

Unexpected wrong(std::string what) {
  return Unexpected(ErrorCode::kIntegrity, std::move(what),
                    "Keep the proof as it is: the log, or the proof on its way here, was changed.");
}

}  // namespace

Digest leaf_hash(std::string_view entry) {
  return sha256({std::string_view("\0", 1), entry});
}

Digest node_hash(const Digest& left, const Digest& right) {
  const auto text = [](const Digest& digest) {
    return std::string_view(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  };
  return sha256({"\1", text(left), text(right)});
}

Digest empty_root() {
  return sha256("");
}

Result<Digest> CompactRange::peak(std::uint32_t level) {
  std::optional<Digest>& held = peaks_[level];
  if (!held) {
    TRY(held, read_({level, (size_ >> level) - 1}));
  }
  return *held;
}

Result<std::vector<Digest>> CompactRange::append(const Digest& leaf) {
  std::vector<Digest> completed{leaf};
  std::uint32_t level = 0;
  for (; (size_ >> level & 1) != 0; ++level) {
    TRY(const Digest left, peak(level));
    completed.push_back(node_hash(left, completed.back()));
  }
  for (std::uint32_t merged = 0; merged < level; ++merged) peaks_[merged].reset();
  peaks_[level] = completed.back();
  ++size_;
  return completed;
}

Result<Digest> CompactRange::root() {
  std::optional<Digest> whole;
  // Every peak at a level is at that place until it is merged, so peak() computes the right index for each.
  for (std::uint32_t level = 0; level < 64; ++level) {
    if ((size_ >> level & 1) == 0) continue;
    TRY(const Digest left, peak(level));
    whole = whole ? node_hash(left, *whole) : left;
  }
  return whole ? *whole : empty_root();
}

Result<Digest> root_of(std::uint64_t size, const ReadNode& read) {
  if (size == 0) return empty_root();
  return subtree(0, size, read);
}

Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size, const ReadNode& read) {
  if (index >= size)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("A log of {} entries has no entry {}.", size, index + 1),
                      "Take a newer checkpoint, or an earlier entry.");
  // From the root down; each step leaves the half that the leaf is not in.
  std::vector<Digest> proof;
  std::uint64_t begin = 0;
  for (std::uint64_t count = size; count > 1;) {
    const std::uint64_t left = split(count);
    const bool in_left = index - begin < left;
    TRY(const Digest sibling, subtree(in_left ? begin + left : begin, in_left ? count - left : left, read));
    proof.push_back(sibling);
    if (!in_left) begin += left;
    count = in_left ? left : count - left;
  }
  return std::vector<Digest>(proof.rbegin(), proof.rend());
}

Result<std::vector<Digest>> consistency_proof(std::uint64_t from, std::uint64_t to, const ReadNode& read) {
  if (from > to)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("A log of {} entries does not extend one of {}.", to, from),
                      "Name the older checkpoint first.");
  std::vector<Digest> proof;
  if (from == 0 || from == to) return proof;
  // SUBPROOF: down to where the old tree's right edge ends.
  std::uint64_t begin = 0;
  std::uint64_t count = to;
  std::uint64_t old = from;
  while (old != count) {
    const std::uint64_t left = split(count);
    const bool in_left = old <= left;
    TRY(const Digest sibling, subtree(in_left ? begin + left : begin, in_left ? count - left : left, read));
    proof.push_back(sibling);
    if (!in_left) {
      begin += left;
      old -= left;
    }
    count = in_left ? left : count - left;
  }
  // Whoever verifies knows the old root; only another subtree has to be told.
  if (begin != 0) {
    TRY(const Digest edge, subtree(begin, count, read));
    proof.push_back(edge);
  }
  return std::vector<Digest>(proof.rbegin(), proof.rend());
}

Result<void> verify_inclusion(const Digest& leaf, std::uint64_t index, const TreeHead& tree,
                              const std::vector<Digest>& proof) {
  if (index >= tree.size) return wrong(fmt::format("A log of {} entries has no entry {}.", tree.size, index + 1));
  std::uint64_t node = index;
  std::uint64_t last = tree.size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return wrong("The inclusion proof has more hashes than the tree has levels.");
    if ((node & 1) != 0 || node == last) {
      hash = node_hash(sibling, hash);
      // Levels at which the right edge has no sibling.
      for (; (node & 1) == 0 && node != 0; node >>= 1, last >>= 1) {
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  if (last != 0) return wrong("The inclusion proof has fewer hashes than the tree has levels.");
  if (hash != tree.root)
    return wrong(fmt::format("Entry {} is not in the log that the checkpoint stands for.", index + 1));
  return {};
}

Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer, const std::vector<Digest>& proof) {
  if (older.size > newer.size) return wrong("The newer checkpoint has fewer entries than the older one.");
  if (older.size == 0 || older.size == newer.size) {
    if (!proof.empty()) return wrong("The consistency proof has hashes where none are needed.");
    if (older.size == 0 ? older.root != empty_root() : older.root != newer.root)
      return wrong("Two checkpoints of the same size have different roots.");
    return {};
  }
  std::vector<Digest> path = proof;
  if (std::has_single_bit(older.size)) path.insert(path.begin(), older.root);
  if (path.empty()) return wrong("The consistency proof is empty.");
  std::uint64_t node = older.size - 1;
  std::uint64_t last = newer.size - 1;
  for (; (node & 1) != 0; node >>= 1) last >>= 1;
  Digest old_root = path.front();
  Digest new_root = path.front();
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (last == 0) return wrong("The consistency proof has more hashes than the tree has levels.");
    if ((node & 1) != 0 || node == last) {
      old_root = node_hash(path[i], old_root);
      new_root = node_hash(path[i], new_root);
      for (; (node & 1) == 0 && node != 0; node >>= 1) last >>= 1;
    } else {
      new_root = node_hash(new_root, path[i]);
    }
    node >>= 1;
    last >>= 1;
  }
  if (last != 0) return wrong("The consistency proof has fewer hashes than the tree has levels.");
  if (old_root != older.root || new_root != newer.root)
    return wrong("The newer log does not begin with everything that the older one held.");
  return {};
}

}  // namespace backstay::audit
