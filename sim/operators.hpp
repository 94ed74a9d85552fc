#pragma once

#include <memory>
#include <vector>

#include "sim/checker.hpp"
#include "sim/server.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// The people: give the scenario's orders, wait for answers, and ask again when the server went away without one. They
/// never start what is stable already, as far as the store knew when they asked.
class Operators {
 public:
  Operators(World& world, Checker& checker) : world_(world), checker_(checker) {}

  /// Nobody to talk to: `server` is nullptr.
  void order(Server* server, const OperatorOrder& order);
  void server_is_back(Server& server);
  void server_is_gone();
  /// After each event: looks at the answers.
  void read_answers();
  bool waiting() const { return !open_.empty() || !unheard_.empty(); }

 private:
  void give(Server& server, const std::shared_ptr<OrderRecord>& record);
  void roll_back(Server& server, const std::shared_ptr<OrderRecord>& record);

  World& world_;
  Checker& checker_;
  std::vector<std::shared_ptr<OrderRecord>> open_;  ///< Given, not answered.
  std::vector<OperatorOrder> unheard_;              ///< To be given again.
  unsigned count_ = 0;
};

}  // namespace backstay::sim
