#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/checker.hpp"
#include "sim/release_checker.hpp"
#include "sim/server.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// The people: give the scenario's orders, wait for answers, and ask again when the server went away without one. What
/// they order is checked against the store first, as the control API does it. They never start what is stable already,
/// as far as the store knew when they asked.
class Operators {
 public:
  using CheckerOf = std::function<Checker&(const std::string& endpoint)>;
  Operators(World& world, CheckerOf checker_of, ReleaseChecker& releases)
      : world_(world), checker_of_(std::move(checker_of)), releases_(releases) {}

  /// Nobody to talk to: `server` is nullptr.
  void order(Server* server, const OperatorOrder& order);
  void server_is_back(Server& server);
  void server_is_gone();
  /// After each event: looks at the answers.
  void read_answers();
  bool waiting() const { return !open_.empty() || !unheard_.empty(); }
  /// Starts that the store had something against.
  unsigned refused() const { return refused_; }

 private:
  using Record = std::shared_ptr<OrderRecord>;
  /// Does what speaks for a release: restores it, measures it, judges it.
  void prepare(const registry::VersionRef& ref);
  Result<void> check_start(const OperatorOrder& order);
  /// Where a rollback leads if no rollout is under way.
  services::Destination choose(const Server& server, const std::string& endpoint) const;
  void give(Server& server, const Record& record, const services::Destination& target);
  void roll_back(Server& server, const Record& record, const services::Destination& target);

  World& world_;
  CheckerOf checker_of_;
  ReleaseChecker& releases_;
  std::vector<Record> open_;            ///< Given, not answered.
  std::vector<OperatorOrder> unheard_;  ///< To be given again.
  unsigned count_ = 0;
  unsigned refused_ = 0;
};

}  // namespace backstay::sim
