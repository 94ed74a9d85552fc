#include "sim/simulation.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "sim/operators.hpp"

namespace backstay::sim {

namespace {

/// What the store could not do is tried again after 5 s.
constexpr microseconds kQuiet = seconds(10);

class Simulation {
 public:
  Simulation(const Scenario& scenario, bool keep_trace) : world_(scenario, keep_trace) {
    for (const std::string& endpoint : scenario.endpoints)
      checkers_.emplace(std::piecewise_construct, std::forward_as_tuple(endpoint),
                        std::forward_as_tuple(world_, endpoint));
    world_.disk.on_commit([this](const rollout::Transition& transition) { committed(transition); });
    begin_life();
    for (const OperatorOrder& order : scenario.orders)
      world_.timeline.at(order.at, [this, order] { operators_.order(server_.get(), order); });
    for (const microseconds when : scenario.crashes) {
      world_.timeline.at(when, [this] {
        if (server_) world_.trace.line("CRASH");
        if (server_) throw CrashSignal{};
      });
    }
    for (const ClockStep& step : scenario.clock) {
      world_.timeline.at(step.at, [this, step] {
        world_.trace.line("the wall clock is set {:+.3f}s", static_cast<double>(step.ahead.count()) / 1e6);
        world_.timeline.set_wall_clock(step.ahead);
      });
    }
    resume_when_calm();
  }

  Report go() {
    Report report;
    try {
      // Quiet for a while: what was asked for last has been done, too.
      while (!quiet_from_ || world_.timeline.elapsed() < *quiet_from_ + kQuiet) {
        do_event();
        if (!settled()) quiet_from_.reset();
        if (settled() && !quiet_from_) quiet_from_ = world_.timeline.elapsed();
      }
      for (auto& [endpoint, checker] : checkers_) checker.settled();
      releases_.settled();
    } catch (const Violation& violation) {
      report.failure = violation.what;
    }
    world_.trace.line("end, {}", world_.random.next());
    report.trace = world_.trace.text();
    report.digest = world_.trace.finish();
    report.boundaries = world_.boundary.passed();
    for (const auto& [endpoint, checker] : checkers_) report.stable[endpoint] = checker.record().stable;
    counts_["refused"] += operators_.refused();
    report.counts = std::move(counts_);
    report.endings = std::move(endings_);
    return report;
  }

 private:
  void do_event() {
    if (world_.timeline.elapsed() > world_.scenario.calm_from + world_.scenario.settle_time)
      fail(world_, "everything settles", "it doesn't");
    try {
      world_.timeline.step();
      operators_.read_answers();
      for (auto& [endpoint, checker] : checkers_) checker.after_event();
      if (server_) releases_.after_event(*server_);
    } catch (const CrashSignal&) {
      end_life();
    }
  }

  bool settled() const {
    if (world_.timeline.elapsed() <= world_.scenario.calm_from || !server_ || operators_.waiting()) return false;
    const services::RolloutDriver& driver = server_->driver();
    return std::all_of(checkers_.begin(), checkers_.end(), [&](const auto& item) {
      return driver.active(item.first) == nullptr && driver.pending(item.first) == 0;
    });
  }

  void begin_life() {
    server_ = std::make_unique<Server>(
        world_, [this](const std::string& endpoint) -> ServerWatcher& { return checkers_.at(endpoint); });
    for (auto& [endpoint, checker] : checkers_) checker.life_begins(*server_);
    world_.trace.line("server starts");
    try {
      const rollout::State* newest = checkers_.at(kEndpoint).newest();
      const bool forget = world_.scenario.sabotage == Sabotage::kForgetsRollback && newest != nullptr &&
                          newest->phase == rollout::Phase::kRolledBack;
      server_->load(forget ? before_rollback_ : std::nullopt);
    } catch (const CrashSignal&) {
      end_life();
      return;
    }
    for (auto& [endpoint, checker] : checkers_) checker.loaded();
    operators_.server_is_back(*server_);
    turn();
    request();
  }

