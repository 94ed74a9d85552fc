#include "sim/server.hpp"

#include <algorithm>
#include <cmath>

#include "wire/policy_json.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::sim {

using traffic::Outcome;

namespace {

/// The candidate's bad answers that are in the recording since the evidence began.
std::uint64_t bad_answers(const RecordingStore& recordings, const std::string& rollout) {
  std::uint64_t bad = 0;
  const auto count = [&](const Observation& o) {
    if (o.kind == Observation::Kind::kReset) bad = 0;
    bad += o.kind == Observation::Kind::kOutcome && o.candidate && traffic::is_error(o.outcome) ? 1 : 0;
  };
  static_cast<void>(recordings.read(rollout, {[](const std::string&) { return Result<void>(); }, count}));
  return bad;
}

}  // namespace

Server::Server(World& world, ServerWatcher& watcher)
    : world_(world),
      watcher_(watcher),
      directory_(cell_, {kEndpoint}),
      policy_(wire::to_json(guardrails::Policy{world.scenario.guardrails, world.scenario.family})),
      watch_(world.scenario.guardrails, world.values.slots, world.scenario.family),
      driver_(*this, *this, world.timeline) {
  world_.fleet.on_change(
      [this](const BackendStatus& status) { post(inbox_, [this, status] { take_status(status); }); });
}

void Server::post(Queue& queue, std::function<void()> task) {
  const bool held_up = world_.random.below(10) == 0;
  const auto delay = microseconds(
      world_.random.below(static_cast<std::uint64_t>(held_up ? queue.held_up.count() : queue.usual.count())));
  queue.last = std::max(queue.last, world_.timeline.elapsed()) + delay;
  world_.timeline.after(queue.last - world_.timeline.elapsed(), life_, std::move(task));
}

void Server::load(const std::optional<rollout::State>& forget) {
  const MemoryLedger& ledger = world_.disk.ledger();
  const auto record = ledger.endpoint(kEndpoint).value();
  const auto history = ledger.rollouts(kEndpoint, 1).value();
  std::optional<rollout::State> latest;
  if (!history.empty()) latest = history.front();
  if (forget) latest = forget;
  loading_ = true;
  driver_.load(record.value_or(EndpointRecord{kEndpoint, kModel, "", ""}), latest,
               ledger.next_rollout_number(kEndpoint).value());
  if (world_.scenario.sabotage == Sabotage::kResumesWithoutReadiness && driver_.active(kEndpoint) != nullptr) {
    rollout::State state = *driver_.active(kEndpoint);
    state.candidate_ready = true;
    publish(rollout::split_of(state));
  }
  loading_ = false;
}

void Server::turn() {
  if (!world_.partitioned()) drain();
  check_candidate();
  if (!waiting_.empty() && world_.timeline.monotonic() - oldest_ >= seconds(1)) write_recording();
  const rollout::State* state = driver_.active(kEndpoint);
  const bool watching = state != nullptr && state->phase == rollout::Phase::kWatching;
  std::vector<rollout::Shown> shown;
  if (state != nullptr) shown = watch_.shown(watching ? state->plan.steps.size() : state->step_index);
  driver_.tick(kEndpoint,
               {state != nullptr ? step_.of(*state) : 0, state != nullptr && knows_ready(state->candidate), shown});
}

