#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "domain/drift/column_profile.hpp"

namespace backstay::drift {

/// Categories that kLeastShared rows of the training data share, so that telling how many of few live rows are of them
/// tells of nobody. A profile of a short time that is stored with them can be merged with others, and compared with the
/// training data, as if it told everything. A plain value.
class SharedCategories {
 public:
  SharedCategories() = default;
  explicit SharedCategories(const Profile& training);
  /// Of any column: predictions have other names than what they predict.
  bool contains(std::uint32_t category) const { return all_.contains(category); }
  /// Those that a column is compared by (Bins), ascending.
  const std::vector<std::uint32_t>& compared(const std::string& column) const;

 private:
  std::unordered_set<std::uint32_t> all_;
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> compared_;
};

}  // namespace backstay::drift
