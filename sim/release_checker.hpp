#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/server.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// A promise that was broken; ends the run.
struct Violation {
  std::string what;
};
[[noreturn]] void fail(World& world, const std::string& promise, const std::string& what);

/// Watches what is released and where endpoints go: what must not be released again, what needs what, and which version
/// a rollback and a return lead to. Keeps its own account, from what was committed and from the audit log.
class ReleaseChecker {
 public:
  explicit ReleaseChecker(World& world) : world_(world) {}

  /// One that was durable before may be told again.
  void committed(const rollout::State& state, bool forced);
  void after_event(const Server& server);
  /// What an operator's rollback is going to return to, chosen now.
  void check_choice(const Server& server, const std::string& endpoint, const std::string& version) const;
  void settled();

 private:
  struct Endpoint {
    std::string stable;
    std::string standby;
    std::optional<rollout::State> newest;
    std::set<std::string> served;        ///< Were stable.
    std::set<std::string> left_by_hand;  ///< By a return that a person ordered, and not served since.
    std::vector<std::string> taken_back;
    /// Since the newest rollout was rolled back: from when on stable is ready, or isn't, and the standby is.
    std::optional<microseconds> stable_ready, stable_not_ready, standby_ready;
    bool recovered = false;  ///< Stable was ready for long enough: what comes after that is another incident.
  };
  /// What is known of a version since a guardrail took it back.
  struct Since {
    bool measured = false;
    bool judged = false;
  };
  /// A version lost what it needs to a rollback.
  struct Lost {
    std::string endpoint;
    std::string version;
    std::uint64_t log_size = 0;
  };

  void read_log();
  void check_start(const rollout::State& state, bool forced) const;
  void take_end(const rollout::State& state);
  /// What the rollback of a version of the first endpoint's takes from others.
  void take_losses(const rollout::State& state);
  bool is_live(const std::string& needs) const;
  bool has_what_it_needs(const std::string& version) const;
  bool is_good(const Server& server, const std::string& endpoint, const std::string& version) const;
  bool answered(const Lost& lost) const;

  World& world_;
  std::map<std::string, Endpoint> endpoints_;
  std::map<std::string, Since> taken_back_;  ///< By guardrails, not released since; by version.
  std::vector<Lost> lost_;
  std::vector<audit::Entry> broken_;  ///< dependency.broken
  std::uint64_t read_up_to_ = 0;
};

}  // namespace backstay::sim
