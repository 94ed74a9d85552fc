#include "sim/operators.hpp"

#include <algorithm>
#include <utility>

#include "services/check_rollout.hpp"
#include "services/choose_return.hpp"

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
  if (order.kind == Kind::kStart && order.version == checker_of_(order.endpoint).record().stable) return;
  const auto record = std::make_shared<OrderRecord>();
  record->order = order;
  record->number = ++count_;
  open_.push_back(record);
  services::Destination target;
  if (order.kind == Kind::kStart) {
    if (const auto allowed = check_start(order); !allowed) {
      ++refused_;
      record->answer = allowed;
      return;
    }
  }
  if (order.kind == Kind::kRollBack) target = choose(*server, order.endpoint);
  // Between the check against the store and the loop's turn things may change.
  world_.timeline.after(microseconds(world_.random.below(3'000)), server->life(),
                        [this, server, record, target] { give(*server, record, target); });
}

void Operators::prepare(const registry::VersionRef& ref) {
  if (world_.disk.full()) return;
  MemoryLedger& ledger = world_.disk.ledger();
  const std::string stage = ledger.version(ref)->stage;
  if (stage == "Archived")
    static_cast<void>(ledger.move_stage(ref, stage, "Staging", {kWho, "version.restore", ref.str(), "again", "{}"}));
  static_cast<void>(ledger.add_scorecard(ref, {}, {kWho, "scorecard.add", ref.str(), "", "{}"}));
  StoredVerdict verdict;
  verdict.gate = "production";
  verdict.verdict = "PASS";
  static_cast<void>(ledger.add_verdict(ref, verdict, {kWho, "gate.verdict", ref.str(), "", "{}"}));
}

Result<void> Operators::check_start(const OperatorOrder& order) {
  const auto ref = registry::VersionRef::parse(order.endpoint + "@" + order.version).value();
  if (order.prepared) prepare(ref);
  if (world_.scenario.sabotage == Sabotage::kStoresUnchecked) return {};
  TRY_DO(services::check_rollout(world_.disk.records(), order.endpoint, ref));
  if (order.forced) return {};
  return services::check_damping(world_.disk.records(), order.endpoint, ref, world_.timeline.now());
}

services::Destination Operators::choose(const Server& server, const std::string& endpoint) const {
  const rollout::State* decided = server.driver().decided(endpoint);
  const services::RolloutDriver& driver = server.driver();
  // A candidate is left for stable, and the same order again changes nothing.
  const bool leaves_stable = driver.active(endpoint) == nullptr && driver.pending(endpoint) == 0 &&
                             (decided == nullptr || !services::is_rolled_back(*decided, world_.timeline.now()));
  const EndpointRecord record = server.driver().record(endpoint);
  if (!leaves_stable || record.standby.empty()) return {};
  const auto is_ready = [&](const std::string& name, const std::string& version) {
    return server.known().ready(name, version);
  };
  const auto choice = services::choose_return(world_.disk.records(), record, {}, is_ready).value();
  const bool anywhere = world_.scenario.sabotage == Sabotage::kReturnsAnywhere;
  const std::string version = anywhere ? world_.scenario.versions.back().version : choice.version;
  releases_.check_choice(server, endpoint, version);
  return {version, choice.evidence, choice.instead};
}

void Operators::give(Server& server, const Record& record, const services::Destination& target) {
  const OperatorOrder& order = record->order;
  const std::string& name = order.endpoint;
  services::RolloutDriver& driver = server.driver();
  world_.trace.line("order {}: {} {} at {}", record->number, to_string(order.kind), order.version, name);
  const auto done = [record](const Result<void>& result) { record->answer = result; };
  switch (order.kind) {
    case Kind::kStart:
      driver.start(name, order.version, order.plan, {kWho, "a better model", order.forced}, done);
      break;
    case Kind::kPause: driver.handle(name, rollout::Pause{kWho, "let me look"}, done); break;
    case Kind::kResume: driver.handle(name, rollout::Resume{kWho, "looks fine"}, done); break;
    case Kind::kPromote:
      checker_of_(name).promoted_by_hand();
      driver.handle(name, rollout::Promote{kWho, "sure"}, done);
      break;
    case Kind::kApprove: driver.handle(name, rollout::Approve{kWho, "go on"}, done); break;
    case Kind::kRollBack: roll_back(server, record, target); break;
    case Kind::kReturnTo: driver.return_to(name, order.version, kWho, "complaints", done); break;
  }
  if (const rollout::State* latest = driver.decided(name)) {
    record->rollout = latest->id;
    // A start that waits for the end of the rollout before it may get that one's number, if it could not be stored.
    record->revision = order.kind == Kind::kStart ? 1 : latest->revision;
  }
  world_.boundary.pass("after an order");
}

void Operators::roll_back(Server& server, const Record& record, const services::Destination& target) {
  const std::string& name = record->order.endpoint;
  const Checker& checker = checker_of_(name);
  services::RolloutDriver& driver = server.driver();
  const rollout::State* active = driver.active(name);
  const rollout::State* latest = driver.decided(name);
  record->takes_back = active != nullptr && !active->revert;
  if (active != nullptr && active->revert) record->leaves = active->stable;
  if (latest != nullptr && latest->phase == rollout::Phase::kDone)
    record->leaves = latest->revert ? latest->stable : latest->candidate;
  // A return that failed is no answer to an order: the next one leaves what serves.
  const bool was_taken_back = checker.newest() != nullptr &&
                              services::is_rolled_back(*checker.newest(), world_.timeline.now()) &&
                              checker.newest()->phase == rollout::Phase::kRolledBack && active == nullptr;
  driver.roll_back(
      name, kWho, "complaints", [record](const Result<void>& result) { record->answer = result; }, target);
  if (was_taken_back && driver.active(name) != nullptr)
    checker.fail("a rollback may be repeated", "repeating it took back what was stable before, too");
}

void Operators::read_answers() {
  for (const auto& record : open_) {
    if (!record->answer) continue;
    world_.trace.line("order {} answered: {}", record->number,
                      *record->answer ? "ok" : record->answer->error().message);
    checker_of_(record->order.endpoint).answered(*record);
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
