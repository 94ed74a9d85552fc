#include "monitor/monitor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "monitor/backend_care.hpp"
#include "monitor/feedback.hpp"
#include "monitor/inbox.hpp"
#include "monitor/report_endpoint.hpp"
#include "monitor/task_thread.hpp"
#include "monitor/watched_endpoint.hpp"
#include "services/drive_rollout.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::monitor {

using traffic::Outcome;
using traffic::Role;

namespace {

constexpr long kBusyPauseMicroseconds = 1'000;
constexpr milliseconds kTick{20};
constexpr milliseconds kIdleTick{500};

}  // namespace

class Monitor::Loop : public services::RolloutWorld, public services::CommitQueue {
 public:
  Loop(Ports ports, const std::vector<EndpointConfig>& configs)
      : ports_(std::move(ports)),
        directory_(ports_.routing, names(configs)),
        driver_(*this, *this, ports_.clock),
        backends_(
            {ports_.backends, ports_.lineage, directory_, inbox_, ports_.backend_of, [this] { tell_if_ready(); }}),
        feedback_(ports_.predictions, inbox_, ports_.clock,
                  [this](const Prediction& prediction, double label) { take_label(prediction, label); }) {
    for (const EndpointConfig& config : configs) endpoints_.emplace_back(config, ports_.recordings);
  }
  ~Loop() override { stop(); }

