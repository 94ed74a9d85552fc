#include "monitor/monitor.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "monitor/explain_rollout.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "storage/memory/memory_predictions.hpp"
#include "storage/recordings/local_recordings.hpp"

namespace backstay::monitor {
namespace {

/// A store whose disk is full for as long as the test wants.
class FullDisk : public RolloutStore {
 public:
  explicit FullDisk(MemoryLedger& ledger) : ledger_(ledger) {}
  Result<void> commit(const rollout::Transition& transition, const std::string& model,
                      std::optional<std::uint64_t> log_size) override {
    {
      const std::lock_guard lock(mutex_);
      if (full_) {
        ++refused_;
        changed_.notify_all();
        return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
      }
    }
    return ledger_.commit(transition, model, log_size);
  }
  Result<std::vector<rollout::State>> active_rollouts() const override { return ledger_.active_rollouts(); }
  Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const override {
    return ledger_.rollouts(endpoint, limit);
  }
  Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const override {
    return ledger_.endpoint(name);
  }
  Result<std::vector<EndpointRecord>> endpoints() const override { return ledger_.endpoints(); }
  Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const override {
    return ledger_.next_rollout_number(endpoint);
  }

  void set_full(bool full) {
    const std::lock_guard lock(mutex_);
    full_ = full;
  }
  void wait_until_it_refused() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return refused_ > 0; });
  }

 private:
  MemoryLedger& ledger_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool full_ = false;
  int refused_ = 0;
};

