#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/rollout/rollout.hpp"

/// Against flapping: what was taken back again and again is left alone for a while, longer each time, unless a person
/// says otherwise.
namespace backstay::rollout {

struct DampingRule {
  std::chrono::hours within{24};     ///< What was taken back longer ago than this doesn't count.
  unsigned of_version = 3;           ///< From this many times on a version waits,
  unsigned of_endpoint = 6;          ///< and an endpoint, whichever the versions were.
  std::chrono::hours first_wait{1};  ///< Since it was last taken back; doubles with each further time.
  std::chrono::hours longest_wait{24};
};

struct Damping {
  Timestamp until;     ///< No release before this.
  std::string reason;  ///< "1.1.0 was taken back 3 times within 24 hours, last in diagnosis-7"
};

/// Whether a release of `candidate` has to wait at `now`. `history` is of the endpoint's rollouts, in any order. What
/// took traffic from a version for its own sake counts: a rollback of it, and a person's return from it to a former
/// one. Not what never got ready, a return that failed, nor what had to go because something that it needs was rolled
/// back.
std::optional<Damping> damped(const std::vector<State>& history, const std::string& candidate, Timestamp now,
                              const DampingRule& rule = {});

}  // namespace backstay::rollout
