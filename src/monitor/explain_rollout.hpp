#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/audit/entry.hpp"
#include "domain/rollout/rollout.hpp"
#include "monitor/replay.hpp"

namespace backstay::monitor {

/// A part of an explanation: sentences under a heading.
struct Passage {
  std::string heading;
  std::vector<std::string> sentences;
};

/// Why a rollout ended (or stands) as it does.
struct Explanation {
  std::string headline;
  std::vector<Passage> passages;
  /// The guardrail that decided, or came nearest to its limit: its evidence over time is the one to draw. Empty: there
  /// is no recording.
  std::string guardrail;
};

/// In sentences for a person. Pure. `entries`: the rollout's in the audit log, in order. `replayed`: nullopt when there
/// is no recording.
Explanation explain(const rollout::State& rollout, const std::vector<audit::Entry>& entries,
                    const std::optional<Replayed>& replayed);

/// What a replay with the recorded policy says of the decision that was made.
struct Agreement {
  enum class Kind {
    kSame,  ///< The same guardrail, at the same outcome, with the same evidence to the last bit; or none, as then.
    kCannotTell,  ///< The recording ends before the decision.
    kOther,
  };
  Kind kind = Kind::kSame;
  std::string sentence;
};
Agreement compare(const rollout::State& rollout, const Replayed& replayed);

/// The first crossing that takes a release back (or, when `action` is kPause or kFlag, does that); nullptr: none.
const Crossing* first_crossing(const Replayed& replayed, guardrails::Action action);

/// "1.6 s", "12 min 5 s"
std::string length_text(nanoseconds length);

}  // namespace backstay::monitor
