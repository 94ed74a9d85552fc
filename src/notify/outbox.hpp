#pragma once

#include <functional>
#include <optional>
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
  std::uint64_t tries_before_overtaking = 6;  ///< Then it may be the message: the next one is tried, too.
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
/// tried again after growing pauses; when it answers, everything that waits is sent at once. What the target refuses is
/// kept as a dead letter, and so is what waited too long. Not thread-safe.
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

  std::optional<milliseconds> must_wait() const;
  Result<bool> send_letters(const std::stop_token& stop);
  Result<bool> send_entries(const std::stop_token& stop);
  /// False: nothing more can be sent now.
  Result<bool> send(const Head& head, const std::stop_token& stop);
  /// Notes the failed try, and gives up what waited too long.
  Result<void> fail(const Head& head, const Delivery& delivery);
  /// True: the target takes the message after the one that it does not take.
  Result<bool> overtake(const Head& head, const Delivery& delivery, const std::stop_token& stop);
  Result<void> give_up_old(Timestamp oldest);
  Result<void> bury(const Head& head, const std::string& why);
  Result<void> note_answer();

  /// nullptr: the log ends before it. Valid until the next call.
  Result<const audit::Entry*> entry(std::uint64_t sequence);
  Result<std::optional<wire::Notice>> wanted(const audit::Entry& entry);
  /// The first that the target wants after `after`, which becomes the last that it doesn't.
  Result<std::optional<wire::Notice>> next_wanted(std::uint64_t& after);
  Result<std::uint64_t> told_up_to() const;

  const Ports& ports_;
  const Target& target_;
  const Patience& patience_;
  Random random_;
  std::optional<Trouble> trouble_;
  bool restarted_ = true;  ///< Nothing was tried by this process: something may have been mended.
  bool said_down_ = false;
  std::string log_;                 ///< The start of the hash of the log's first entry, which no other log has.
  std::vector<audit::Entry> page_;  ///< Of the log, which only grows.
};

}  // namespace backstay::notify
