#include "sim/checker.hpp"

#include <algorithm>

#include "monitor/explain_rollout.hpp"
#include "monitor/replay.hpp"

namespace backstay::sim {

namespace {

using rollout::Phase;

/// From a decision to its commit on a disk that works: the longest wait between two tries, and slow commits before it.
constexpr microseconds kStoredWithin = seconds(20);

/// Of a candidate at an objective of at most 5%: at 15% the guardrail needs some 40, hardly ever more than this.
constexpr std::uint64_t kMostBad = 150;

traffic::Split all_to(const std::string& version) {
  if (version.empty()) return {};
  return {{{version, traffic::Role::kStable, traffic::kWhole}}, version, "", 0};
}

bool gives_traffic(const std::string& action) {
  const std::set<std::string> actions{"rollout.advance", "rollout.watch", "rollout.done", "rollout.resume_traffic"};
  return actions.contains(action);
}

/// The traffic a durable state allows at most.
traffic::Split allowed_by(rollout::State state) {
  state.candidate_ready = true;
  return rollout::split_of(state);
}

}  // namespace

void Checker::fail(const std::string& promise, const std::string& what) const {
  sim::fail(world_, promise, what);
}

void Checker::life_begins(const Server& server) {
  server_ = &server;
  split_ = {};
  wanted_.clear();
  traffic_entries_ = 0;
  decided_.reset();
  store_rollback_by_.reset();
  entered_ = world_.timeline.elapsed();
}

void Checker::life_ends() {
  server_ = nullptr;
}

void Checker::loaded() {
  const auto stored = world_.disk.ledger().rollouts(endpoint_, durable_.size() + 1).value();
  if (stored.size() != durable_.size()) fail("nothing durable is lost", "the store has other rollouts than before");
  for (const rollout::State& state : stored) {
    if (durable_.at(state.id) != state) fail("nothing durable is lost", state.id + " is not what it was");
  }
  const rollout::State* latest = server_->driver().decided(endpoint_);
  if (newest() == nullptr) return;
  if (latest == nullptr || latest->id != newest()->id || latest->phase != newest()->phase)
    fail("a restart forgets nothing",
         fmt::format("{} is {} in the store and not in the server", newest()->id, rollout::to_string(newest()->phase)));
}

void Checker::committed(const rollout::Transition& transition) {
  const rollout::State& state = transition.state;
  const auto known = durable_.find(state.id);
  if (known != durable_.end() && known->second == state) return;  // Told again.
  if (known != durable_.end() && rollout::is_final(known->second.phase))
    fail("a restart forgets nothing", state.id + " ended and was changed after that");
  if (known == durable_.end()) order_.push_back(state.id);
  durable_.insert_or_assign(state.id, state);
  record_ = world_.disk.ledger().endpoint(endpoint_).value().value_or(EndpointRecord{endpoint_, endpoint_, "", ""});
  if (state.revert && state.phase == Phase::kRolledBack && state.cause->trigger == "manual")
    fail("a rollback may be repeated", "repeating it took the return to standby back");
  const auto active = world_.disk.ledger().active_rollouts().value();
  if (std::count_if(active.begin(), active.end(), [&](const auto& one) { return one.endpoint == endpoint_; }) > 1)
    fail("one rollout at a time", "two are under way");
  check_audit(transition);
  const auto versions = world_.disk.ledger().versions(endpoint_);
  for (const StoredVersion& version : *versions) {
    if ((version.stage == "Production") != (version.ref.version.str() == record_.stable))
      fail("Production is what is stable", version.ref.str() + " is in stage " + version.stage);
  }
}

void Checker::check_audit(const rollout::Transition& transition) {
  const auto entries = world_.disk.ledger().read(last_entry_ ? last_entry_->sequence + 1 : 1, 10'000);
  if (const auto chain = audit::verify(*entries, last_entry_ ? &*last_entry_ : nullptr); !chain)
    fail("the audit chain verifies", chain.error().message);
  bool told = false;
  for (const audit::Entry& entry : *entries) {
    const bool ours = entry.draft.subject == "endpoint " + endpoint_ && entry.draft.action.starts_with("rollout.");
    if (!ours || entry.draft.action == "rollout.no_target") continue;
    told = true;
    if (gives_traffic(entry.draft.action)) ++traffic_entries_;
    if (transition.state.phase == Phase::kRolledBack && entry.draft.action != "rollout.rollback")
      fail("every change has an audit entry", "a rollback is called " + entry.draft.action);
  }
  if (!entries->empty()) last_entry_ = entries->back();
  if (!told)
    fail("every change has an audit entry",
         fmt::format("{} revision {} has none", transition.state.id, transition.state.revision));
}

void Checker::traffic_set(const traffic::Split& split, bool loading) {
  if (!split.arms.empty() && !traffic::is_valid(split))
    fail("a ready version takes the traffic", "the split is invalid");
  if (split.arms.empty() && !record_.stable.empty()) fail("a ready version takes the traffic", "nobody gets any");
  std::vector<std::string> used{split.fallback, split.shadow};
  for (const traffic::Share& arm : split.arms) used.push_back(arm.version);
  for (const std::string& version : used) {
    if (!version.empty() && !wanted_.contains(version))
      fail("a ready version takes the traffic", "nobody asked for a backend of " + version);
  }
  const rollout::State* latest = server_->driver().decided(endpoint_);
  const traffic::Split stable = all_to(record_.stable);
  if (loading && split != stable) fail("a candidate gets traffic when it is ready", "a restart gave it some at once");
  if (latest != nullptr && latest->phase == Phase::kRolledBack && split != all_to(latest->stable))
    fail("what was rolled back gets no traffic", latest->candidate + " got some");
  if (split != stable && (newest() == nullptr || split != allowed_by(*newest())))
    fail("traffic is given after the commit", describe(split) + " is not what is durable");
  if (!loading && split != split_) check_explained(split);
  split_ = split;
}

void Checker::check_explained(const traffic::Split& split) {
  const rollout::State* latest = server_->driver().decided(endpoint_);
  // Its entry comes with its commit: see check_rollback_is_stored.
  if (latest != nullptr && latest->phase == Phase::kRolledBack) return;
  if (traffic_entries_ == 0) fail("every traffic change has an audit entry", describe(split) + " has none");
  traffic_entries_ = 0;
}

void Checker::backend_released(const std::string& version) {
  wanted_.erase(version);
  const auto serves = [&](const traffic::Share& arm) { return arm.version == version; };
  if (std::any_of(split_.arms.begin(), split_.arms.end(), serves) || split_.shadow == version)
    fail("a ready version takes the traffic", version + " was released while it had a place in the split");
  if (version == record_.stable || version == record_.standby)
    fail("stable and standby are kept warm", version + " was released");
}

void Checker::breached(const std::string& rollout_id) {
  const rollout::State* latest = server_->driver().decided(endpoint_);
  if (latest == nullptr || latest->id != rollout_id || latest->phase != Phase::kRolledBack)
    fail("a breach ends in rollback", rollout_id + " goes on");
  if (share_of(server_->split(endpoint_), latest->candidate) != 0 ||
      server_->split(endpoint_).shadow == latest->candidate)
    fail("a breach takes the traffic at once", latest->candidate + " still has some");
}

void Checker::served(const traffic::Split& table, const std::string& version, bool bad) {
  ++served_[version];
  if (!traffic::is_valid(table)) fail("shares add up", describe(table));
  const rollout::State* latest = server_->driver().decided(endpoint_);
  if (latest == nullptr || version != latest->candidate || version == latest->stable) return;
  // What goes on beside a partition is not known to the monitor.
  if (world_.partitioned()) return;
  if (latest->phase == Phase::kRolledBack) fail("what was rolled back serves nobody", version + " served a request");
  if (rollout::is_final(latest->phase)) return;
  bad_seen_ += bad ? 1 : 0;
  if (bad_seen_ > kMostBad && is_found_soon(version))
    fail("a bad version is seen by few", fmt::format("{} gave {} bad answers", version, bad_seen_));
}

/// Relative guardrails see nothing while there is no stable arm to compare with.
bool Checker::is_found_soon(const std::string& version) const {
  constexpr double kByFar = 3;
  const double errors = world_.fleet.script(version).error_ratio;
  return std::any_of(world_.scenario.guardrails.begin(), world_.scenario.guardrails.end(), [&](const auto& spec) {
    return spec.signal.kind == guardrails::Signal::Kind::kError && spec.objective.bound > 0 &&
           spec.objective.bound <= 0.05 && errors >= kByFar * spec.objective.bound &&
           spec.action == guardrails::Action::kRollBack;
  });
}

void Checker::feedback_counted(const traffic::PredictionId& id, FeedbackKind kind) {
  if (!counted_.emplace(id.high, id.low, static_cast<int>(kind)).second)
    fail("feedback counts once", "one piece was shown to the guardrails twice");
}

void Checker::answered(const OrderRecord& record) {
  if (!*record.answer || record.rollout.empty()) return;
  const std::string name = fmt::format("order {} ({})", record.number, to_string(record.order.kind));
  const auto known = durable_.find(record.rollout);
  if (known == durable_.end() || known->second.revision < record.revision)
    fail("nothing acknowledged is lost",
         fmt::format("{} was answered before {} revision {} was durable", name, record.rollout, record.revision));
  const Phase phase = known->second.phase;
  if (record.order.kind == OperatorOrder::Kind::kPromote && phase != Phase::kWatching && !rollout::is_final(phase))
    fail("nothing acknowledged is lost", name + " was answered and nothing was promoted");
  if (record.order.kind == OperatorOrder::Kind::kReturnTo && record_.stable != record.order.version)
    fail("nothing acknowledged is lost", name + " was answered and stable is not " + record.order.version);
  if (record.takes_back && phase != Phase::kRolledBack)
    fail("nothing acknowledged is lost", name + " was answered and nothing was rolled back");
  if (!record.leaves.empty() && record_.stable == record.leaves)
    fail("nothing acknowledged is lost", name + " was answered and stable is still " + record.leaves);
}

void Checker::after_event() {
  const bool by_hand = std::exchange(by_hand_, false);
  if (server_ == nullptr) return;
  const rollout::State* latest = server_->driver().decided(endpoint_);
  // The number of one that could not be stored is used again.
  const bool same =
      latest != nullptr && decided_ && decided_->id == latest->id && decided_->started_at == latest->started_at;
  if (same && !by_hand) check_decision(*decided_, *latest);
  if (latest != nullptr && latest->phase == Phase::kRolledBack &&
      share_of(server_->split(endpoint_), latest->candidate) > 0)
    fail("a rollback takes the traffic at once", latest->candidate + " still has some");
  check_rollback_is_stored(latest);
  check_shown();
  const bool moved =
      latest == nullptr || !same || decided_->phase != latest->phase || decided_->step_index != latest->step_index;
  if (moved) entered_ = world_.timeline.elapsed();
  if (latest == nullptr) {
    decided_.reset();
  } else if (!decided_ || *decided_ != *latest) {
    decided_ = *latest;
  }
}

void Checker::check_decision(const rollout::State& before, const rollout::State& now) {
  if (now.phase == Phase::kRolledBack || (before.phase == now.phase && before.step_index == now.step_index)) return;
  if (before.paused && !before.revert) fail("a paused rollout stands still", now.id + " went on");
  // What the server knows is a moment old; what it has asked the supervisor to stop it must know itself.
  if (!server_->known().ready(endpoint_, now.candidate) || !world_.fleet.wanted(now.candidate))
    fail("a rollout goes on with a ready candidate", now.id + " went on without");
  const bool entered = before.phase == Phase::kWarming;
  if (before.revert) return;  // Nothing holds up the return to a version that was good.
  if (!before.stable.empty() && before.plan.calendar.closed(world_.timeline.now()))
    fail("a freeze holds", now.id + " went on");
  const std::size_t index = now.phase == Phase::kStepping ? now.step_index : now.plan.steps.size();
  const bool begins = now.phase == Phase::kStepping || before.phase != Phase::kWatching;
  if (!before.stable.empty() && begins && now.plan.needs_approval(index) && before.approved <= index)
    fail("an approval comes first", fmt::format("{} began step {} without", now.id, index));
  // Steps are timed by the time of day, which follows the clock that only goes forward when it is set by 2 s or more.
  if (entered || !world_.scenario.clock.empty()) return;
  const milliseconds least =
      before.phase == Phase::kWatching ? before.plan.watch : before.plan.steps[before.step_index].min_duration;
  if (world_.timeline.elapsed() - entered_ < least)
    fail("a step lasts", fmt::format("{} left one after {:.3f}s", now.id,
                                     std::chrono::duration<double>(world_.timeline.elapsed() - entered_).count()));
}

// A guardrail's rollback can be decided again from what was recorded, to the last bit.
void Checker::check_replays() const {
  for (const auto& [id, state] : durable_) {
    if (!state.cause || state.cause->trigger != "guardrail") continue;
    const auto replayed = monitor::replay(world_.recordings, id, std::nullopt);
    if (!replayed) fail("a replay decides alike", id + ": " + replayed.error().message);
    const monitor::Agreement agreement = monitor::compare(state, *replayed);
    if (agreement.kind != monitor::Agreement::Kind::kSame)
      fail("a replay decides alike", id + ": " + agreement.sentence);
  }
}

// What people are shown is in force: a rollback from when it is decided, everything else from when it is durable.
void Checker::check_shown() {
  const rollout::State* shown = server_->driver().latest(endpoint_);
  if (shown == nullptr || shown->phase == Phase::kRolledBack) return;
  const auto known = durable_.find(shown->id);
  if (known == durable_.end() || known->second.revision < shown->revision)
    fail("status shows what is in force",
         fmt::format("{} revision {} is shown and not durable", shown->id, shown->revision));
}

void Checker::check_rollback_is_stored(const rollout::State* latest) {
  const bool open = latest != nullptr && latest->phase == Phase::kRolledBack &&
                    (!durable_.contains(latest->id) || durable_.at(latest->id).phase != Phase::kRolledBack);
  if (!open) {
    store_rollback_by_.reset();
    return;
  }
  const microseconds now = world_.timeline.elapsed();
  if (!store_rollback_by_ || world_.disk.full()) store_rollback_by_ = now + kStoredWithin;
  if (now > *store_rollback_by_) fail("a rollback is stored soon", latest->id + " is not");
}

void Checker::settled() {
  check_replays();
  const services::RolloutDriver& driver = server_->driver();
  if (!driver.trouble(endpoint_).empty()) fail("everything settles", driver.trouble(endpoint_));
  if (newest() != nullptr && !rollout::is_final(newest()->phase)) fail("everything settles", newest()->id + " goes on");
  if (server_->split(endpoint_) != all_to(record_.stable))
    fail("everything settles", "traffic is " + describe(server_->split(endpoint_)) + ", stable is " + record_.stable);
  for (const std::string& version : {record_.stable, record_.standby}) {
    if (!version.empty() && !world_.fleet.wanted(version)) fail("stable and standby are kept warm", version + " isn't");
  }
}

}  // namespace backstay::sim
