#include "monitor/control_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "monitor/little_traffic.hpp"
#include "monitor/report_endpoint.hpp"
#include "services/commit_rollout.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::monitor {

using traffic::Outcome;
using traffic::Role;

namespace {

constexpr long kBusyPauseMicroseconds = 1'000;
constexpr milliseconds kTick{20};
constexpr milliseconds kIdleTick{500};

std::vector<std::string> names(const std::vector<EndpointConfig>& configs) {
  std::vector<std::string> out;
  for (const EndpointConfig& config : configs) out.push_back(config.name);
  return out;
}

}  // namespace

Monitor::Loop::Loop(Ports ports, const std::vector<EndpointConfig>& configs)
    : ports_(std::move(ports)),
      directory_(ports_.routing, names(configs)),
      driver_(*this, *this, ports_.clock),
      backends_({ports_.backends, ports_.lineage, directory_, inbox_, ports_.backend_of, [this] { tell_if_ready(); }}),
      feedback_(ports_.predictions, inbox_, ports_.clock,
                [this](Prediction prediction, const Label& label) { take_feedback(std::move(prediction), label); }),
      dependents_(after_rollout(), ports_.find_dependents),
      stand_in_(after_rollout(), ports_.choose_return) {
  for (const EndpointConfig& config : configs) endpoints_.emplace_back(config, ports_.recordings);
}

Result<void> Monitor::Loop::start() {
  std::vector<rollout::State> ended;
  for (const WatchedEndpoint& endpoint : endpoints_) {
    const std::string& name = endpoint.config.name;
    TRY(const std::optional<EndpointRecord> record, ports_.store.endpoint(name));
    if (record && record->model != endpoint.config.model)
      return Unexpected(ErrorCode::kConflict,
                        fmt::format("Endpoint '{}' serves the model '{}'; the configuration says '{}'.", name,
                                    record->model, endpoint.config.model),
                        "Give the other model an endpoint of its own.");
    TRY(const std::uint64_t number, ports_.store.next_rollout_number(name));
    TRY(const std::vector<rollout::State> newest, ports_.store.rollouts(name, 1));
    driver_.load(record.value_or(EndpointRecord{name, endpoint.config.model, "", ""}),
                 newest.empty() ? std::nullopt : std::optional(newest.front()), number,
                 endpoint.config.plan.ready_timeout, policy_text(endpoint.config), endpoint.config.plan.calendar);
    if (!newest.empty()) ended.push_back(newest.front());
  }
  TRY(const std::vector<LabelTotal> totals, ports_.predictions.totals());
  for (const LabelTotal& total : totals)
    for (WatchedEndpoint& endpoint : endpoints_)
      if (endpoint.config.name == total.endpoint) endpoint.versions[total.version].take(total);
  for (WatchedEndpoint& endpoint : endpoints_) TRY_DO(endpoint.remember_in(ports_.predictions));
  for (const rollout::State& state : ended) follow(state, true);
  thread_ = std::thread([this] { run(); });
  start_examiners();
  return {};
}

void Monitor::Loop::stop() {
  if (examiners_) examiners_->stop();
  if (thread_.joinable()) {
    inbox_.post([this] { stopping_ = true; });
    thread_.join();
    for (WatchedEndpoint& endpoint : endpoints_) {
      record_progress(endpoint);
      endpoint.recorder.finish();
    }
  }
  feedback_.finish();
  commit_thread_.finish();
  backends_.finish();
}

Result<const EndpointConfig*> Monitor::Loop::config(const std::string& name) const {
  std::string known;
  for (const WatchedEndpoint& endpoint : endpoints_) {
    if (endpoint.config.name == name) return &endpoint.config;
    known += (known.empty() ? "" : ", ") + endpoint.config.name;
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no endpoint '{}'.", name),
                    fmt::format("The configured endpoints are: {}.", known));
}

Deployment Monitor::Loop::deployment(const std::string& endpoint) const {
  const rollout::State* state = driver_.active(endpoint);
  return {driver_.record(endpoint), state == nullptr ? std::nullopt : std::optional(*state)};
}

void Monitor::Loop::tell_when_ready(std::function<void()> tell) {
  when_ready_ = std::move(tell);
  tell_if_ready();
}

void Monitor::Loop::take_labels(std::vector<Label> labels, Feedback::Done done) {
  drain();  // So that an answer that a client has is known here.
  feedback_.take(std::move(labels), std::move(done));
}