void Server::serve_request() {
  const bool keeps = world_.scenario.sabotage == Sabotage::kKeepsOldTable && table_ != nullptr &&
                     driver_.decided(kEndpoint) != nullptr &&
                     driver_.decided(kEndpoint)->phase == rollout::Phase::kRolledBack;
  if (table_ == nullptr || (!world_.partitioned() && !keeps)) table_ = cell_.table();
  const gateway::EndpointRouting& routing = table_->endpoints.front();
  if (routing.arms.empty()) return;
  const auto draw = static_cast<std::uint32_t>(world_.random.below(traffic::kWhole));
  const std::size_t index = traffic::choose(routing.split, draw);
  const gateway::Arm& arm = routing.arms[index];
  // While requests are mirrored it is the share of copies among all outcomes: here every request can be copied.
  const std::uint64_t mirrored = routing.shadow ? routing.split.shadow_ppm : 0;
  const std::uint32_t chance =
      routing.shadow ? static_cast<std::uint32_t>(mirrored * traffic::kWhole / (traffic::kWhole + mirrored))
                     : routing.candidate_ppm;
  Outcome first = attempt(arm, chance);
  first.replayed = traffic::is_error(first) && arm.role == traffic::Role::kCandidate && index != routing.fallback;
  traffic::Split split = routing.split;
  if (world_.scenario.sabotage == Sabotage::kLosesAShare) split.arms.front().ppm /= 2;
  watcher_.served(split, arm.version, traffic::is_error(first));
  deliver(first);
  if (first.replayed) {
    Outcome second = attempt(routing.arms[routing.fallback], chance);
    second.fallback = true;
    deliver(second);
  }
  if (routing.shadow && world_.random.below(traffic::kWhole) < routing.split.shadow_ppm)
    deliver(attempt(*routing.shadow, chance));
}

Outcome Server::attempt(const gateway::Arm& arm, std::uint32_t candidate_ppm) {
  const VersionScript& script = world_.fleet.script(arm.version);
  Outcome outcome;
  const auto second = std::chrono::duration_cast<seconds>(world_.timeline.now().time_since_epoch());
  outcome.prediction = traffic::PredictionId::make(1, static_cast<std::uint32_t>(second.count()), world_.random.next());
  outcome.version = arm.number;
  outcome.role = arm.role;
  outcome.candidate_ppm = candidate_ppm;
  outcome.at = world_.timeline.monotonic();
  if (!arm.address || !world_.fleet.ready(arm.version)) {
    outcome.ending = traffic::Ending::kConnectFailed;
    return outcome;
  }
  outcome.status = world_.random.unit() < script.error_ratio ? 500 : 200;
  outcome.latency_us =
      static_cast<std::uint32_t>(static_cast<double>(script.latency.count()) * -std::log1p(-world_.random.unit()));
  const Feedback& feedback = world_.scenario.feedback;
  std::size_t group = 0;
  for (double u = world_.random.unit(); group + 1 < feedback.groups.size() && u >= feedback.groups[group]; ++group)
    u -= feedback.groups[group];
  const bool positive = world_.random.unit() < feedback.positives;
  draw_values(outcome, script, group, positive);
  if (arm.role != traffic::Role::kShadow && outcome.status < 400) expect_feedback(outcome, script, group, positive);
  return outcome;
}

void Server::draw_values(Outcome& outcome, const VersionScript& script, std::size_t group, bool positive) {
  for (std::size_t slot = 0; slot < world_.values.sources.size(); ++slot) {
    const std::string& pointer = world_.values.sources[slot].json_pointer;
    const auto share = script.values.find(pointer);
    if (pointer == "/group") {
      outcome.values[slot] = static_cast<float>(group);
    } else if (pointer == "/score") {
      const double found = group < script.sensitivity.size() ? script.sensitivity[group] : 1.0;
      outcome.values[slot] = positive && world_.random.unit() < found ? 1.0F : 0.0F;
    } else if (share != script.values.end()) {
      outcome.values[slot] = world_.random.unit() < share->second ? 1.0F : 0.0F;
    }
  }
}

void Server::expect_feedback(const Outcome& outcome, const VersionScript& script, std::size_t, bool positive) {
  const Feedback& feedback = world_.scenario.feedback;
  const bool anything = feedback.positives > 0 || script.converts > 0 || script.reported > 0;
  if (!anything) return;
  // A stored prediction has no name of its version's number; the simulation's store is of one endpoint.
  Prediction prediction{kEndpoint, directory_.named(outcome.version).version, outcome};
  static_cast<void>(world_.predictions.remember({prediction}));
  const auto tell = [&](FeedbackKind kind, double value) {
    if (world_.random.unit() < feedback.lost) return;
    const microseconds after(world_.random.below(static_cast<std::uint64_t>(feedback.after.count()) + 1));
    tell_later({outcome.prediction, value, kind}, after);
    if (world_.random.unit() < feedback.twice) tell_later({outcome.prediction, value, kind}, after * 2);
  };
  if (feedback.positives > 0) tell(FeedbackKind::kLabel, positive ? 1 : 0);
  if (world_.random.unit() < script.converts) tell(FeedbackKind::kConversion, 1);
  if (world_.random.unit() < script.reported) tell(FeedbackKind::kReport, 1);
}

