#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "backend.hpp"
#include "base/random.hpp"
#include "gateway/gateway.hpp"
#include "monitor/monitor.hpp"
#include "storage/memory/memory_predictions.hpp"
#include "storage/recordings/local_recordings.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

/// bench-rollback REPETITIONS SHARE_PPM THREADS FOLDER: how long a candidate that began to fail still gets requests
/// after the outcome that decided its rollback, and how long after the table without it the rollback and its audit
/// entry are durable. A real gateway, monitor and ledger (in FOLDER, on its disk) on real sockets in one process, so
/// that one clock stamps all ends. Prints "gateway IP:PORT", waits for load on it from outside, prints one line of JSON
/// per repetition and "done", and goes on serving until its standard input is closed, so that the load can end first.

namespace {

using namespace backstay;

constexpr const char* kEndpoint = "bench";
constexpr const char* kStable = "1.0.0";
constexpr const char* kCandidate = "2.0.0";
constexpr seconds kPatience{30};
constexpr milliseconds kQuiet{50};  // After a rollback, for the last requests to arrive: many times the target.

void fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

/// What one version's backend sees: notes when each request arrived, and fails when it is told to. Any thread.
class WatchedVersion {
 public:
  std::string_view answer(Monotonic arrived) {
    {
      const std::lock_guard lock(mutex_);
      arrivals_.push_back(arrived);
    }
    ++seen_;
    return failing_ ? bench::failure() : bench::small_answer();
  }
  void set_failing(bool failing) { failing_ = failing; }
  std::size_t seen() const { return seen_; }
  std::vector<Monotonic> take_arrivals() {
    const std::lock_guard lock(mutex_);
    return std::exchange(arrivals_, {});
  }

 private:
  std::atomic<bool> failing_{false};
  std::atomic<std::size_t> seen_{0};
  std::mutex mutex_;
  std::vector<Monotonic> arrivals_;
};

/// Both versions on one thread, so that neither is slower for being woken less often: a healthy candidate must not
/// breach the latency guardrail before the failure that is measured.
class Versions {
 public:
  Versions() : stable_address_(serve(stable)), candidate_address_(serve(candidate)) {
    thread_ = std::thread([this] { backend_.run(); });
  }
  ~Versions() {
    backend_.stop();
    thread_.join();
  }
  const gateway::Address& stable_address() const { return stable_address_; }
  const gateway::Address& candidate_address() const { return candidate_address_; }

  WatchedVersion stable;
  WatchedVersion candidate;

 private:
  gateway::Address serve(WatchedVersion& version) {
    auto listening =
        backend_.listen({0x7f000001, 0}, [&version](Monotonic arrived) { return version.answer(arrived); });
    if (!listening) fail(listening.error().message);
    return *listening;
  }

  bench::Backend backend_{true};
  gateway::Address stable_address_;
  gateway::Address candidate_address_;
  std::thread thread_;
};

/// Backends that are always there: ready as soon as they are wanted.
class ReadyBackends : public Backends {
 public:
  using Addresses = std::map<std::string, gateway::Address>;
  ReadyBackends(Addresses addresses, OnChange on_change)
      : addresses_(std::move(addresses)), on_change_(std::move(on_change)) {}

  Result<void> ensure(const BackendSpec& spec) override {
    on_change_(
        {spec.endpoint, spec.version, BackendState::kReady, "127.0.0.1", addresses_.at(spec.version).port, "", 0});
    return {};
  }
  void release(const std::string& endpoint, const std::string& version) override {
    on_change_({endpoint, version, BackendState::kStopped, "", 0, "", 0});
  }
  std::vector<BackendStatus> snapshot() const override { return {}; }