  Result<void> start() {
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
                   newest.empty() ? std::nullopt : std::optional(newest.front()), number);
    }
    TRY(const std::vector<LabelTotal> totals, ports_.predictions.totals());
    for (const LabelTotal& total : totals)
      for (WatchedEndpoint& endpoint : endpoints_)
        if (endpoint.config.name == total.endpoint) endpoint.versions[total.version].traffic.labels = total.labels;
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void stop() {
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

  Inbox& inbox() { return inbox_; }

  /// Has the loop's thread act on an endpoint; the future is what the driver answers, once.
  template <class Act>
  std::future<Result<void>> order(const std::string& endpoint, Condition condition, Act act) {
    const auto promise = std::make_shared<std::promise<Result<void>>>();
    inbox_.post([this, endpoint, condition = std::move(condition), act = std::move(act), promise] {
      auto found = config(endpoint);
      if (!found) return promise->set_value(Unexpected(std::move(found).error()));
      if (condition) {
        if (auto holds = condition(deployment(endpoint)); !holds) return promise->set_value(std::move(holds));
      }
      act(driver_, **found, [promise](Result<void> result) { promise->set_value(std::move(result)); });
    });
    return promise->get_future();
  }

  // --- on the loop's thread ---

  Result<const EndpointConfig*> config(const std::string& name) const {
    std::string known;
    for (const WatchedEndpoint& endpoint : endpoints_) {
      if (endpoint.config.name == name) return &endpoint.config;
      known += (known.empty() ? "" : ", ") + endpoint.config.name;
    }
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no endpoint '{}'.", name),
                      fmt::format("The configured endpoints are: {}.", known));
  }

  Deployment deployment(const std::string& endpoint) const {
    const rollout::State* state = driver_.active(endpoint);
    return {driver_.record(endpoint), state == nullptr ? std::nullopt : std::optional(*state)};
  }

  void take_status(const BackendStatus& status) { backends_.take(status); }

  void tell_when_ready(std::function<void()> tell) {
    when_ready_ = std::move(tell);
    tell_if_ready();
  }

  void take_labels(std::vector<Label> labels, Feedback::Done done) {
    drain();  // So that an answer that a client has is known here.
    feedback_.take(std::move(labels), std::move(done));
  }

  Status report() {
    drain();
    Status status;
    status.gateway = ports_.gateway.counters();
    for (const WatchedEndpoint& endpoint : endpoints_)
      status.endpoints.push_back(monitor::report(endpoint, driver_, directory_.split(endpoint.config.name),
                                                 backends_.known(), ports_.clock.now()));
    return status;
  }

  // RolloutWorld
  void set_traffic(const std::string& endpoint, const traffic::Split& split) override {
    directory_.publish(endpoint, split);
  }
  void ensure_backend(const std::string& endpoint, const std::string& version) override {
    backends_.ensure(endpoint, driver_.record(endpoint).model, version);
  }
  void release_backend(const std::string& endpoint, const std::string& version) override {
    backends_.release(endpoint, version);
  }
  void reset_guardrails(const std::string& name) override {
    WatchedEndpoint& endpoint = find(name);
    endpoint.watch.reset();
    endpoint.step.reset();
    if (const rollout::State* state = driver_.active(name)) {
      Observation reset;
      reset.kind = Observation::Kind::kReset;
      endpoint.recorder.show(state->id, reset, ports_.clock.monotonic());
    }
  }

  // CommitQueue
  void submit(const rollout::Transition& transition, const std::string& model, Done done) override {
    ++commits_;
    commit_thread_.post([this, transition, model, done = std::move(done)] {
      Result<void> result = ports_.store.commit(transition, model);
      if (result && ports_.stored) ports_.stored();
      inbox_.post([this, result = std::move(result), done] {
        --commits_;
        done(result);
      });
    });
  }

 private:
  void tell_if_ready() {
    if (!when_ready_) return;
    const bool ready = std::all_of(endpoints_.begin(), endpoints_.end(), [&](const WatchedEndpoint& endpoint) {
      const EndpointRecord& record = driver_.record(endpoint.config.name);
      return record.stable.empty() || backends_.known().settled(record.endpoint, record.stable);
    });
    if (ready) std::exchange(when_ready_, {})();
  }

  static std::vector<std::string> names(const std::vector<EndpointConfig>& configs) {
    std::vector<std::string> out;
    for (const EndpointConfig& config : configs) out.push_back(config.name);
    return out;
  }

  WatchedEndpoint& find(const std::string& name) {
    return *std::find_if(endpoints_.begin(), endpoints_.end(),
                         [&](const WatchedEndpoint& e) { return e.config.name == name; });
  }

  void run() {
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

  void pause(bool busy, Monotonic next_tick) {
    const auto left = std::chrono::duration_cast<microseconds>(next_tick - ports_.clock.monotonic()).count();
    const long until_tick = std::max<long>(left, 0);
    // Under load outcomes are taken in batches; without load the first one wakes this thread.
    if (busy) {
      inbox_.wait(std::min(until_tick, kBusyPauseMicroseconds));
    } else if (ports_.gateway.prepare_to_sleep()) {
      inbox_.wait(until_tick);
    }
  }

  bool anything_under_way() const {
    return std::any_of(endpoints_.begin(), endpoints_.end(), [&](const WatchedEndpoint& endpoint) {
      return driver_.active(endpoint.config.name) != nullptr || driver_.pending(endpoint.config.name) > 0;
    });
  }

  std::size_t drain() {
    return ports_.gateway.drain([this](const Outcome& outcome) { take(outcome); });
  }

  void take(const Outcome& outcome) {
    WatchedEndpoint& endpoint = endpoints_[outcome.endpoint];
    const std::string& version = directory_.named(outcome.version).version;
    endpoint.versions[version].add(outcome);
    const bool mirrored = outcome.role == Role::kShadow;
    if (endpoint.wants_labels && !mirrored && !outcome.replayed) remember(endpoint, version, outcome);

    const rollout::State* state = driver_.active(endpoint.config.name);
    if (state == nullptr || (version != state->candidate && version != state->stable)) return;
    const bool candidate = version == state->candidate;
    endpoint.step.add(*state, candidate);
    endpoint.now = outcome.at;
    const double pi = candidate_chance(directory_.split(endpoint.config.name), outcome);
    endpoint.recorder.show(state->id, {Observation::Kind::kOutcome, candidate, pi, 0, {}, outcome}, outcome.at);
    endpoint.watch.observe(outcome, candidate, pi,
                           [&](const guardrails::Evidence& evidence) { breached(endpoint, evidence); });
  }

  /// Whose label may come. What was no draw of the split between two versions (the fallback's answers, and stable's
  /// while requests are mirrored) has no chance to bet on.
  void remember(const WatchedEndpoint& endpoint, const std::string& version, const Outcome& outcome) {
    Prediction prediction{endpoint.config.name, version, outcome};
    if (outcome.fallback || !directory_.split(endpoint.config.name).shadow.empty())
      prediction.outcome.candidate_ppm = 0;
    feedback_.remember(std::move(prediction));
  }

  void take_label(const Prediction& prediction, double label) {
    const auto found = std::find_if(endpoints_.begin(), endpoints_.end(),
                                    [&](const WatchedEndpoint& e) { return e.config.name == prediction.endpoint; });
    if (found == endpoints_.end()) return;  // It is no longer served; the label is stored.
    WatchedEndpoint& endpoint = *found;
    const std::string& version = prediction.version;
    const Outcome& outcome = prediction.outcome;
    ++endpoint.labels_joined;
    ++endpoint.versions[version].traffic.labels;
    const rollout::State* state = driver_.active(endpoint.config.name);
    if (state == nullptr || (version != state->candidate && version != state->stable)) return;
    endpoint.now = ports_.clock.monotonic();
    const bool candidate = version == state->candidate;
    // The draw of a prediction that was made before this rollout was another one's: it tells of the version, and
    // nothing of the two versions against one another. The id has whole seconds.
    const bool drawn_here = outcome.prediction.at() > state->started_at;
    const double pi = drawn_here ? outcome.candidate_ppm / static_cast<double>(traffic::kWhole) : 0;
    endpoint.recorder.show(state->id, {Observation::Kind::kLabel, candidate, pi, label, endpoint.now, outcome},
                           endpoint.now);
    endpoint.watch.observe_label(outcome, candidate, pi, label, endpoint.now,
                                 [&](const guardrails::Evidence& evidence) { breached(endpoint, evidence); });
  }

  void breached(WatchedEndpoint& endpoint, const guardrails::Evidence& evidence) {
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
      driver_.handle(name, rollout::Breach{evidence.name, evidence.sentence, json});
      endpoint.decision_to_zero = ports_.clock.monotonic() - endpoint.now;
      endpoint.decided_at = endpoint.now;
    }
    endpoint.recorder.decided();
  }

  /// Whether candidates' backends are where their rollouts need them.
  void check_candidates() {
    for (const WatchedEndpoint& endpoint : endpoints_) {
      const rollout::State* state = driver_.active(endpoint.config.name);
      if (state == nullptr) continue;
      const std::optional<rollout::Event> news = backends_.known().news_of_candidate(*state);
      if (news) driver_.handle(endpoint.config.name, *news);
    }
  }

  void tick() {
    feedback_.tick();
    for (WatchedEndpoint& endpoint : endpoints_) {
      const rollout::State* state = driver_.active(endpoint.config.name);
      record_progress(endpoint);
      const bool up = state != nullptr && backends_.known().ready(endpoint.config.name, state->candidate);
      driver_.tick(endpoint.config.name, {state != nullptr ? endpoint.step.of(*state) : 0, up});
    }
  }

  void record_progress(WatchedEndpoint& endpoint) {
    const rollout::State* state = driver_.active(endpoint.config.name);
    endpoint.recorder.tick(state != nullptr ? state->id : std::string(), ports_.clock.monotonic());
  }

  Ports ports_;
  Inbox inbox_;
  gateway::RoutingDirectory directory_;
  std::vector<WatchedEndpoint> endpoints_;
  services::RolloutDriver driver_;
  std::function<void()> when_ready_;
  std::size_t commits_ = 0;
  bool stopping_ = false;
  std::thread thread_;
  // They post to the inbox: gone before it.
  BackendCare backends_;
  Feedback feedback_;
  TaskThread commit_thread_;
};