void Server::tell_later(const Label& label, microseconds after) {
  world_.timeline.after(after, life_, [this, label] { take_feedback(label); });
}

void Server::take_feedback(const Label& label) {
  const auto joined = world_.predictions.label({label}, world_.timeline.now());
  const PredictionStore::Joined& one = joined->front();
  const bool again = one.fate == PredictionStore::Fate::kDuplicate;
  if (again && world_.scenario.sabotage == Sabotage::kCountsTwice)
    watcher_.feedback_counted(label.prediction, label.kind);
  if (one.fate != PredictionStore::Fate::kJoined) return;
  const rollout::State* state = driver_.active(kEndpoint);
  const std::string& version = one.prediction.version;
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  watcher_.feedback_counted(label.prediction, label.kind);
  show(*state, monitor::observation_of(one.prediction, label, *state, clock_, world_.timeline));
}

void Server::show(const rollout::State& state, const Observation& observation) {
  record(state, observation);
  watch_.show(observation, [this](const guardrails::Evidence& evidence) { on_breach(evidence); });
}

void Server::record(const rollout::State& state, const Observation& observation) {
  if (recorded_ != state.id) {
    write_recording();
    recorded_ = state.id;
    static_cast<void>(world_.recordings.begin(recorded_, policy_));
  }
  if (waiting_.empty()) oldest_ = world_.timeline.monotonic();
  waiting_.push_back(observation);
}

void Server::write_recording() {
  if (!waiting_.empty()) static_cast<void>(world_.recordings.append(recorded_, std::exchange(waiting_, {})));
}

void Server::deliver(const Outcome& outcome) {
  constexpr std::size_t kRing = 512;
  if (world_.random.unit() < world_.scenario.lost_outcomes || ring_.size() >= kRing) return;
  ring_.push_back(outcome);
  if (!world_.partitioned()) drain();
}

void Server::drain() {
  while (!ring_.empty()) {
    const Outcome outcome = ring_.front();
    ring_.pop_front();
    take(outcome);
  }
}

void Server::take(const Outcome& outcome) {
  const std::string& version = directory_.named(outcome.version).version;
  const rollout::State* state = driver_.active(kEndpoint);
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  const bool candidate = version == state->candidate;
  step_.add(*state, candidate);
  Observation observation;
  observation.candidate = candidate;
  observation.pi = monitor::candidate_chance(split(), outcome);
  observation.outcome = outcome;
  observation.outcome.at = clock_.at(outcome.at);
  show(*state, observation);
}

void Server::on_breach(const guardrails::Evidence& evidence) {
  const rollout::State* state = driver_.active(kEndpoint);
  if (state == nullptr) return;
  const std::string id = state->id;
  world_.trace.line("breach of {} by {}", evidence.name, id);
  write_recording();
  const bool ignored = world_.scenario.sabotage == Sabotage::kIgnoresBreach;
  if (evidence.action == guardrails::Action::kPause) {
    driver_.handle(kEndpoint, rollout::PauseBreach{evidence.name, evidence.sentence, wire::to_json(evidence)});
    return;
  }
  if (!ignored) driver_.handle(kEndpoint, rollout::Breach{evidence.name, evidence.sentence, wire::to_json(evidence)});
  watcher_.breached(id);
}

void Server::check_candidate() {
  const rollout::State* state = driver_.active(kEndpoint);
  if (state == nullptr) return;
  const std::optional<rollout::Event> news = backends_.news_of_candidate(*state);
  if (news) driver_.handle(kEndpoint, *news);
}

void Server::take_status(const BackendStatus& status) {
  backends_.take(status);
  directory_.set_address(kEndpoint, status.version, monitor::address_of(status));
}

void Server::set_traffic(const std::string&, const traffic::Split& split) {
  world_.boundary.pass("before traffic is set");
  if (world_.scenario.sabotage == Sabotage::kTakesTrafficLate) {
    world_.timeline.after(milliseconds(500), life_, [this, split] { publish(split); });
    return;
  }
  publish(split);
}

