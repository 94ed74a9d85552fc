#include "sim/operators.hpp"

#include <algorithm>
#include <utility>

namespace backstay::sim {

namespace {

using Kind = OperatorOrder::Kind;

constexpr const char* kWho = "ann";

}  // namespace

void Operators::order(Server* server, const OperatorOrder& order) {
  if (server == nullptr) {
    unheard_.push_back(order);
    return;
  }
  if (order.kind == Kind::kStart && order.version == checker_.record().stable) return;
  const auto record = std::make_shared<OrderRecord>();
  record->order = order;
  record->number = ++count_;
  open_.push_back(record);
  // Between the check against the store and the loop's turn things may change.
  world_.timeline.after(microseconds(world_.random.below(3'000)), server->life(),
                        [this, server, record] { give(*server, record); });
}

void Operators::give(Server& server, const std::shared_ptr<OrderRecord>& record) {
  const OperatorOrder& order = record->order;
  services::RolloutDriver& driver = server.driver();
  world_.trace.line("order {}: {} {}", record->number, to_string(order.kind), order.version);
  const auto done = [record](const Result<void>& result) { record->answer = result; };
  switch (order.kind) {
    case Kind::kStart: driver.start(kEndpoint, order.version, order.plan, {kWho, "a better model"}, done); break;
    case Kind::kPause: driver.handle(kEndpoint, rollout::Pause{kWho, "let me look"}, done); break;
    case Kind::kResume: driver.handle(kEndpoint, rollout::Resume{kWho, "looks fine"}, done); break;
    case Kind::kPromote:
      checker_.promoted_by_hand();
      driver.handle(kEndpoint, rollout::Promote{kWho, "sure"}, done);
      break;
    case Kind::kApprove: driver.handle(kEndpoint, rollout::Approve{kWho, "go on"}, done); break;
    case Kind::kRollBack: roll_back(server, record); break;
    case Kind::kReturnTo: driver.return_to(kEndpoint, order.version, kWho, "complaints", done); break;
  }
  if (const rollout::State* latest = driver.decided(kEndpoint)) {
    record->rollout = latest->id;
    // A start that waits for the end of the rollout before it may get that one's number, if it could not be stored.
    record->revision = order.kind == Kind::kStart ? 1 : latest->revision;
  }
  world_.boundary.pass("after an order");
}

void Operators::roll_back(Server& server, const std::shared_ptr<OrderRecord>& record) {
  services::RolloutDriver& driver = server.driver();
  const rollout::State* active = driver.active(kEndpoint);
  const rollout::State* latest = driver.decided(kEndpoint);
  record->takes_back = active != nullptr && !active->revert;
  if (active != nullptr && active->revert) record->leaves = active->stable;
  if (latest != nullptr && latest->phase == rollout::Phase::kDone)
    record->leaves = latest->revert ? latest->stable : latest->candidate;
  // A return that failed is no answer to an order: the next one leaves what serves.
  const bool was_taken_back = checker_.newest() != nullptr &&
                              services::is_rolled_back(*checker_.newest(), world_.timeline.now()) &&
                              checker_.newest()->phase == rollout::Phase::kRolledBack && active == nullptr;
  driver.roll_back(kEndpoint, kWho, "complaints", [record](const Result<void>& result) { record->answer = result; });
  if (was_taken_back && driver.active(kEndpoint) != nullptr)
    checker_.fail("a rollback may be repeated", "repeating it took back what was stable before, too");
}

void Operators::read_answers() {
  for (const auto& record : open_) {
    if (!record->answer) continue;
    world_.trace.line("order {} answered: {}", record->number,
                      *record->answer ? "ok" : record->answer->error().message);
    checker_.answered(*record);
  }
  open_.erase(std::remove_if(open_.begin(), open_.end(), [](const auto& record) { return record->answer.has_value(); }),
              open_.end());
}

void Operators::server_is_gone() {
  read_answers();
  for (const auto& record : open_) unheard_.push_back(record->order);
  open_.clear();
}

void Operators::server_is_back(Server& server) {
  for (const OperatorOrder& again : std::exchange(unheard_, {})) {
    const bool worth_it = again.kind == Kind::kStart || again.kind == Kind::kRollBack || again.kind == Kind::kReturnTo;
    if (worth_it) order(&server, again);
  }
}

}  // namespace backstay::sim