/// Backends that are ready as soon as they are asked for, unless the test says that a version never is.
class ReadyBackends : public Backends {
 public:
  Result<void> ensure(const BackendSpec& spec) override {
    BackendStatus status;
    status.endpoint = spec.endpoint;
    status.version = spec.version;
    status.host = "127.0.0.1";
    status.port = 9;
    status.state = spec.version == broken ? BackendState::kFailed : BackendState::kReady;
    status.detail = spec.version == broken ? "It exited with 3." : "";
    on_change(status);
    return {};
  }
  void release(const std::string&, const std::string& version) override {
    const std::lock_guard lock(mutex_);
    released.push_back(version);
    changed_.notify_all();
  }
  std::vector<BackendStatus> snapshot() const override { return {}; }
  void wait_until_released(const std::string& version) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::find(released.begin(), released.end(), version) != released.end(); });
  }

  std::string broken;
  std::vector<std::string> released;
  OnChange on_change;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() {
    gateway::GatewayConfig config;
    config.threads = 1;
    config.endpoints.emplace_back().name = "e";
    config.endpoints[0].routes = {"/e"};
    gateway = gateway::Gateway::create(config, routing, [this] { monitor->wake(); }).value();
    gateway->start();
    for (const char* text : {"m@1.0.0", "m@1.1.0", "m@1.2.0"}) {
      const auto ref = registry::VersionRef::parse(text).value();
      EXPECT_TRUE(ledger.add_version({ref, text, true, "a"}, {"a", "version.register", text, "", "{}"}));
    }
    restart();
  }
  ~MonitorTest() override {
    gateway->stop(milliseconds(0));
    monitor->stop();
    std::filesystem::remove_all(folder);
  }

  void restart() {
    if (monitor) monitor->stop();
    std::vector<EndpointConfig> endpoints(1);
    endpoints[0].name = "e";
    endpoints[0].model = "m";
    endpoints[0].guardrails = guardrails;
    endpoints[0].slots = std::vector<ValueSlots>(guardrails.size());
    endpoints[0].plan = rollout::default_plan();
    backends.on_change = [this](const BackendStatus& status) { monitor->on_backend(status); };
    monitor = std::make_unique<Monitor>(
        Monitor::Ports{*gateway,
                       routing,
                       backends,
                       disk,
                       ledger,
                       ledger,
                       predictions,
                       &recordings,
                       system_clock(),
                       [](const std::string& endpoint, const std::string& version) -> Result<BackendSpec> {
                         BackendSpec spec;
                         spec.endpoint = endpoint;
                         spec.version = version;
                         return spec;
                       },
                       {},
                       {},
                       nullptr,
                       {},
                       [this](const rollout::State& state, const std::string&) -> Result<void> {
                         if (state.candidate != forbidden && (state.forced || !only_forced)) return {};
                         return Unexpected(ErrorCode::kFailedPrecondition, state.candidate + " needs what is gone.");
                       }},
        endpoints);
    ASSERT_TRUE(monitor->start());
  }
  EndpointStatus status() { return monitor->status().get().endpoints.at(0); }
  std::uint32_t share(const std::string& version) {
    for (const traffic::Share& arm : status().split.arms)
      if (arm.version == version) return arm.ppm;
    return 0;
  }
  /// Each look at the status is a turn of the monitor's loop, so this ends when the loop has got there.
  template <class Condition>
  void until(Condition condition) {
    while (!condition()) {
    }
  }
  void deploy(const std::string& version) {
    ASSERT_TRUE(monitor->start_rollout("e", version, rollout::blue_green_plan(), {"alice", ""}).get());
    until([&] { return status().rollout->phase != rollout::Phase::kWarming; });
    if (status().rollout->phase == rollout::Phase::kWatching) {
      ASSERT_TRUE(monitor->handle("e", rollout::Promote{"alice", ""}).get());
    }
    until([&] { return status().stable == version; });
  }
  /// One guardrail, on failures of which so many may be, and a server that has it.
  void guard_failures(double at_most, double alpha = 0.01) {
    guardrails.resize(1);
    guardrails[0].objective.kind = guardrails::Objective::Kind::kAtMost;
    guardrails[0].objective.bound = at_most;
    guardrails[0].alpha = alpha;
    restart();
  }
  void start_canary(const std::string& version) {
    ASSERT_TRUE(monitor->start_rollout("e", version, {}, {"alice", ""}).get());
    until([&] { return share(version) == 50'000; });
  }

  /// One request to the endpoint, whose backends are at a port where nobody listens: it fails.
  void request_that_fails() {
    const Descriptor client = gateway::start_connect(gateway->address()).value();
    pollfd ready{client.get(), POLLOUT, 0};
    poll(&ready, 1, -1);
    const std::string_view request = "GET /e HTTP/1.1\r\nHost: e\r\n\r\n";
    ASSERT_EQ(send(client.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    ready.events = POLLIN;
    poll(&ready, 1, -1);
  }

  std::vector<guardrails::GuardrailSpec> guardrails = guardrails::default_guardrails();
  MemoryLedger ledger;
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("monitor-" + std::to_string(getpid()));
  LocalRecordings recordings{folder};
  MemoryPredictions predictions;
  std::string forbidden;  ///< What may_start refuses; changed while no order is under way.
  bool only_forced = false;
  FullDisk disk{ledger};
  ReadyBackends backends;
  gateway::RoutingCell routing;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<Monitor> monitor;
};

TEST_F(MonitorTest, AReleaseThatIsNotAllowedAnyMoreWhenItIsStoredNeverWas) {
  deploy("1.0.0");
  forbidden = "1.1.0";
  const auto refused = monitor->start_rollout("e", "1.1.0", rollout::default_plan(), {"alice", ""}).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "1.1.0 needs what is gone.");
  EXPECT_EQ(share("1.0.0"), traffic::kWhole);
  EXPECT_TRUE(ledger.active_rollouts()->empty());
  forbidden.clear();
  EXPECT_TRUE(monitor->start_rollout("e", "1.1.0", rollout::default_plan(), {"alice", ""}).get());
}

TEST_F(MonitorTest, AnOrderThatIsForcedIsKnownAsOneWhereItsStartIsChecked) {
  deploy("1.0.0");
  only_forced = true;
  EXPECT_FALSE(monitor->start_rollout("e", "1.1.0", {}, {"alice", "a reason"}).get());
  EXPECT_TRUE(monitor->start_rollout("e", "1.1.0", {}, {"alice", "a reason", true}).get());
}

TEST_F(MonitorTest, AFirstVersionServesEverythingOnceItIsReady) {
  deploy("1.0.0");
  EXPECT_EQ(share("1.0.0"), traffic::kWhole);
  EXPECT_EQ(ledger.endpoint("e").value()->stable, "1.0.0");
}

TEST_F(MonitorTest, ARollbackIsInForceWhileTheDiskIsFullAndStoredWhenItHasRoom) {
  deploy("1.0.0");
  start_canary("1.1.0");
  disk.set_full(true);
  auto durable = monitor->roll_back("e", "alice", "complaints");
  disk.wait_until_it_refused();
  EXPECT_EQ(share("1.1.0"), 0u);
  EXPECT_EQ(routing.table()->endpoints[0].candidate_ppm, 0u);
  EXPECT_EQ(ledger.active_rollouts()->size(), 1u);
  until([&] { return status().trouble == "The disk is full."; });  // The refusal is on its way to the loop.
  disk.set_full(false);
  EXPECT_TRUE(durable.get());
  EXPECT_TRUE(ledger.active_rollouts()->empty());
  EXPECT_EQ(ledger.rollouts("e", 1)->front().cause->reason, "complaints");
  backends.wait_until_released("1.1.0");
}

TEST_F(MonitorTest, ABackendThatIsReleasedIsNotTakenForReadyUntilItStops) {
  deploy("1.0.0");
  start_canary("1.1.0");
  ASSERT_TRUE(monitor->roll_back("e", "alice", "complaints").get());
  for (const BackendStatus& backend : status().backends) EXPECT_NE(backend.version, "1.1.0");
}

TEST_F(MonitorTest, ACandidateWhoseBackendFailsNeverGetsTraffic) {
  deploy("1.0.0");
  backends.broken = "1.1.0";
  ASSERT_TRUE(monitor->start_rollout("e", "1.1.0", {}, {"alice", ""}).get());
  until([&] { return status().rollout->phase == rollout::Phase::kRolledBack; });
  EXPECT_EQ(status().rollout->cause->trigger, "not_ready");
  EXPECT_NE(status().rollout->cause->reason.find("It exited with 3."), std::string::npos);
  EXPECT_EQ(share("1.0.0"), traffic::kWhole);
}

TEST_F(MonitorTest, ABreachTakesTheTrafficAndSaysWhichMomentDecided) {
  guard_failures(0.1);
  deploy("1.0.0");
  ASSERT_TRUE(monitor->start_rollout("e", "1.1.0", rollout::blue_green_plan(), {"alice", ""}).get());
  until([&] { return share("1.1.0") == traffic::kWhole; });
  EXPECT_FALSE(status().decided_at);
  const Monotonic before = system_clock().monotonic();
  until([&] {
    request_that_fails();
    return status().rollout->phase == rollout::Phase::kRolledBack;
  });
  const EndpointStatus after = status();
  EXPECT_EQ(after.rollout->cause->trigger, "guardrail");
  EXPECT_EQ(share("1.0.0"), traffic::kWhole);
  EXPECT_GT(after.decided_at.value(), before);
  EXPECT_LT(after.decided_at.value() + after.decision_to_zero.value(), system_clock().monotonic());
}

TEST_F(MonitorTest, ARecordedRolloutIsDecidedAgainBitForBitAlsoAfterARestart) {
  guard_failures(0.1);
  deploy("1.0.0");
  start_canary("1.1.0");
  for (int i = 0; i < 200; ++i) request_that_fails();
  until([&] { return status().rollout->samples > 0 || status().rollout->phase == rollout::Phase::kRolledBack; });
  restart();  // What was seen until now goes on to count, then as now.
  until([&] {
    request_that_fails();
    return status().rollout->phase == rollout::Phase::kRolledBack;
  });
  monitor->stop();  // Everything is written then.
  const rollout::State stored = ledger.rollouts("e", 1)->front();
  const auto again = replay(recordings, stored.id, std::nullopt);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(compare(stored, *again).kind, Agreement::Kind::kSame) << compare(stored, *again).sentence;
  EXPECT_EQ(again->crossings.size(), 1u);

  guardrails[0].objective.bound = 0.9;
  guardrails[0].alpha = 1e-300;
  const auto instead = replay(recordings, stored.id, guardrails::Policy{guardrails, {}});
  ASSERT_TRUE(instead);
  EXPECT_TRUE(instead->crossings.empty());
  EXPECT_EQ(instead->candidate_outcomes, again->candidate_outcomes);
}

TEST_F(MonitorTest, EvidenceGoesOnAfterARestartUnlessTheGuardrailsAreOthers) {
  guard_failures(0.9, 1e-300);
  deploy("1.0.0");
  start_canary("1.1.0");
  until([&] {
    request_that_fails();
    return status().guardrails[0].candidate_n >= 3;
  });
  const EndpointStatus before = status();
  restart();
  until([&] { return share("1.1.0") == 50'000; });
  EXPECT_EQ(status().guardrails[0].candidate_n, before.guardrails[0].candidate_n);
  EXPECT_EQ(status().guardrails[0].log_e, before.guardrails[0].log_e);
  guardrails[0].objective.bound = 0.8;
  restart();
  until([&] { return share("1.1.0") == 50'000; });
  EXPECT_EQ(status().guardrails[0].candidate_n, 0U);
}

TEST_F(MonitorTest, WhatWasDecidedAndNotStoredIsDecidedAgainByTheNextServer) {
  guard_failures(0.1);
  deploy("1.0.0");
  start_canary("1.1.0");
  disk.set_full(true);
  until([&] {
    request_that_fails();
    return share("1.1.0") == 0;
  });
  disk.wait_until_it_refused();
  restart();
  disk.set_full(false);
  until([&] { return status().rollout->phase == rollout::Phase::kRolledBack; });
  EXPECT_EQ(status().rollout->cause->trigger, "guardrail");
  until([&] { return ledger.active_rollouts()->empty(); });
}

TEST_F(MonitorTest, ARolloutStandsStillWhenWhatItRequiresIsNoLongerMeasured) {
  deploy("1.0.0");
  rollout::Plan plan = rollout::default_plan();
  rollout::Requirement required;
  required.guardrail = "errors";
  required.tolerance = 1.5;
  plan.steps[0].proof = {{required}, std::chrono::hours(2), rollout::Proof::Otherwise::kRollBack};
  ASSERT_TRUE(monitor->start_rollout("e", "1.1.0", plan, {"alice", ""}).get());
  until([&] { return share("1.1.0") == 50'000; });
  guardrails.erase(guardrails.begin());
  restart();
  until([&] { return status().rollout->paused; });
}

TEST_F(MonitorTest, ARestartBringsBackTheSplitOfTheRolloutThatWasUnderWay) {
  deploy("1.0.0");
  start_canary("1.1.0");
  restart();
  until([&] { return share("1.1.0") == 50'000; });
  EXPECT_EQ(share("1.0.0"), 950'000u);
}

TEST_F(MonitorTest, WithoutARolloutRollbackReturnsToTheStandby) {
  deploy("1.0.0");
  deploy("1.1.0");
  EXPECT_EQ(status().standby, "1.0.0");
  ASSERT_TRUE(monitor->roll_back("e", "alice", "it was better before").get());
  EXPECT_EQ(status().stable, "1.0.0");
  EXPECT_EQ(share("1.0.0"), traffic::kWhole);
}

TEST_F(MonitorTest, OfManyWhoSawTheSameOneIsObeyed) {
  deploy("1.0.0");
  start_canary("1.1.0");
  const std::uint64_t seen = monitor->deployment("e").get()->rollout->revision;
  const Monitor::Condition unchanged = [seen](const Deployment& now) -> Result<void> {
    if (now.rollout && now.rollout->revision == seen) return {};
    return Unexpected(ErrorCode::kFailedPrecondition, "It changed.");
  };
  std::vector<std::future<Result<void>>> orders;
  for (int i = 0; i < 20; ++i) {
    orders.push_back(i % 2 == 0 ? monitor->handle("e", rollout::Pause{"alice", "wait"}, unchanged)
                                : monitor->roll_back("e", "bob", "complaints", "", unchanged));
  }
  int obeyed = 0;
  for (auto& order : orders) {
    const Result<void> result = order.get();
    obeyed += result ? 1 : 0;
    if (result) continue;
    EXPECT_EQ(result.error().code, ErrorCode::kFailedPrecondition) << result.error().message;
  }
  EXPECT_EQ(obeyed, 1);
  EXPECT_TRUE(status().rollout->paused);  // They are taken in order, so it was the first.
}

TEST_F(MonitorTest, NamesTheEndpointsWhenAskedForAnother) {
  const auto refused = monitor->roll_back("f", "alice", "why").get();
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(refused.error().hint, "The configured endpoints are: e.");
}

}  // namespace
}  // namespace backstay::monitor