std::vector<std::string> Monitor::Loop::little_traffic(const std::string& name) {
  const rollout::State* state = driver_.active(name);
  if (state == nullptr) return {};
  const WatchedEndpoint& endpoint = find(name);
  return monitor::little_traffic(endpoint.config.guardrails, state->plan,
                                 endpoint.requests_per_second(ports_.clock.monotonic()));
}

Status Monitor::Loop::report() {
  drain();
  Status status;
  status.gateway = ports_.gateway.counters();
  if (ports_.answers != nullptr) status.answers_missed = ports_.answers->missed();
  for (const WatchedEndpoint& endpoint : endpoints_) {
    status.endpoints.push_back(monitor::report(endpoint, driver_, directory_.split(endpoint.config.name),
                                               backends_.known(), ports_.clock.now()));
    if (examiners_)
      status.endpoints.back().examiners = examiners_->status(static_cast<std::uint32_t>(&endpoint - endpoints_.data()));
  }
  return status;
}

void Monitor::Loop::set_traffic(const std::string& endpoint, const traffic::Split& split) {
  directory_.publish(endpoint, split);
}

void Monitor::Loop::ensure_backend(const std::string& endpoint, const std::string& version) {
  backends_.ensure(endpoint, driver_.record(endpoint).model, version);
}

void Monitor::Loop::release_backend(const std::string& endpoint, const std::string& version) {
  backends_.release(endpoint, version);
}

void Monitor::Loop::reset_guardrails(const std::string& name) {
  WatchedEndpoint& endpoint = find(name);
  endpoint.reset(driver_.active(name), ports_.clock.monotonic());
  if (!endpoint.trouble.empty()) stand_still(name, endpoint.trouble);
}

void Monitor::Loop::rearm_guardrails(const std::string& name) {
  const rollout::State* state = driver_.active(name);
  if (state == nullptr) return;
  WatchedEndpoint& endpoint = find(name);
  endpoint.now = ports_.clock.monotonic();
  Observation rearmed;
  rearmed.kind = Observation::Kind::kRearm;
  show(endpoint, *state, rearmed);
}

void Monitor::Loop::submit(const rollout::Transition& transition, const std::string& model, Done done) {
  ++commits_;
  commit_thread_.post([this, transition, model, done = std::move(done)] {
    const services::StartCheck check{ports_.audit, ports_.may_start};
    Result<void> result =
        services::commit_rollout(ports_.store, transition, model, ports_.may_start ? &check : nullptr);
    if (result && ports_.stored) ports_.stored();
    inbox_.post([this, result = std::move(result), done, state = transition.state] {
      --commits_;
      done(result);
      if (result) follow(state, false);
    });
  });
}

void Monitor::Loop::follow(const rollout::State& state, bool again) {
  dependents_.after(state, backends_.known(), again);
  stand_in_.after(state, backends_.known(), again);
}

AfterRollout Monitor::Loop::after_rollout() {
  return {driver_,
          {[this](auto task) { commit_thread_.post(std::move(task)); },
           [this](auto task) { inbox_.post(std::move(task)); }},
          ports_.audit,
          ports_.clock,
          ports_.stored};
}

void Monitor::Loop::tell_if_ready() {
  if (!when_ready_) return;
  const bool ready = std::all_of(endpoints_.begin(), endpoints_.end(), [&](const WatchedEndpoint& endpoint) {
    const EndpointRecord& record = driver_.record(endpoint.config.name);
    return record.stable.empty() || backends_.known().settled(record.endpoint, record.stable);
  });
  if (ready) std::exchange(when_ready_, {})();
}

WatchedEndpoint& Monitor::Loop::find(const std::string& name) {
  return *std::find_if(endpoints_.begin(), endpoints_.end(),
                       [&](const WatchedEndpoint& e) { return e.config.name == name; });
}

void Monitor::Loop::run() {
  Monotonic next_tick = ports_.clock.monotonic();
  // Decisions that are being stored are waited for; what can't be stored now is told and tried again by the next
  // start.
  while (true) {
    const std::size_t drained = drain();
    inbox_.run();
    if (stopping_ && commits_ == 0) return;
    check_candidates();
    const Monotonic now = ports_.clock.monotonic();
    if (now >= next_tick) {
      tick();
      next_tick = now + (anything_under_way() ? kTick : kIdleTick);
    }
    pause(drained > 0, next_tick);
  }
}

void Monitor::Loop::pause(bool busy, Monotonic next_tick) {
  const auto left = std::chrono::duration_cast<microseconds>(next_tick - ports_.clock.monotonic()).count();
  const long until_tick = std::max<long>(left, 0);
  // Under load outcomes are taken in batches; without load the first one wakes this thread.
  if (busy) {
    inbox_.wait(std::min(until_tick, kBusyPauseMicroseconds));
  } else if (ports_.gateway.prepare_to_sleep()) {
    inbox_.wait(until_tick);
  }
}