  void end_life() {
    ++counts_["restarts"];
    operators_.server_is_gone();
    for (auto& [endpoint, checker] : checkers_) checker.life_ends();
    server_.reset();
    world_.fleet.end_all();
    world_.disk.cut_off();
    // Most restarts are quick: it is then that things from before and after meet.
    const auto longest = static_cast<std::uint64_t>(world_.scenario.longest_downtime.count());
    const microseconds down(1'000 + world_.random.below(world_.random.below(4) == 0 ? longest : longest / 30));
    world_.timeline.at(world_.timeline.elapsed() + down, [this] { begin_life(); });
  }

  void turn() {
    world_.timeline.after(milliseconds(5) + microseconds(world_.random.below(90'000)), server_->life(), [this] {
      server_->turn();
      turn();
    });
  }

  void request() {
    const std::uint64_t pause = 2'000'000 / world_.scenario.requests_per_second;
    world_.timeline.after(microseconds(world_.random.below(pause)), server_->life(), [this] {
      server_->serve_request();
      request();
    });
  }

  /// What people paused they resume some day, and what they are asked for they approve.
  void resume_when_calm() {
    world_.timeline.at(std::max(world_.scenario.calm_from, world_.timeline.elapsed() + seconds(1)), [this] {
      for (const auto& [endpoint, checker] : checkers_) help_on(endpoint);
      resume_when_calm();
    });
  }

  void help_on(const std::string& endpoint) {
    const rollout::State* active = server_ ? server_->driver().active(endpoint) : nullptr;
    if (active == nullptr) return;
    OperatorOrder order;
    order.at = world_.timeline.elapsed();
    order.endpoint = endpoint;
    order.kind = OperatorOrder::Kind::kResume;
    if (active->paused) operators_.order(server_.get(), order);
    order.kind = OperatorOrder::Kind::kApprove;
    if (rollout::can_approve(*active)) operators_.order(server_.get(), order);
  }

  void committed(const rollout::Transition& transition) {
    const rollout::State& state = transition.state;
    const bool first = state.endpoint == kEndpoint;
    if (state.phase == rollout::Phase::kRolledBack) {
      ++counts_[state.cause->trigger];
    } else if (first) {
      before_rollback_ = state;
    }
    if (state.phase == rollout::Phase::kDone) ++counts_[state.revert ? "reverted" : "done"];
    if (state.phase == rollout::Phase::kDone && state.revert && state.started_by == rollout::kSelf)
      ++counts_["returned by itself"];
    if (rollout::is_final(state.phase)) note_end(state);
    checkers_.at(state.endpoint).committed(transition);
    releases_.committed(state, state.forced);
  }

  /// A commit may be told again.
  void note_end(const rollout::State& state) {
    Ending ending;
    ending.version = state.candidate;
    ending.how = state.cause ? state.cause->trigger : state.revert ? "reverted" : "done";
    if (ending.how == "guardrail") ending.guardrail = state.cause->reason.substr(0, state.cause->reason.find(':'));
    ending.at = world_.timeline.elapsed();
    ending.requests = checkers_.at(state.endpoint).served_by(state.candidate);
    if (ended_.insert(state.id).second) endings_.push_back(std::move(ending));
  }

  World world_;
  std::map<std::string, Checker> checkers_;  ///< By endpoint.
  ReleaseChecker releases_{world_};
  Operators operators_{world_, [this](const std::string& endpoint) -> Checker& { return checkers_.at(endpoint); },
                       releases_};
  std::unique_ptr<Server> server_;
  std::optional<rollout::State> before_rollback_;  ///< For the sabotage that forgets.
  std::optional<microseconds> quiet_from_;
  std::map<std::string, unsigned> counts_;
  std::vector<Ending> endings_;
  std::set<std::string> ended_;
};

}  // namespace

Report run(const Scenario& scenario, bool keep_trace) {
  return Simulation(scenario, keep_trace).go();
}

}  // namespace backstay::sim