 private:
  Addresses addresses_;
  OnChange on_change_;
};

/// The ledger's rollouts; notes when each rollback was durable.
class TimedRollouts : public RolloutStore {
 public:
  explicit TimedRollouts(RolloutStore& store) : store_(store) {}
  Result<void> commit(const rollout::Transition& transition, const std::string& model,
                      std::optional<std::uint64_t> log_size = {}) override {
    Result<void> result = store_.commit(transition, model, log_size);
    if (!result || transition.state.phase != rollout::Phase::kRolledBack) return result;
    const std::lock_guard lock(mutex_);
    durable_.insert_or_assign(transition.state.id, std::chrono::steady_clock::now());
    return result;
  }
  std::optional<Monotonic> durable(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = durable_.find(id);
    return found == durable_.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::vector<rollout::State>> active_rollouts() const override { return store_.active_rollouts(); }
  Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const override {
    return store_.rollouts(endpoint, limit);
  }
  Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const override {
    return store_.endpoint(name);
  }
  Result<std::vector<EndpointRecord>> endpoints() const override { return store_.endpoints(); }
  Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const override {
    return store_.next_rollout_number(endpoint);
  }

 private:
  RolloutStore& store_;
  mutable std::mutex mutex_;
  std::map<std::string, Monotonic> durable_;
};

struct Options {
  std::filesystem::path folder;
  int repetitions = 0;
  std::uint32_t share_ppm = 0;
  unsigned threads = 0;
};

class Rollbacks {
 public:
  explicit Rollbacks(const Options& options)
      : options_(options),
        ledger_(open(options.folder)),
        rollouts_(*ledger_),
        recordings_(options.folder / "recordings"),
        backends_({{kStable, versions_.stable_address()}, {kCandidate, versions_.candidate_address()}},
                  [this](const BackendStatus& status) { monitor_->on_backend(status); }),
        random_(secure_random()) {
    gateway::GatewayConfig config;
    config.threads = options.threads;
    config.endpoints.emplace_back().name = kEndpoint;
    config.endpoints.back().routes = {"/"};
    auto made = gateway::Gateway::create(config, cell_, [this] { monitor_->wake(); });
    must(made);
    gateway_ = *std::move(made);
    monitor_ = std::make_unique<monitor::Monitor>(
        monitor::Monitor::Ports{*gateway_, cell_, backends_, rollouts_, *ledger_, *ledger_, predictions_, &recordings_,
                                system_clock(),
                                [](const std::string& endpoint, const std::string& version) -> Result<BackendSpec> {
                                  BackendSpec spec;
                                  spec.endpoint = endpoint;
                                  spec.version = version;
                                  return spec;
                                }},
        std::vector{monitor_config()});
    for (const char* version : {kStable, kCandidate}) {
      auto ref = registry::VersionRef::parse(fmt::format("bench@{}", version));
      must(ref);
      must(ledger_->add_version({*ref, "{}", true, "bench"}, {"bench", "version.register", ref->str(), "", "{}"}));
    }
    must(monitor_->start());
    gateway_->start();
    must(monitor_->start_rollout(kEndpoint, kStable, rollout::blue_green_plan(), {"bench", "first version"}).get());
  }
  ~Rollbacks() {
    gateway_->stop(seconds(1));
    monitor_->stop();
  }