bool Monitor::Loop::anything_under_way() const {
  return std::any_of(endpoints_.begin(), endpoints_.end(), [&](const WatchedEndpoint& endpoint) {
    return driver_.active(endpoint.config.name) != nullptr || driver_.pending(endpoint.config.name) > 0;
  });
}

std::size_t Monitor::Loop::drain() {
  return ports_.gateway.drain([this](const Outcome& outcome) { take(outcome); });
}

void Monitor::Loop::take(const Outcome& outcome) {
  WatchedEndpoint& endpoint = endpoints_[outcome.endpoint];
  const std::string& version = directory_.named(outcome.version).version;
  endpoint.versions[version].add(outcome);
  if (!endpoint.first_at) endpoint.first_at = outcome.at;
  const bool mirrored = outcome.role == Role::kShadow;
  if (endpoint.wants_feedback && !mirrored && !outcome.replayed) remember(endpoint, version, outcome);

  const rollout::State* state = driver_.active(endpoint.config.name);
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  if (!endpoint.is_of_experiment(*state, outcome)) return;
  const bool candidate = version == state->candidate;
  endpoint.step.add(*state, candidate);
  endpoint.now = outcome.at;
  Observation observation;
  observation.candidate = candidate;
  observation.pi = candidate_chance(directory_.split(endpoint.config.name), outcome);
  observation.outcome = outcome;
  observation.outcome.at = endpoint.clock.at(outcome.at);
  show(endpoint, *state, observation);
}

void Monitor::Loop::show(WatchedEndpoint& endpoint, const rollout::State& state, const Observation& observation) {
  endpoint.show(state, observation, [&](const guardrails::Evidence& evidence) { breached(endpoint, evidence); });
}

void Monitor::Loop::remember(const WatchedEndpoint& endpoint, const std::string& version, const Outcome& outcome) {
  Prediction prediction = endpoint.remembered(version, outcome);
  if (outcome.fallback || !directory_.split(endpoint.config.name).shadow.empty()) prediction.outcome.candidate_ppm = 0;
  feedback_.remember(std::move(prediction));
}

void Monitor::Loop::take_feedback(Prediction prediction, const Label& label) {
  const auto found = std::find_if(endpoints_.begin(), endpoints_.end(),
                                  [&](const WatchedEndpoint& e) { return e.config.name == prediction.endpoint; });
  if (found == endpoints_.end()) return;  // It is no longer served; the label is stored.
  WatchedEndpoint& endpoint = *found;
  prediction = endpoint.joined(std::move(prediction));
  const std::string& version = prediction.version;
  const Outcome& outcome = prediction.outcome;
  if (label.kind == FeedbackKind::kLabel) ++endpoint.labels_joined;
  endpoint.versions[version].add(label.kind);
  // Of a candidate the guardrails themselves decide.
  const bool serves = version == directory_.split(endpoint.config.name).fallback;
  if (label.kind == FeedbackKind::kLabel && serves) watch_errors(endpoint, version, outcome, label.value);
  const rollout::State* state = driver_.active(endpoint.config.name);
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  if (!endpoint.looks_at(*state)) return;
  endpoint.now = ports_.clock.monotonic();
  show(endpoint, *state, observation_of(prediction, label, *state, endpoint.clock, ports_.clock));
}

void Monitor::Loop::watch_errors(WatchedEndpoint& endpoint, const std::string& version, const Outcome& outcome,
                                 double label) {
  for (std::size_t i = 0; i < endpoint.watch.size(); ++i) {
    const std::optional<bool> right = endpoint.watch.was_right(i, outcome, label);
    if (!right) continue;
    const auto alarm = endpoint.error_alarms.observe(i, version, *right);
    if (!alarm) continue;
    const std::string& name = endpoint.config.name;
    const audit::Draft draft{
        "backstay", "drift.alarm", "endpoint " + name,
        fmt::format("{} of version {} drifted: {} of the newest {} labelled predictions are wrong, {:.3g}% may be.",
                    alarm->guardrail, version, alarm->errors, alarm->labels, 100 * alarm->allowed),
        alarm->evidence(version)};
    commit_thread_.post([this, draft, name, version] {
      if (ports_.audit.append(draft) && ports_.stored) ports_.stored();
      if (ports_.errors_rose) ports_.errors_rose(name, version);
    });
  }
}

