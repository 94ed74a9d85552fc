#include "sim/server.hpp"

#include <algorithm>
#include <cmath>

#include "services/find_dependents.hpp"
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

monitor::EndpointConfig config_of(const World& world, const std::string& endpoint) {
  monitor::EndpointConfig out;
  out.name = out.model = endpoint;
  out.guardrails = world.scenario.guardrails;
  out.slots = world.values.slots;
  out.family = world.scenario.family;
  return out;
}

}  // namespace

Server::Server(World& world, WatcherOf watcher_of)
    : world_(world),
      watcher_of_(std::move(watcher_of)),
      directory_(cell_, world.scenario.endpoints),
      driver_(*this, *this, world.timeline),
      dependents_(after_rollout(),
                  [this](const rollout::State& ended,
                         const services::IsWarm& is_warm) -> Result<std::vector<services::Dependent>> {
                    if (world_.scenario.sabotage == Sabotage::kLeavesDependents)
                      return std::vector<services::Dependent>();
                    return services::find_dependents(world_.disk.records(), ended, {}, is_warm);
                  }),
      stand_in_(
          after_rollout(),
          [this](const EndpointRecord& record, const services::IsWarm& is_warm) -> Result<services::ReturnChoice> {
            if (world_.scenario.sabotage == Sabotage::kStaysOnWhatIsDown)
              return Unexpected(ErrorCode::kUnavailable, "Nobody looks.");
            return services::choose_return(world_.disk.records(), record, {}, is_warm);
          }) {
  for (const std::string& endpoint : world.scenario.endpoints) {
    endpoints_.emplace_back(config_of(world, endpoint), &world.recordings, [](const auto& write) { write(); });
    static_cast<void>(endpoints_.back().remember_in(world.predictions));  // In memory that can't fail.
  }
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

monitor::AfterRollout Server::after_rollout() {
  return {driver_,
          {[this](auto task) { world_.disk.post(life_, std::move(task)); },
           [this](auto task) { post(inbox_, std::move(task)); }},
          world_.disk.log(),
          world_.timeline};
}

Server::Watched& Server::find(const std::string& endpoint) {
  return *std::find_if(endpoints_.begin(), endpoints_.end(),
                       [&](const Watched& watched) { return watched.config.name == endpoint; });
}

void Server::load(const std::optional<rollout::State>& forget) {
  const MemoryLedger& ledger = world_.disk.ledger();
  std::vector<rollout::State> ended;
  loading_ = true;
  for (const std::string& endpoint : world_.scenario.endpoints) {
    const auto record = ledger.endpoint(endpoint).value();
    const auto history = ledger.rollouts(endpoint, 1).value();
    std::optional<rollout::State> latest;
    if (!history.empty()) latest = history.front();
    if (forget && forget->endpoint == endpoint) latest = forget;
    driver_.load(record.value_or(EndpointRecord{endpoint, endpoint, "", ""}), latest,
                 ledger.next_rollout_number(endpoint).value());
    if (world_.scenario.sabotage == Sabotage::kResumesWithoutReadiness && driver_.active(endpoint) != nullptr) {
      rollout::State state = *driver_.active(endpoint);
      state.candidate_ready = true;
      publish(endpoint, rollout::split_of(state));
    }
    if (latest) ended.push_back(*latest);
  }
  loading_ = false;
  for (const rollout::State& state : ended) follow(state, true);
}

void Server::follow(const rollout::State& state, bool again) {
  dependents_.after(state, backends_, again);
  stand_in_.after(state, backends_, again);
}

void Server::turn() {
  if (!world_.partitioned()) drain();
  dependents_.tick();
  stand_in_.tick(backends_);
  for (Watched& endpoint : endpoints_) {
    check_candidate(endpoint.config.name);
    tick(endpoint);
  }
}

void Server::tick(Watched& endpoint) {
  const std::string& name = endpoint.config.name;
  const rollout::State* recorded = driver_.pending(name) > 0 ? driver_.decided(name) : driver_.active(name);
  endpoint.recorder.tick(recorded != nullptr ? recorded->id : std::string(), world_.timeline.monotonic());
  const rollout::State* state = driver_.active(name);
  rollout::Tick tick;
  tick.candidate_up = state != nullptr && backends_.ready(name, state->candidate);
  if (state != nullptr) {
    tick.samples = endpoint.step.of(*state);
    tick.shown = endpoint.shown(*state);
  }
  driver_.tick(name, tick);
}

void Server::serve_request() {
  // The first endpoint has most of the requests.
  const std::size_t count = endpoints_.size();
  serve(count == 1 || world_.random.below(3) != 0 ? 0 : 1 + world_.random.below(count - 1));
}

void Server::serve(std::size_t endpoint) {
  const rollout::State* decided = driver_.decided(endpoints_[endpoint].config.name);
  const bool keeps = world_.scenario.sabotage == Sabotage::kKeepsOldTable && table_ != nullptr && decided != nullptr &&
                     decided->phase == rollout::Phase::kRolledBack;
  if (table_ == nullptr || (!world_.partitioned() && !keeps)) table_ = cell_.table();
  const gateway::EndpointRouting& routing = table_->endpoints[endpoint];
  if (routing.arms.empty()) return;
  const auto draw = static_cast<std::uint32_t>(world_.random.below(traffic::kWhole));
  const std::size_t index = traffic::choose(routing.split, draw);
  const gateway::Arm& arm = routing.arms[index];
  // While requests are mirrored it is the share of copies among all outcomes: here every request can be copied.
  const std::uint64_t mirrored = routing.shadow ? routing.split.shadow_ppm : 0;
  const std::uint32_t chance =
      routing.shadow ? static_cast<std::uint32_t>(mirrored * traffic::kWhole / (traffic::kWhole + mirrored))
                     : routing.candidate_ppm;
  Outcome first = attempt(endpoint, arm, chance);
  first.replayed = traffic::is_error(first) && arm.role == traffic::Role::kCandidate && index != routing.fallback;
  traffic::Split split = routing.split;
  if (world_.scenario.sabotage == Sabotage::kLosesAShare) split.arms.front().ppm /= 2;
  watcher_of_(endpoints_[endpoint].config.name).served(split, arm.version, traffic::is_error(first));
  deliver(first);
  if (first.replayed) {
    Outcome second = attempt(endpoint, routing.arms[routing.fallback], chance);
    second.fallback = true;
    deliver(second);
  }
  if (routing.shadow && world_.random.below(traffic::kWhole) < routing.split.shadow_ppm)
    deliver(attempt(endpoint, *routing.shadow, chance));
}

Outcome Server::attempt(std::size_t endpoint, const gateway::Arm& arm, std::uint32_t candidate_ppm) {
  const VersionScript& script = world_.fleet.script(arm.version);
  Outcome outcome;
  const auto second = std::chrono::duration_cast<seconds>(world_.timeline.now().time_since_epoch());
  outcome.prediction = traffic::PredictionId::make(1, static_cast<std::uint32_t>(second.count()), world_.random.next());
  outcome.endpoint = static_cast<std::uint32_t>(endpoint);
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
  if (arm.role != traffic::Role::kShadow && outcome.status < 400) expect_feedback(outcome, script, positive);
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

void Server::expect_feedback(const Outcome& outcome, const VersionScript& script, bool positive) {
  const Feedback& feedback = world_.scenario.feedback;
  const bool anything = feedback.positives > 0 || script.converts > 0 || script.reported > 0;
  if (!anything) return;
  // A stored prediction has no name of its version's number.
  const Prediction prediction =
      endpoints_[outcome.endpoint].remembered(directory_.named(outcome.version).version, outcome);
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
  // The store does not say whose it was.
  if (again && world_.scenario.sabotage == Sabotage::kCountsTwice)
    watcher_of_(kEndpoint).feedback_counted(label.prediction, label.kind);
  if (one.fate != PredictionStore::Fate::kJoined) return;
  Watched& endpoint = find(one.prediction.endpoint);
  const rollout::State* state = driver_.active(endpoint.config.name);
  const std::string& version = one.prediction.version;
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  if (!endpoint.looks_at(*state)) return;
  watcher_of_(endpoint.config.name).feedback_counted(label.prediction, label.kind);
  show(endpoint, *state,
       monitor::observation_of(endpoint.joined(one.prediction), label, *state, endpoint.clock, world_.timeline));
}

void Server::show(Watched& endpoint, const rollout::State& state, const Observation& observation) {
  endpoint.now = world_.timeline.monotonic();
  endpoint.show(state, observation, [&](const guardrails::Evidence& evidence) { on_breach(endpoint, evidence); });
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
  Watched& endpoint = endpoints_[outcome.endpoint];
  const std::string& version = directory_.named(outcome.version).version;
  const rollout::State* state = driver_.active(endpoint.config.name);
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  if (!endpoint.is_of_experiment(*state, outcome)) return;
  const bool candidate = version == state->candidate;
  endpoint.step.add(*state, candidate);
  Observation observation;
  observation.candidate = candidate;
  observation.pi = monitor::candidate_chance(split(endpoint.config.name), outcome);
  observation.outcome = outcome;
  observation.outcome.at = endpoint.clock.at(outcome.at);
  show(endpoint, *state, observation);
}

void Server::on_breach(Watched& endpoint, const guardrails::Evidence& evidence) {
  const std::string& name = endpoint.config.name;
  const rollout::State* state = driver_.active(name);
  if (state == nullptr) return;
  const std::string id = state->id;
  world_.trace.line("breach of {} by {}", evidence.name, id);
  endpoint.recorder.decided();
  const bool ignored = world_.scenario.sabotage == Sabotage::kIgnoresBreach;
  if (evidence.action == guardrails::Action::kPause) {
    driver_.handle(name, rollout::PauseBreach{evidence.name, evidence.sentence, wire::to_json(evidence)});
    return;
  }
  if (!ignored) driver_.handle(name, rollout::Breach{evidence.name, evidence.sentence, wire::to_json(evidence)});
  watcher_of_(name).breached(id);
}

void Server::check_candidate(const std::string& endpoint) {
  const rollout::State* state = driver_.active(endpoint);
  if (state == nullptr) return;
  const std::optional<rollout::Event> news = backends_.news_of_candidate(*state);
  if (news) driver_.handle(endpoint, *news);
}

void Server::take_status(const BackendStatus& status) {
  backends_.take(status);
  directory_.set_address(status.endpoint, status.version, monitor::address_of(status));
}

void Server::set_traffic(const std::string& endpoint, const traffic::Split& split) {
  world_.boundary.pass("before traffic is set");
  if (world_.scenario.sabotage == Sabotage::kTakesTrafficLate) {
    world_.timeline.after(milliseconds(500), life_, [this, endpoint, split] { publish(endpoint, split); });
    return;
  }
  publish(endpoint, split);
}

void Server::publish(const std::string& endpoint, const traffic::Split& split) {
  world_.trace.line("traffic of {}: {}", endpoint, describe(split));
  directory_.publish(endpoint, split);
  watcher_of_(endpoint).traffic_set(split, loading_);
}

void Server::ensure_backend(const std::string& endpoint, const std::string& version) {
  world_.boundary.pass("before a backend is started");
  world_.trace.line("ensure backend {}", version);
  backends_.forget_failure(endpoint, version);
  watcher_of_(endpoint).backend_ensured(version);
  post(backend_thread_, [this, version] { world_.fleet.ensure(version); });
}

void Server::release_backend(const std::string& endpoint, const std::string& version) {
  world_.boundary.pass("before a backend is released");
  std::vector<std::string> versions{version};
  const std::string& stable = driver_.record(endpoint).stable;
  if (world_.scenario.sabotage == Sabotage::kReleasesStable && !stable.empty()) versions.push_back(stable);
  for (const std::string& each : versions) {
    world_.trace.line("release backend {}", each);
    watcher_of_(endpoint).backend_released(each);
    backends_.forget(endpoint, each);
    post(backend_thread_, [this, each] { world_.fleet.release(each); });
  }
}

void Server::reset_guardrails(const std::string& name) {
  world_.boundary.pass("before guardrails are reset");
  world_.trace.line("reset guardrails of {}", name);
  find(name).reset(driver_.active(name), world_.timeline.monotonic());
  watcher_of_(name).guardrails_reset();
}

void Server::rearm_guardrails(const std::string& name) {
  world_.boundary.pass("before guardrails are armed again");
  const rollout::State* state = driver_.active(name);
  if (state == nullptr) return;
  Observation rearmed;
  rearmed.kind = Observation::Kind::kRearm;
  show(find(name), *state, rearmed);
}

void Server::restore_guardrails(const std::string& name) {
  world_.boundary.pass("before guardrails are restored");
  const rollout::State* state = driver_.active(name);
  if (state == nullptr) return reset_guardrails(name);
  Watched& endpoint = find(name);
  const auto crossed = endpoint.restore(*state, world_.recordings, world_.timeline.monotonic(), world_.timeline.now());
  if (!crossed) return reset_guardrails(name);
  world_.trace.line("restore guardrails of {}, {} samples", name, endpoint.step.of(*state));
  watcher_of_(name).guardrails_restored(bad_answers(world_.recordings, state->id));
  for (const guardrails::Evidence& evidence : *crossed)
    post(inbox_, [this, name, id = state->id, evidence] {
      const rollout::State* still = driver_.active(name);
      if (still != nullptr && still->id == id) on_breach(find(name), evidence);
    });
}

void Server::submit(const rollout::Transition& transition, const std::string& model, Done done) {
  world_.boundary.pass("before a commit is asked for");
  const rollout::State& state = transition.state;
  if (world_.scenario.sabotage == Sabotage::kGivesTrafficEarly) publish(state.endpoint, rollout::split_of(state));
  world_.disk.submit(life_, transition, model, [this, done = std::move(done), state](const Result<void>& result) {
    done(result);
    if (result) follow(state, false);
  });
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