  void run() {
    wait_for("first version", [&] {
      const auto table = cell_.table();
      return !table->endpoints[0].arms.empty() && table->endpoints[0].arms[0].address;
    });
    fmt::print("gateway {}\n", gateway_->address().str());
    std::fflush(stdout);
    constexpr std::size_t kWarm = 10'000;
    wait_for("load on the gateway", [&] { return versions_.stable.seen() > kWarm; });
    for (int i = 0; i < options_.repetitions; ++i) repeat();
    fmt::print("done\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  }

 private:
  template <class T>
  static void must(const Result<T>& result) {
    if (!result) fail(result.error().message);
  }

  static std::unique_ptr<SqliteLedger> open(const std::filesystem::path& folder) {
    auto ledger = SqliteLedger::open(folder / "backstay.db");
    must(ledger);
    return *std::move(ledger);
  }

  static monitor::EndpointConfig monitor_config() {
    monitor::EndpointConfig config;
    config.name = kEndpoint;
    config.model = "bench";
    config.guardrails = guardrails::default_guardrails();
    auto values = monitor::plan_values(config.guardrails);
    must(values);
    config.slots = values->slots;
    return config;
  }

  template <class Condition>
  static void wait_for(const char* what, Condition condition) {
    const Monotonic deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) fail(fmt::format("there was no {} in time", what));
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  // Read from the routing table: asking the monitor would wake it and make it faster than it is.
  bool candidate_has_traffic() const { return cell_.table()->endpoints[0].candidate_ppm > 0; }

  // False: the end of the rollout before this one is not stored yet.
  bool starts(const rollout::Plan& plan) {
    const Result<void> started = monitor_->start_rollout(kEndpoint, kCandidate, plan, {"bench", "measured"}).get();
    if (!started && started.error().code != ErrorCode::kUnavailable) fail(started.error().message);
    return started.has_value();
  }

  void repeat() {
    rollout::Plan plan;
    plan.steps = {{rollout::Step::Kind::kCanary, options_.share_ppm, std::chrono::hours(24), 0}};
    wait_for("room for a rollout", [&] { return starts(plan); });
    wait_for("canary", [&] { return candidate_has_traffic(); });
    const std::size_t before = versions_.candidate.seen();
    constexpr std::size_t kHealthy = 100;
    wait_for("traffic for the candidate",
             [&] { return versions_.candidate.seen() > before + kHealthy || !candidate_has_traffic(); });
    // Not in step with the monitor's turns.
    std::this_thread::sleep_for(microseconds(random_.below(5'000)));
    versions_.candidate.set_failing(true);
    wait_for("rollback", [&] { return !candidate_has_traffic(); });
    std::this_thread::sleep_for(kQuiet);
    versions_.candidate.set_failing(false);
    versions_.stable.take_arrivals();
    report();
  }

  void report() {
    const monitor::Status status = monitor_->status().get();
    const monitor::EndpointStatus& endpoint = status.endpoints.front();
    const std::vector<Monotonic> arrivals = versions_.candidate.take_arrivals();
    const bool judged = endpoint.decided_at && endpoint.rollout && endpoint.rollout->cause &&
                        endpoint.rollout->cause->trigger == "guardrail";
    if (!judged || arrivals.empty()) fail("the rollback was not a guardrail's");
    const auto after =
        std::count_if(arrivals.begin(), arrivals.end(), [&](const Monotonic& at) { return at > *endpoint.decided_at; });
    const Monotonic latest = *std::max_element(arrivals.begin(), arrivals.end());
    const nanoseconds last = std::max(nanoseconds(0), nanoseconds(latest - *endpoint.decided_at));
    const std::string& id = endpoint.rollout->id;
    wait_for("durable rollback", [&] { return rollouts_.durable(id).has_value(); });
    // Of the publication: the decision's stamp and what it took from there.
    const nanoseconds durable = *rollouts_.durable(id) - (*endpoint.decided_at + *endpoint.decision_to_zero);
    const std::string& reason = endpoint.rollout->cause->reason;
    fmt::print(
        R"({{"last_request_us":{:.1f},"requests_after":{},"decision_to_zero_us":{:.1f},"durable_us":{:.1f},"guardrail":"{}"}})"
        "\n",
        static_cast<double>(last.count()) / 1e3, after, static_cast<double>(endpoint.decision_to_zero->count()) / 1e3,
        static_cast<double>(durable.count()) / 1e3, reason.substr(0, reason.find(':')));
    std::fflush(stdout);
  }

  Options options_;
  Versions versions_;
  gateway::RoutingCell cell_;
  std::unique_ptr<SqliteLedger> ledger_;
  TimedRollouts rollouts_;
  // As in the server, so that what recording costs is in the figures.
  LocalRecordings recordings_;
  MemoryPredictions predictions_;
  ReadyBackends backends_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<monitor::Monitor> monitor_;
  Random random_;
};

template <class T>
T number(const char* text) {
  const std::string_view given(text);
  T value = 0;
  if (std::from_chars(given.data(), given.data() + given.size(), value).ec != std::errc{})
    fail(fmt::format("'{}' is not a number", given));
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: bench-rollback REPETITIONS SHARE_PPM THREADS FOLDER");
  std::signal(SIGPIPE, SIG_IGN);
  Rollbacks(Options{argv[4], number<int>(argv[1]), number<std::uint32_t>(argv[2]), number<unsigned>(argv[3])}).run();
}
