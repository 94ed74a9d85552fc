#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "domain/rollout/rollout.hpp"
#include "ports/ledger.hpp"

namespace backstay::services {

/// What a rollout's effects act on. Every call may be repeated.
class RolloutWorld {
 public:
  virtual ~RolloutWorld() = default;
  virtual void set_traffic(const std::string& endpoint, const traffic::Split& split) = 0;
  virtual void ensure_backend(const std::string& endpoint, const std::string& version) = 0;
  virtual void release_backend(const std::string& endpoint, const std::string& version) = 0;
  virtual void reset_guardrails(const std::string& endpoint) = 0;
  virtual void rearm_guardrails(const std::string& endpoint) = 0;
  /// See rollout::RestoreGuardrails.
  virtual void restore_guardrails(const std::string& endpoint) = 0;
};

/// Makes transitions durable without blocking the caller. `done` is called later, on the driver's thread, in order.
class CommitQueue {
 public:
  using Done = std::function<void(Result<void>)>;
  virtual ~CommitQueue() = default;
  virtual void submit(const rollout::Transition& transition, const std::string& model, Done done) = 0;
};

/// Who orders a release, and why.
struct ReleaseOrder {
  std::string actor;
  std::string reason;
  bool forced = false;  ///< Although it was taken back so often of late that it should wait (check_damping).
  /// The endpoint's guardrails (wire/policy_json.hpp): the log says what was to decide. Empty: not told.
  std::string policy{};
};

/// Where an endpoint returns to when no rollout is under way; without a version: to its standby.
struct Destination {
  std::string version;
  std::string evidence = "{}";  ///< JSON: why this one.
  std::string instead{};        ///< A warm version, should the backend of this one not start. Empty: none.
  /// What a rollback led to is not ready: this return is the rest of it, and the same order again asks for nothing
  /// more.
  bool completes_rollback = false;
};

/// Whether a rollback that is ordered after `latest` is the same order again: what it was to leave was left, and nobody
/// meant to go further back. Not after a return that failed, nor after one that nobody ordered.
/// Nor after a while: whoever orders a rollback days later means what serves then.
bool is_rolled_back(const rollout::State& latest, Timestamp now);

/// Runs every endpoint's rollout: feeds events to the pure function, performs its effects in their fixed order
/// (before_commit, commit, after_commit) and keeps trying until a transition is durable. Taking traffic from a
/// candidate never waits, not even for a commit that is under way. One thread; `world`, `commits` and `clock` outlive
/// it.
class RolloutDriver {
 public:
  /// Called when what was asked for is durable, or why it isn't.
  using Done = std::function<void(Result<void>)>;

  RolloutDriver(RolloutWorld& world, CommitQueue& commits, const Clock& clock)
      : world_(world), commits_(commits), clock_(clock) {}

  /// An endpoint as the store knows it: brings traffic and backends to where they were, the rollout too when `latest`
  /// is still under way. A finished one is wanted as well: a rollback that is repeated after a restart must be known.
  /// `ready_timeout`: how long a return waits for the backend of the version that it leads to. `policy`: as
  /// ReleaseOrder has it; when it is another one than before, the log says so. `calendar`: the endpoint's.
  void load(const EndpointRecord& record, const std::optional<rollout::State>& latest, std::uint64_t next_number,
            milliseconds ready_timeout = rollout::Plan().ready_timeout, const std::string& policy = "",
            const rollout::Calendar& calendar = {});

  /// Starts a rollout to `candidate`; kConflict while another one is under way. One that has just ended is waited for
  /// until its end is durable; kConflict when a guardrail took this candidate back in it: whoever checked it for this
  /// order could not know.
  void start(const std::string& endpoint, const std::string& candidate, const rollout::Plan& plan,
             const ReleaseOrder& order, Done done);

  /// Feeds an event to the endpoint's active rollout; kFailedPrecondition when there is none.
  void handle(const std::string& endpoint, const rollout::Event& event, Done done = {});

  using Target = Destination;
  /// Rolls the active rollout back; with none under way, returns the endpoint to `target`. Repeating it is fine
  /// (is_rolled_back): a return that is under way is waited for, one that failed is tried again. A rollout whose end
  /// isn't durable yet is still rolled back.
  void roll_back(const std::string& endpoint, const std::string& actor, const std::string& reason, Done done,
                 const Target& target = {});
  /// Leaves stable for `target`, which is warmed up first if need be, also after a rollout that was rolled back.
  /// A rollback that isn't durable yet is waited for. kConflict while anything else is under way, or when the endpoint
  /// has just returned to stable itself.
  void leave_stable(const std::string& endpoint, const Target& target, const std::string& actor,
                    const std::string& reason, Done done);

