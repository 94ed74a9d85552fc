#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "notify/target.hpp"
#include "ports/ledger.hpp"

namespace backstay::notify {

/// How often, and how far apart, a message is tried.
struct Patience {
  unsigned tries = 8;
  milliseconds first_pause{1'000};  ///< Doubled from one try to the next,
  milliseconds longest_pause{300'000};
};
/// Before try `number` + 1, counted from 1.
milliseconds pause_after(const Patience& patience, unsigned number);

/// Tells every target, on a thread of its own, of the audit log's entries that it wants, in their order, each at least
/// once: what is told twice has the same id. A target that was never told before hears of what comes from now on. A
/// message that can't be delivered is kept as a dead letter, and the next one's turn comes; while a target is down its
/// messages are tried once each.
class Dispatcher {
 public:
  struct Ports {
    const AuditLog& audit;
    NotificationStore& store;
    const Messenger& messenger;
    const Clock& clock;
    /// The commit that a version of the endpoint's model was made from; empty: not known.
    std::function<std::string(const std::string& endpoint, const std::string& version)> commit_of;
  };
  Dispatcher(Ports ports, std::vector<Target> targets, Patience patience = {});
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void start();
  /// There may be something new. Never blocks for long: callable from anywhere.
  void wake();
  /// What was not delivered until now is delivered by the next process.
  void stop();

 private:
  void run(const Target& target);
  Result<void> turn(const Target& target, bool& down);
  /// Sends until it is delivered, refused, or tried often enough.
  Delivery insist(const Target& target, const wire::Notice& notice, unsigned tries);
  Result<void> resend_due(const Target& target, bool& down);
  Result<std::optional<wire::Notice>> wanted(const Target& target, const audit::Entry& entry) const;
  /// False: stopped meanwhile.
  bool wait(milliseconds longest);

  Ports ports_;
  const std::vector<Target> targets_;
  const Patience patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t woken_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace backstay::notify