void Monitor::Loop::start_examiners() {
  if (ports_.answers == nullptr) return;
  Examiners::Plan plan;
  for (const WatchedEndpoint& endpoint : endpoints_) plan.push_back(endpoint.config.examiners);
  examiners_ = std::make_unique<Examiners>(
      Examiners::Ports{*ports_.answers,
                       [this](std::uint32_t endpoint, const std::string& version) {
                         return ports_.signature_of(endpoints_[endpoint].config.name, version);
                       },
                       [this](const Outcome& outcome, std::size_t examiner, double verdict) {
                         inbox_.post([this, outcome, examiner, verdict] { take_verdict(outcome, examiner, verdict); });
                       }},
      plan);
}

void Monitor::Loop::take_verdict(const Outcome& outcome, std::size_t examiner, double verdict) {
  WatchedEndpoint& endpoint = endpoints_[outcome.endpoint];
  const std::string& version = directory_.named(outcome.version).version;
  const rollout::State* state = driver_.active(endpoint.config.name);
  if (state == nullptr || (version != state->candidate && version != state->stable)) return;
  // Verdicts are late: one of an answer of before this step of the experiment is evidence of another one.
  if (!endpoint.is_of_experiment(*state, outcome) || outcome.fallback) return;
  endpoint.now = ports_.clock.monotonic();
  Observation observation;
  observation.kind = Observation::Kind::kVerdict;
  observation.candidate = version == state->candidate;
  observation.pi = candidate_chance(directory_.split(endpoint.config.name), outcome);
  observation.label = verdict;
  observation.at = endpoint.clock.at(endpoint.now);
  observation.examiner = static_cast<std::uint8_t>(examiner);
  observation.outcome = outcome;
  observation.outcome.at = endpoint.clock.at(outcome.at);
  show(endpoint, *state, observation);
}

std::string Monitor::Loop::not_ready(const rollout::State& state) const {
  if (state.stable.empty() || backends_.known().ready(state.endpoint, state.stable)) return "";
  return fmt::format(" {}, which takes its place, is not ready itself.", state.stable);
}

void Monitor::Loop::breached(WatchedEndpoint& endpoint, const guardrails::Evidence& evidence) {
  const std::string json = wire::to_json(evidence);
  const std::string& name = endpoint.config.name;
  if (driver_.active(name) == nullptr) return;  // Another guardrail was first.
  if (evidence.action == guardrails::Action::kFlag) {
    const audit::Draft draft{"backstay", "guardrail.flag", "endpoint " + name, evidence.sentence,
                             rollout::with_versions(*driver_.active(name), json)};
    commit_thread_.post([this, draft] {
      if (ports_.audit.append(draft) && ports_.stored) ports_.stored();
    });
  } else if (evidence.action == guardrails::Action::kPause) {
    driver_.handle(name, rollout::PauseBreach{evidence.name, evidence.sentence, json});
  } else {
    driver_.handle(name, rollout::Breach{evidence.name, evidence.sentence + not_ready(*driver_.active(name)), json});
    endpoint.decision_to_zero = ports_.clock.monotonic() - endpoint.now;
    endpoint.decided_at = endpoint.now;
  }
  endpoint.recorder.decided();
}

void Monitor::Loop::check_candidates() {
  for (const WatchedEndpoint& endpoint : endpoints_) {
    const rollout::State* state = driver_.active(endpoint.config.name);
    if (state == nullptr) continue;
    const std::optional<rollout::Event> news = backends_.known().news_of_candidate(*state);
    if (news) driver_.handle(endpoint.config.name, *news);
  }
}

void Monitor::Loop::tick() {
  feedback_.tick();
  dependents_.tick();
  stand_in_.tick(backends_.known());
  for (WatchedEndpoint& endpoint : endpoints_) {
    const rollout::State* state = driver_.active(endpoint.config.name);
    record_progress(endpoint);
    rollout::Tick tick;
    if (state != nullptr) {
      tick.samples = endpoint.step.of(*state);
      tick.shown = endpoint.shown(*state);
    }
    tick.candidate_up = state != nullptr && backends_.known().ready(endpoint.config.name, state->candidate);
    driver_.tick(endpoint.config.name, tick);
  }
}

// A recording ends when the end of its rollout is stored: until then the next server may have to decide it again.
void Monitor::Loop::record_progress(WatchedEndpoint& endpoint) {
  const std::string& name = endpoint.config.name;
  const rollout::State* state = driver_.pending(name) > 0 ? driver_.decided(name) : driver_.active(name);
  endpoint.recorder.tick(state != nullptr ? state->id : std::string(), ports_.clock.monotonic());
}

}  // namespace backstay::monitor
