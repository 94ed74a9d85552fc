#pragma once

#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "notify/target.hpp"
#include "ports/ledger.hpp"
#include "ports/notifications.hpp"

namespace backstay::notify {

/// How often, how far apart and for how long what can't be delivered is tried.
struct Patience {
  milliseconds first_pause{1'000};  ///< Doubled from one try to the next,
  milliseconds longest_pause{120'000};
  milliseconds longest_wish{3'600'000};  ///< What a Retry-After counts at most.
  double jitter = 0.25;  ///< Of a pause, at most, on top: targets that fail together don't come together.
  milliseconds give_up_after = std::chrono::hours(24);
  std::uint64_t tries_before_telling = 3;     ///< Then the operator is told that a target is down.
  std::uint64_t tries_before_overtaking = 6;  ///< Then it may be the message: others are tried, too.
};
/// After try `number`, counted from 1, without jitter.
milliseconds pause_after(const Patience& patience, std::uint64_t number);

/// What telling targets needs from outside.
struct Ports {
  const AuditLog& audit;
  NotificationStore& store;
  const Messenger& messenger;
  const Clock& clock;
  /// The commit that a version of the endpoint's model was made from; empty: not known.
  std::function<std::string(const std::string& endpoint, const std::string& version)> commit_of;
  /// A line for the operator. Called by several threads.
  std::function<void(const std::string& line)> say;
};

/// What one target is still to be told: dead letters that someone wants sent again, then the audit log's entries after
/// the one it was told up to, in their order. The log is the queue: what waits takes no memory. Each is told at least
/// once, and what is told twice has the same id. While the target fails the others wait behind the first, which is
/// tried again after growing pauses; when it answers, everything that waits is sent at once. It may be the first
/// message that the target can't bear: so urgent ones are tried behind it from its first failure on, all others later,
/// and what comes new does not wait for the pause's end. When one is taken the first is tried once more, and set aside
/// when that was often enough. What the target refuses is kept as a dead letter, and so is what waited too long. Pauses
/// are measured, not read off the clock, and ages allow for its steps. Not thread-safe.
class Outbox {
 public:
  Outbox(const Ports& ports, const Target& target, const Patience& patience, std::uint64_t seed);

  /// Sends what can be sent now; gives when there may be something to send again, if nothing new comes before that:
  /// kLook at the most. Blocks while the target is asked, until `stop`.
  Result<milliseconds> turn(const std::stop_token& stop);

  /// Entries of other processes, and letters that someone wants sent again, wake nobody.
  static constexpr milliseconds kLook{2'000};

 private:
  /// The first thing that waits.
  struct Head {
    wire::Notice notice;
    bool letter = false;
  };

  /// The clock was set: what is before `found` on it was earlier by `by` than it says now.
  struct Step {
    Timestamp found;
    microseconds by{0};
  };

  std::optional<milliseconds> must_wait() const;
  Result<bool> send_letters(const std::stop_token& stop);
  Result<bool> send_entries(const std::stop_token& stop);
  /// False: nothing more can be sent now.
  Result<bool> send(const Head& head, const std::stop_token& stop);
  /// True: nothing is left to do for it, since it was told or refused.
  Result<bool> settle(const Head& head, const Delivery& delivery);
  Result<void> note_failure(const Head& head, const Delivery& delivery);
  Result<void> set_aside(const Head& head);
  /// Something came that may overtake: the head, too, is tried at once.
  Result<bool> may_end_pause();
  /// Has the target told of what may overtake the head, which failed. True: it took something, so it may be the head
  /// that it does not take.
  Result<bool> tell_ahead(const std::stop_token& stop);
  /// By sequence; `fresh`: of what came since it was looked at last.
  Result<std::vector<std::uint64_t>> who_may_overtake(bool fresh);
  /// Looks for what is urgent in what the log has now.
  Result<void> scan(std::uint64_t told);
  Result<void> give_up_old();
  Result<void> bury(const Head& head, const std::string& why);
  Result<void> note_answer();
  Result<void> note_clock();
  /// On the clock as it is now.
  Timestamp on_this_clock(Timestamp at) const;

  /// nullptr: the log ends before it. Valid until the next call.
  Result<const audit::Entry*> entry(std::uint64_t sequence);
  Result<std::optional<wire::Notice>> wanted(const audit::Entry& entry);
  /// The first that the target wants, and has not been told ahead, after `after`, which becomes the last before it.
  Result<std::optional<wire::Notice>> next_wanted(std::uint64_t& after);
  Result<std::uint64_t> told_up_to();

  const Ports& ports_;
  const Target& target_;
  const Patience& patience_;
  Random random_;
  std::optional<Trouble> trouble_;
  bool restarted_ = true;  ///< Nothing was tried by this process: something may have been mended.
  bool said_down_ = false;
  Monotonic next_try_;
  Timestamp noted_next_try_;  ///< As stored: another one was stored by someone who wants it tried now.
  bool left_alone_ = false;   ///< The target wants to be until the next try.
  std::optional<microseconds> ahead_of_monotonic_;  ///< How far the clock is.
  std::vector<Step> steps_;
  std::set<std::uint64_t> told_ahead_;  ///< Of what the target was not told up to.
  std::set<std::uint64_t> urgent_;      ///< Of what waits.
  std::uint64_t scanned_ = 0;
  std::uint64_t newest_ = 0;        ///< That the target wants.
  std::uint64_t seen_ = 0;          ///< What is after this is fresh.
  std::string log_;                 ///< The start of the hash of the log's first entry, which no other log has.
  std::vector<audit::Entry> page_;  ///< Of the log, which only grows.
};

}  // namespace backstay::notify