Monitor::Monitor(Ports ports, const std::vector<EndpointConfig>& endpoints)
    : loop_(std::make_unique<Loop>(std::move(ports), endpoints)) {}
Monitor::~Monitor() = default;

Result<void> Monitor::start() {
  return loop_->start();
}

bool Monitor::wait_until_ready(milliseconds longest) {
  const auto ready = std::make_shared<std::promise<void>>();
  loop_->inbox().post([loop = loop_.get(), ready] { loop->tell_when_ready([ready] { ready->set_value(); }); });
  return ready->get_future().wait_for(longest) == std::future_status::ready;
}

void Monitor::stop() {
  loop_->stop();
}

void Monitor::wake() const {
  loop_->inbox().wake();
}

void Monitor::on_backend(const BackendStatus& status) {
  loop_->inbox().post([loop = loop_.get(), status] { loop->take_status(status); });
}

std::future<Result<void>> Monitor::start_rollout(const std::string& endpoint, const std::string& candidate,
                                                 const std::optional<rollout::Plan>& plan, const std::string& actor,
                                                 const std::string& reason, Condition condition) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig& config, const auto& done) {
                        rollout::Plan chosen = plan.value_or(config.plan);
                        if (plan) {
                          // Hours and freezes are the endpoint's: another plan adds to them.
                          const rollout::Calendar& always = config.plan.calendar;
                          if (!chosen.calendar.hours) chosen.calendar.hours = always.hours;
                          chosen.calendar.freezes.insert(chosen.calendar.freezes.end(), always.freezes.begin(),
                                                         always.freezes.end());
                        }
                        driver.start(endpoint, candidate, chosen, actor, reason, done);
                      });
}

std::future<Result<void>> Monitor::roll_back(const std::string& endpoint, const std::string& actor,
                                             const std::string& reason, const std::string& to, Condition condition) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig&, const auto& done) {
                        if (to.empty()) return driver.roll_back(endpoint, actor, reason, done);
                        driver.return_to(endpoint, to, actor, reason, done);
                      });
}

std::future<Result<void>> Monitor::handle(const std::string& endpoint, const rollout::Event& event,
                                          Condition condition) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig&, const auto& done) {
                        driver.handle(endpoint, event, done);
                      });
}

std::future<Result<FeedbackResult>> Monitor::feedback(std::vector<Label> labels) {
  auto promise = std::make_shared<std::promise<Result<FeedbackResult>>>();
  std::future<Result<FeedbackResult>> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise, labels = std::move(labels)]() mutable {
    loop->take_labels(std::move(labels),
                      [promise](Result<FeedbackResult> joined) { promise->set_value(std::move(joined)); });
  });
  return result;
}

std::future<Status> Monitor::status() {
  auto promise = std::make_shared<std::promise<Status>>();
  std::future<Status> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise] { promise->set_value(loop->report()); });
  return result;
}

std::future<Result<Deployment>> Monitor::deployment(const std::string& endpoint) {
  auto promise = std::make_shared<std::promise<Result<Deployment>>>();
  std::future<Result<Deployment>> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise, endpoint] {
    auto found = loop->config(endpoint);
    promise->set_value(found ? Result<Deployment>(loop->deployment(endpoint)) : Unexpected(std::move(found).error()));
  });
  return result;
}

}  // namespace backstay::monitor
