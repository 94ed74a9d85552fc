#pragma once

#include <functional>
#include <vector>

#include "services/check_rollout.hpp"
#include "services/records.hpp"

namespace backstay::services {

/// Whether a version behind an endpoint is running and answers.
using IsWarm = std::function<bool(const std::string& endpoint, const std::string& version)>;

/// A version that was stable on an endpoint before, and what speaks for a return to it.
struct ReturnTarget {
  std::string version;
  std::string unfit;           ///< Why it does not fit what is live, or is blocked; empty: it does.
  std::string not_releasable;  ///< Why it would not be released today: a gate, a rollback since; empty: it would.
  bool warm = false;           ///< It serves as soon as it is told to.
  std::string failed{};  ///< Why the last return to it from where the endpoint is came to nothing; empty: it didn't.
};

struct ReturnChoice {
  std::string version;   ///< Empty: there is none.
  std::string why;       ///< A sentence about the choice, or why there is none.
  std::string evidence;  ///< JSON: everything that was looked at.
  /// Of a version that has to be started: the warm one to return to should that fail. Empty: none fits.
  std::string instead;
};

/// Where an endpoint returns to when the version that it serves has to go: the newest of its former stable versions
/// that fits what is live, would be released today (`rules` are the endpoint's) and is warm; else the newest that fits
/// and would be released (it is warmed up first); else the newest that fits and is warm, or the newest that fits. What
/// isn't warm and could not be brought back the last time comes after what has not been tried. One that does not fit is
/// never chosen, nor one that a person left for a version before it, unless it was released again since.
Result<ReturnChoice> choose_return(const Records& records, const EndpointRecord& record, const ReleaseRules& rules,
                                   const IsWarm& is_warm);

/// The pure part. `targets`: newest first.
ReturnChoice choose_among(const std::vector<ReturnTarget>& targets, const std::string& leaves);

}  // namespace backstay::services