void Server::publish(const traffic::Split& split) {
  world_.trace.line("traffic: {}", describe(split));
  directory_.publish(kEndpoint, split);
  watcher_.traffic_set(split, loading_);
}

void Server::ensure_backend(const std::string&, const std::string& version) {
  world_.boundary.pass("before a backend is started");
  world_.trace.line("ensure backend {}", version);
  backends_.forget_failure(kEndpoint, version);
  watcher_.backend_ensured(version);
  post(backend_thread_, [this, version] { world_.fleet.ensure(version); });
}

void Server::release_backend(const std::string&, const std::string& version) {
  world_.boundary.pass("before a backend is released");
  std::vector<std::string> versions{version};
  const std::string& stable = driver_.record(kEndpoint).stable;
  if (world_.scenario.sabotage == Sabotage::kReleasesStable && !stable.empty()) versions.push_back(stable);
  for (const std::string& each : versions) {
    world_.trace.line("release backend {}", each);
    watcher_.backend_released(each);
    backends_.forget(kEndpoint, each);
    post(backend_thread_, [this, each] { world_.fleet.release(each); });
  }
}

void Server::reset_guardrails(const std::string&) {
  world_.boundary.pass("before guardrails are reset");
  world_.trace.line("reset guardrails");
  const rollout::State* state = driver_.active(kEndpoint);
  watch_.require(state == nullptr ? std::vector<monitor::Required>()
                                  : monitor::resolve(state->plan, world_.scenario.guardrails).value());
  watch_.reset();
  step_.reset();
  watcher_.guardrails_reset();
  if (state == nullptr) return;
  Observation began;
  began.kind = Observation::Kind::kReset;
  began.epoch = rollout::new_epoch(*state);
  record(*state, began);
}

void Server::rearm_guardrails(const std::string&) {
  world_.boundary.pass("before guardrails are armed again");
  const rollout::State* state = driver_.active(kEndpoint);
  if (state == nullptr) return;
  Observation rearmed;
  rearmed.kind = Observation::Kind::kRearm;
  show(*state, rearmed);
}

void Server::restore_guardrails(const std::string& endpoint) {
  world_.boundary.pass("before guardrails are restored");
  const rollout::State* state = driver_.active(kEndpoint);
  if (state == nullptr) return reset_guardrails(endpoint);
  watch_.require(monitor::resolve(state->plan, world_.scenario.guardrails).value());
  auto restored = monitor::restore_evidence(world_.recordings, *state, policy_, watch_, world_.timeline.monotonic(),
                                            world_.timeline.now());
  if (!restored) return reset_guardrails(endpoint);
  world_.trace.line("restore guardrails, {} samples", restored->samples);
  clock_ = restored->clock;
  step_.restore(*state, restored->samples);
  recorded_ = state->id;
  static_cast<void>(world_.recordings.resume(recorded_));
  watcher_.guardrails_restored(bad_answers(world_.recordings, recorded_));
  for (const guardrails::Evidence& evidence : restored->crossed)
    post(inbox_, [this, evidence] { on_breach(evidence); });
}

void Server::submit(const rollout::Transition& transition, const std::string& model, Done done) {
  world_.boundary.pass("before a commit is asked for");
  if (world_.scenario.sabotage == Sabotage::kGivesTrafficEarly) publish(rollout::split_of(transition.state));
  world_.disk.submit(life_, transition, model, std::move(done));
}

std::string describe(const traffic::Split& split) {
  if (split.arms.empty()) return "none";
  std::string text;
  for (const traffic::Share& arm : split.arms)
    text += fmt::format("{}{} {} {:g}%", text.empty() ? "" : ", ", arm.version, traffic::to_string(arm.role),
                        arm.ppm / 1e4);
  if (!split.shadow.empty()) text += fmt::format(", copies to {} {:g}%", split.shadow, split.shadow_ppm / 1e4);
  return text;
}

std::uint32_t share_of(const traffic::Split& split, const std::string& version) {
  std::uint32_t ppm = 0;
  for (const traffic::Share& arm : split.arms) ppm += arm.version == version ? arm.ppm : 0;
  return ppm;
}

}  // namespace backstay::sim
