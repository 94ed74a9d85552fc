#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/drift/comparison.hpp"

namespace backstay::drift {

/// What a ColumnWatch can't see, the relations of columns and embeddings, watched window by window. Window k, of those
/// with enough rows, may err with chance alpha 6 / (pi k)^2, divided among its tests (Bonferroni): over all windows
/// that ever come the chance of an alarm while nothing drifts stays below alpha. Each is told of once. Not thread-safe.
class WindowWatch {
 public:
  WindowWatch(const Profile& training, double alpha, std::set<std::string> ignored);

  /// Whether there is anything to watch.
  bool watches() const { return !training_.columns.empty() || training_.pairs.columns().size() > 1; }

  struct Alarms {
    std::vector<ColumnDrift> vectors;
    std::vector<PairDrift> pairs;
    bool empty() const { return vectors.empty() && pairs.empty(); }
  };
  /// Of a window that is over: what it shows for the first time.
  Alarms judge(const Profile& window);

 private:
  Profile training_;  ///< Only vectors and pairs.
  double alpha_;
  std::set<std::string> ignored_;
  std::uint64_t windows_ = 0;
  std::set<std::string> told_vectors_;
  std::set<std::pair<std::string, std::string>> told_pairs_;
};

}  // namespace backstay::drift
