#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "domain/drift/column_profile.hpp"

namespace backstay::drift {

/// The profile of a data set whose parts are also stored each for itself. What is stored of a part does not tell its
/// rare categories (kLeastShared), and those of many small parts may be most of the rows: so the whole is merged before
/// they are left out. Whoever subtracts the stored parts from the stored whole learns no more than either tells: of a
/// category that fewer than kLeastShared rows of the other parts have the whole only has bounds. Not thread-safe.
class WholeProfile {
 public:
  /// `part` as it is in memory, before anything is left out.
  void add(const Profile& part);
  std::size_t parts() const { return parts_; }
  /// As it may be stored; categories that all rows together don't share often enough are still in it.
  Profile profile() const;

 private:
  using Counts = std::map<std::uint32_t, std::uint64_t>;
  Profile whole_;
  std::map<std::string, Counts> told_;  ///< By column: what the stored parts tell of the whole's categories.
  std::size_t parts_ = 0;
};

}  // namespace backstay::drift
