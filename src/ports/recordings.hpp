#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/traffic/outcome.hpp"

/// What a rollout's guardrails were shown, in the order they were shown it: enough to decide the rollout again, with
/// the same policy (and to the same bit) or with another one.
namespace backstay {

/// One thing that a rollout's guardrails were shown.
struct Observation {
  enum class Kind : std::uint8_t {
    kOutcome,     ///< `outcome`.
    kLabel,       ///< `label` arrived for `outcome` at `at`.
    kReset,       ///< What was seen so far no longer counts: the experiment numbered `epoch` began.
    kReport,      ///< A user complained about `outcome` at `at`.
    kConversion,  ///< A user did what was hoped for after `outcome`, at `at`.
    kVerdict,     ///< `label` is what the policy's examiner `examiner` says of `outcome`, at `at`.
    kRearm,       ///< A further step began: guardrails that flagged or paused look anew.
  };
  Kind kind = Kind::kOutcome;
  bool candidate = false;  ///< Whose outcome it is: the candidate's, or stable's.
  double pi = 0;           ///< The chance that the request had of going to the candidate.
  double label = 0;        ///< kLabel, kVerdict.
  /// Of what is told of an outcome. An outcome has its own. Times are by the rollout's clock (monitor::RolloutClock).
  Monotonic at;
  std::size_t epoch = 0;      ///< kReset: see rollout::new_epoch. Not kept of others.
  std::uint8_t examiner = 0;  ///< kVerdict: see monitor::ValuePlan.
  traffic::Outcome outcome;   ///< `endpoint` and `version` are not kept: they are numbers of one process.
};

class RecordingStore {
 public:
  virtual ~RecordingStore() = default;

  /// Begins a rollout's recording, or goes on with it after a restart; one that has ended whole is of another rollout
  /// that had the same id and never was, and is begun anew. `policy` says which guardrails look on from here
  /// (wire/policy_json.hpp); they begin with nothing seen. kInvalidArgument for an id that is no file name.
  virtual Result<void> begin(const std::string& rollout, const std::string& policy) = 0;
  /// Goes on with it after a restart: the same guardrails look on with what was recorded so far.
  virtual Result<void> resume(const std::string& rollout) = 0;
  /// Adds to the end; it outlives the process when this returns, and a power failure once the recording has ended.
  /// kResourceExhausted when the recording is as long as it may be: it ends there.
  virtual Result<void> append(const std::string& rollout, const std::vector<Observation>& observations) = 0;
  /// The process ends in good order while the rollout is under way: nothing is missing up to here.
  virtual Result<void> suspend(const std::string& rollout) = 0;
  /// Nothing more comes. `why`: a sentence when something is missing at the end, else empty.
  virtual Result<void> end(const std::string& rollout, const std::string& why) = 0;

  struct Reader {
    std::function<Result<void>(const std::string& policy)> policy;
    std::function<void(const Observation&)> observation;
    std::function<void()> resumed{};  ///< The server was started again here; may be empty.
  };
  /// All of it, in order. kNotFound: this rollout was not recorded, or the recording was removed to make room.
  /// `complete` is false when something may be missing at the end: the limit was reached, the server was killed, or the
  /// rollout is under way.
  struct Recorded {
    bool complete = true;
    std::string why_not;   ///< A sentence.
    bool damaged = false;  ///< Not complete because bytes are not what was written.
  };
  virtual Result<Recorded> read(const std::string& rollout, const Reader& reader) const = 0;
};

}  // namespace backstay
