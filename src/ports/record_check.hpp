#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay {

/// A record that is not what was recorded.
struct RecordProblem {
  std::string table;
  std::string row;   ///< "m@1.0.0", "entry 17", "endpoint diagnosis"; empty when the table as a whole is meant.
  std::string what;  ///< A sentence.
};

/// Holds every record against the audit log and against what it was derived from.
class RecordCheck {
 public:
  virtual ~RecordCheck() = default;
  /// Everything that is wrong, in the order of tables. Fails only when the database can't be read at all.
  virtual Result<std::vector<RecordProblem>> check_records() const = 0;
  /// How many entries of the audit log another copy of the same records has beyond the newest here: with what came
  /// with them they were lost.
  virtual Result<std::uint64_t> missing_beside(const std::string& copy) const = 0;
  /// Restores from another copy of the same records what it has and what was changed here, and derives anew what
  /// follows from that; what was recorded after the copy was made stays. All or nothing: kIntegrity, with nothing
  /// changed, when something would still be wrong afterwards, when the copy itself is damaged, or when it is of another
  /// registry. Adds an audit entry. `copy` is as the adapter names one.
  virtual Result<void> repair_records(const std::string& copy, const std::string& actor) = 0;
};

}  // namespace backstay