  /// Like roll_back(), for whoever says which version is to serve: stable while a rollout is under way (kConflict
  /// otherwise), else the standby version, also after a rollout that was rolled back, when roll_back() stays on stable.
  void return_to(const std::string& endpoint, const std::string& version, const std::string& actor,
                 const std::string& reason, Done done);

  /// Time passes: steps advance, failed commits are tried again.
  void tick(const std::string& endpoint, const rollout::Tick& tick);

  /// The endpoint's latest rollout as it is in force: a rollback from when it is decided, everything else from when it
  /// is durable. nullptr: there was none.
  const rollout::State* latest(const std::string& endpoint) const;
  /// The endpoint's latest rollout as decided; the store may be a moment behind. nullptr: there was none.
  const rollout::State* decided(const std::string& endpoint) const;
  /// The same while it is under way, else nullptr.
  const rollout::State* active(const std::string& endpoint) const;
  /// Whether it was loaded. The other functions want endpoints that were.
  bool knows(const std::string& endpoint) const { return endpoints_.contains(endpoint); }
  const EndpointRecord& record(const std::string& endpoint) const { return endpoints_.at(endpoint).record; }
  /// Why the newest decision is not durable yet; empty when it is.
  std::string trouble(const std::string& endpoint) const;
  /// Decisions that are not durable yet.
  std::size_t pending(const std::string& endpoint) const { return endpoints_.at(endpoint).pending.size(); }

 private:
  struct Pending {
    rollout::Transition transition;
    std::optional<rollout::State> before;  ///< Where it came from, in case it can't be stored or is withdrawn.
    Done done;
  };
  /// Where a return goes when the version that it leads to can't be started.
  struct SecondTry {
    std::string version;
    std::string actor;
    std::string reason;
  };
  struct Endpoint {
    EndpointRecord record;
    milliseconds ready_timeout{0};  ///< Of returns.
    std::optional<SecondTry> second_try;
    std::string completes_rollback;  ///< The return that does; empty: none.
    std::uint64_t next_number = 1;
    std::optional<rollout::State> rollout;
    std::deque<Pending> pending;                     ///< The front is being committed, or waits for its next try.
    Done on_final;                                   ///< Waits for the end of the rollout to be durable.
    std::vector<std::function<void()>> after_write;  ///< Orders that wait for what the write of the end comes to.
    bool committing = false;
    std::optional<Monotonic> retry_at;
    unsigned failures = 0;
    std::string trouble;
    /// Both clocks as they were last looked at, while a rollout is under way.
    std::optional<std::pair<Timestamp, Monotonic>> clocks{};
  };

  /// Tells the rollout when the time of day was set.
  void follow_clock(Endpoint& endpoint);

  /// Goes on with the other version when a return has failed; false: there is nothing else to try.
  bool try_instead(Endpoint& endpoint, const rollout::State& ended);
  static rollout::State return_of(const Endpoint& endpoint, const std::string& version);
  /// `fresh` has candidate and plan, and whether it is a return or forced.
  void begin(Endpoint& endpoint, rollout::State fresh, const std::string& actor, const std::string& reason,
             const std::string& evidence, Done done);
  void begin_return(Endpoint& endpoint, const Target& target, const std::string& actor, const std::string& reason,
                    Done done);
  /// A rollback that is ordered now is the same order again (is_rolled_back).
  bool was_ordered(const Endpoint& endpoint) const;
  /// Takes the end of a rollout back, and leaves it where it was before, unless the end is being written.
  static bool withdraw_end(Endpoint& endpoint);
  void apply(Endpoint& endpoint, rollout::Transition transition, Done done);
  void perform(const std::string& endpoint, const rollout::Effect& effect);
  static void answer_when_stored(Endpoint& endpoint, Done done);
  void commit_next(Endpoint& endpoint);
  void committed(const std::string& name, const Result<void>& result);
  void stored(Endpoint& endpoint);
  void not_stored(Endpoint& endpoint, const Result<void>& result);
  void after_commit(Endpoint& endpoint, const rollout::Transition& transition);

  RolloutWorld& world_;
  CommitQueue& commits_;
  const Clock& clock_;
  std::map<std::string, Endpoint> endpoints_;
};

}  // namespace backstay::services
