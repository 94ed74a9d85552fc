#include "app/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <set>

#include "api/control_server.hpp"
#include "app/config.hpp"
#include "app/data_directory.hpp"
#include "app/prepare_backend.hpp"
#include "app/run_model.hpp"
#include "base/descriptor_limit.hpp"
#include "base/random.hpp"
#include "base/say.hpp"
#include "gateway/gateway.hpp"
#include "monitor/monitor.hpp"
#include "notify/curl_messenger.hpp"
#include "notify/dispatcher.hpp"
#include "services/lineage.hpp"
#include "services/profiles.hpp"
#include "services/uploads.hpp"
#include "serving/backend_supervisor.hpp"
#include "storage/sqlite/sqlite_predictions.hpp"
#include "wire/manifest_json.hpp"

namespace backstay::app {

namespace {

constexpr seconds kDrain{10};
constexpr seconds kReadyWithin{5};
constexpr std::chrono::hours kUploadLifetime{24};  // After the last byte came.

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return Unexpected(ErrorCode::kNotFound, fmt::format("The configuration {} can't be read.", path.string()),
                      "Check the path; docs/configuration.md has an example.");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

gateway::GatewayConfig gateway_config(const Config& config, gateway::AnswerQueue& answers) {
  gateway::GatewayConfig out;
  out.listen = config.gateway_listen;
  out.threads = config.gateway_threads;
  out.highest_client = highest_unreserved_descriptor();
  for (const EndpointConfig& endpoint : config.endpoints) {
    gateway::EndpointConfig item;
    item.name = endpoint.name;
    item.routes = endpoint.routes;
    item.sticky_header = endpoint.sticky_header;
    item.sticky_cookie = endpoint.sticky_cookie;
    item.try_timeout = endpoint.deadline;
    item.replay_bytes = endpoint.replay_limit_bytes;
    item.values = endpoint.values.sources;
    if (!endpoint.values.examiners.empty()) {
      item.examine_ppm = endpoint.examine_ppm;
      out.answers = &answers;
    }
    item.sample_ppm = endpoint.drift.sample_ppm;
    out.endpoints.push_back(std::move(item));
  }
  return out;
}

Result<std::vector<monitor::EndpointConfig>> monitor_config(const Config& config, const ExaminerPorts& ports) {
  std::vector<monitor::EndpointConfig> out;
  ExaminerFactory factory(ports);
  for (const EndpointConfig& endpoint : config.endpoints) {
    TRY(std::vector<monitor::ExaminerConfig> examiners, factory.make(endpoint.values.examiners, endpoint.classifiers));
    out.push_back({endpoint.name, endpoint.model, endpoint.guardrails, endpoint.values.slots, endpoint.plan,
                   endpoint.family, std::move(examiners)});
  }
  return out;
}

/// Of the endpoints whose requests are looked at.
std::vector<live::EndpointConfig> live_config(const Config& config) {
  std::vector<live::EndpointConfig> out;
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    if (config.endpoints[i].drift.sample_ppm == 0) continue;
    out.push_back(config.endpoints[i].drift.profiles);
    out.back().number = static_cast<std::uint32_t>(i);
  }
  return out;
}

std::vector<live::ResponsePolicy> response_policies(const Config& config) {
  std::vector<live::ResponsePolicy> out;
  for (const EndpointConfig& endpoint : config.endpoints)
    if (endpoint.drift.sample_ppm > 0) out.push_back(endpoint.drift.response);
  return out;
}

/// Everything that runs, made and taken down in order.
class Server {
 public:
  explicit Server(Config config) : config_(std::move(config)) {
    for (const EndpointConfig& endpoint : config_.endpoints) configured_.insert(endpoint.name);
  }

  ~Server() {
    control_.reset();
    if (live_) live_->stop();  // Its responder asks the monitor.
    if (gateway_) gateway_->stop(kDrain);
    if (monitor_) monitor_->stop();
    if (dispatcher_) dispatcher_->stop();
    supervisor_.reset();  // Its threads call the monitor.
    if (published_) data_->withdraw_address();
  }

  Result<void> start() {
    TRY(DataDirectory data, DataDirectory::open(config_.data_dir));
    data_ = std::make_unique<DataDirectory>(std::move(data));
    TRY_DO(data_->lock_for_server());
    TRY(const std::vector<monitor::EndpointConfig> endpoints, monitor_config(config_, examiner_ports()));
    TRY(gateway_, gateway::Gateway::create(gateway_config(config_, answers_), routing_, [this] { monitor_->wake(); }));
    TRY(supervisor_, serving::BackendSupervisor::create(data_->root() / "logs", [this](const BackendStatus& status) {
          monitor_->on_backend(status);
        }));
    TRY(predictions_, SqlitePredictions::open(data_->root() / "predictions.db"));
    TRY(std::vector<notify::Target> targets, load_targets(config_.notifications));
    targets.push_back(notify::log_target());
    dispatcher_ = std::make_unique<notify::Dispatcher>(
        notify::Ports{
            data_->ledger(), data_->ledger(), messenger_, system_clock(),
            [this](const std::string& endpoint, const std::string& version) { return commit_of(endpoint, version); },
            [](const std::string& line) { say(line); }},
        std::move(targets));
    TRY_DO(dispatcher_->start());
    monitor_ = std::make_unique<monitor::Monitor>(
        monitor::Monitor::Ports{
            *gateway_, routing_, *supervisor_, data_->ledger(), data_->ledger(), data_->ledger(), *predictions_,
            &data_->recordings(), system_clock(),
            [this](const std::string& endpoint, const std::string& version) -> Result<BackendSpec> {
              TRY(const EndpointConfig* found, endpoint_of(endpoint));
              return prepare_backend(*found, version, registry(), data_->root());
            },
            [this] { dispatcher_->wake(); },
            [this](const rollout::State& ended, const services::IsWarm& is_warm) {
              return services::find_dependents(
                  records(), ended, [this](const std::string& endpoint) { return release_rules(endpoint); }, is_warm);
            },
            &answers_,
            [this](const std::string& endpoint, const std::string& version) { return signature_of(endpoint, version); },
            [this](const rollout::State& state, const std::string& model) -> Result<void> {
              return services::check_start(records(), state, model, release_rules(state.endpoint),
                                           system_clock().now());
            },
            [this](const std::string& endpoint, const std::string& version) {
              if (live::LiveProfiles* live = watching_.load()) live->errors_rose(endpoint, version);
            },
            [this](const EndpointRecord& record, const services::IsWarm& is_warm) {
              return services::choose_return(records(), record, release_rules(record.endpoint), is_warm);
            }},
        endpoints);
    TRY(uploads_, services::Uploads::open(data_->blobs(), data_->root() / "uploads", kUploadLifetime, system_clock()));
    TRY(const std::string token, data_->control_token());
    TRY_DO(monitor_->start());
    const std::string control = config_.control_listen.str();
    TRY(control_, api::ControlServer::start(control.substr(0, control.rfind(':')), config_.control_listen.port, token,
                                            {*monitor_, registry(), records(), *uploads_, data_->ledger(),
                                             data_->ledger(), data_->live_windows(),
                                             [this](const std::string& endpoint) -> Result<std::string> {
                                               TRY(const EndpointConfig* found, endpoint_of(endpoint));
                                               return found->model;
                                             },
                                             [this](const std::string& endpoint) { return release_rules(endpoint); },
                                             [this](const std::string& endpoint) {
                                               const auto found = endpoint_of(endpoint);
                                               return found ? (*found)->plan : rollout::default_plan();
                                             },
                                             [this](const std::string& endpoint) {
                                               const live::LiveProfiles* live = watching_.load();
                                               return live != nullptr ? live->counts(endpoint) : std::nullopt;
                                             }}));
    control_url_ = fmt::format("http://{}:{}", control.substr(0, control.rfind(':')), control_->port());
    TRY_DO(data_->publish_address(control_url_));
    published_ = true;
    // Clients can connect already; they are answered when there is something to answer with. What takes long to load
    // does not keep the other endpoints waiting for ever.
    monitor_->wait_until_ready(kReadyWithin);
    gateway_->start();
    start_live();
    return {};
  }

  /// Loud, because a token that is read on the way opens everything.
  void warn_of_open_control() const {
    constexpr std::uint32_t kLoopback = 127;
    if (config_.control_listen.ip >> 24 == kLoopback) return;
    say(fmt::format(
        "WARNING: the control API listens on {} without TLS. Whoever can read the network can read its token, and\n"
        "         then release and roll back versions. Let it listen on 127.0.0.1 (control: listen:), or on a\n"
        "         network that nobody else is on, behind a proxy that speaks TLS.",
        config_.control_listen.str()));
  }

  /// What traffic will miss: a slip in a name, a stable version that can't be served.
  Result<void> warn_of_endpoints() {
    TRY(const std::vector<EndpointRecord> known, records().rollouts.endpoints());
    for (const EndpointRecord& record : known) {
      if (endpoint_of(record.endpoint)) continue;
      say(
          fmt::format("warning: the endpoint '{}' of the registry, which serves {}@{}, is not in the configuration: "
                      "nothing is served there, and a rollout of it stands still.",
                      record.endpoint, record.model, record.stable));
    }
    const monitor::Status status = monitor_->status().get();
    for (const monitor::EndpointStatus& item : status.endpoints) {
      if (item.stable.empty()) continue;
      const auto backend = std::find_if(item.backends.begin(), item.backends.end(),
                                        [&](const auto& each) { return each.version == item.stable; });
      const bool there = backend != item.backends.end();
      if (there && backend->state == BackendState::kReady) continue;
      say(fmt::format("warning: endpoint '{}': {}, which is stable, is not ready{}{}: its requests fail.",
                      item.endpoint, item.stable, there && !backend->detail.empty() ? ": " : "",
                      there ? backend->detail : ""));
    }
    return {};
  }

  void print_addresses() const {
    say_on_output(fmt::format("gateway  http://{}", gateway_->address().str()));
    for (const EndpointConfig& endpoint : config_.endpoints)
      say_on_output(
          fmt::format("         {} -> {} ({})", fmt::join(endpoint.routes, ", "), endpoint.name, endpoint.model));
    say_on_output(
        fmt::format("control  {}  (token in {})", control_url_, (data_->root() / "control" / "token").string()));
  }

 private:
  ExaminerPorts examiner_ports() {
    return {messenger_, read_file,
            [this](const registry::VersionRef& version) -> Result<void> {
              TRY_DO(data_->ledger().version(version));
              return {};
            },
            [this](const registry::VersionRef& version, const evaluation::BackendChoice& backend,
                   const std::stop_token& stop) -> Result<std::unique_ptr<ModelRunner>> {
              TRY(const std::optional<Quarantine> quarantine, services::quarantine_of(records(), version));
              if (quarantine)
                return Unexpected(ErrorCode::kFailedPrecondition,
                                  fmt::format("{} is in quarantine: {}", version.str(), quarantine->reason),
                                  "Name another version, or lift it with backstay quarantine lift.");
              return run_model(registry(), version, backend, data_->root(), "logs/classifiers", stop);
            }};
  }

  /// Looks into live requests, when there is an endpoint that says so.
  void start_live() {
    const std::vector<live::EndpointConfig> endpoints = live_config(config_);
    if (endpoints.empty()) return;
    responder_ = std::make_unique<live::DriftResponder>(
        live::DriftResponder::Ports{registry(), records(), data_->live_windows(), *monitor_, system_clock(),
                                    [this](const std::string& endpoint) { return release_rules(endpoint); }},
        response_policies(config_));
    live_ = std::make_unique<live::LiveProfiles>(
        live::LiveProfiles::Ports{[this](const auto& take) { gateway_->drain_samples(take); },
                                  [this] { return gateway_->counters().samples_dropped; }, data_->live_windows(),
                                  data_->ledger(), system_clock(),
                                  [this](const std::string& endpoint, const std::string& version) {
                                    return training_profile(endpoint, version);
                                  },
                                  [this](const std::string& endpoint, const std::string& version) {
                                    responder_->respond(endpoint, version);
                                    dispatcher_->wake();
                                  }},
        endpoints);
    live_->start();
    watching_ = live_.get();
  }

  Result<drift::Profile> training_profile(const std::string& endpoint, const std::string& version) const {
    TRY(const EndpointConfig* found, endpoint_of(endpoint));
    TRY(const registry::SemanticVersion number, registry::SemanticVersion::parse(version));
    TRY(const StoredVersion stored, data_->ledger().version({found->model, number}));
    TRY(const registry::Manifest manifest, services::manifest_of(stored));
    TRY(services::DataProfile training, services::data_profile(data_->blobs(), manifest, "training"));
    return std::move(training.profile);
  }

  services::Registry registry() const { return {data_->ledger(), data_->blobs()}; }

  services::Records records() const {
    services::Records records = services::records_of(data_->ledger());
    records.configured = &configured_;
    return records;
  }

  services::ReleaseRules release_rules(const std::string& endpoint) const {
    const auto found = endpoint_of(endpoint);
    if (!found) return {};
    return {(*found)->required_gates, {&data_->ledger(), (*found)->exception_keys, system_clock().now()}};
  }

  Result<registry::Signature> signature_of(const std::string& endpoint, const std::string& version) const {
    TRY(const EndpointConfig* found, endpoint_of(endpoint));
    TRY(registry::SemanticVersion number, registry::SemanticVersion::parse(version));
    TRY(const StoredVersion stored, data_->ledger().version({found->model, std::move(number)}));
    TRY(registry::Manifest manifest, wire::manifest_from_json("the manifest", stored.manifest_json));
    return std::move(manifest.signature);
  }

  /// Empty: not known.
  std::string commit_of(const std::string& endpoint, const std::string& version) const {
    const auto found = endpoint_of(endpoint);
    const auto number = registry::SemanticVersion::parse(version);
    if (!found || !number) return "";
    const auto stored = data_->ledger().version({(*found)->model, *number});
    if (!stored) return "";
    const auto manifest = wire::manifest_from_json("the manifest", stored->manifest_json);
    return manifest ? manifest->code.commit : "";
  }

  Result<const EndpointConfig*> endpoint_of(const std::string& name) const {
    for (const EndpointConfig& endpoint : config_.endpoints) {
      if (endpoint.name == name) return &endpoint;
    }
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no endpoint '{}'.", name),
                      "The configuration file names the endpoints.");
  }

  const Config config_;
  std::set<std::string> configured_;  ///< Names of endpoints.
  std::unique_ptr<DataDirectory> data_;
  gateway::RoutingCell routing_;
  gateway::AnswerQueue answers_;
  notify::CurlMessenger messenger_;
  std::unique_ptr<notify::Dispatcher> dispatcher_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<SqlitePredictions> predictions_;
  std::unique_ptr<monitor::Monitor> monitor_;
  std::unique_ptr<serving::BackendSupervisor> supervisor_;
  std::unique_ptr<services::Uploads> uploads_;
  std::unique_ptr<live::DriftResponder> responder_;
  std::unique_ptr<live::LiveProfiles> live_;
  std::atomic<live::LiveProfiles*> watching_{nullptr};  ///< live_ once it runs: the monitor began before.
  std::unique_ptr<api::ControlServer> control_;
  std::string control_url_;
  bool published_ = false;
};

}  // namespace

Result<void> test_notification(const std::filesystem::path& config_file, const std::string& name) {
  TRY(const std::string text, read_file(config_file));
  TRY(const Config config, read_config(config_file, text));
  TRY(const std::vector<notify::Target> targets, load_targets(config.notifications));
  std::string known;
  for (const notify::Target& target : targets) {
    known += (known.empty() ? "" : ", ") + target.name;
    if (target.name != name) continue;
    if (target.kind == notify::Target::Kind::kGithub)
      return Unexpected(ErrorCode::kUnsupported,
                        "A GitHub deployment is of a commit: there is nothing to test it with.",
                        "Start a rollout; backstay notify list shows what was not delivered.");
    wire::Notice notice;
    notice.at = system_clock().now();
    notice.event = "test";
    notice.id = fmt::format("test-{:016x}", secure_random());
    notice.endpoint = config.endpoints.front().name;
    notice.actor = "backstay";
    notice.reason = "This is a test of the notification target " + name + ": nothing was released.";
    const notify::Delivery delivery = notify::deliver(notify::CurlMessenger(), target, notice, system_clock());
    if (delivery.delivered) return {};
    return Unexpected(ErrorCode::kUnavailable, fmt::format("{} was not told. {}", name, delivery.why_not),
                      "Check its address and secret in the configuration.");
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no notification target '{}'.", name),
                    known.empty() ? "The configuration has none." : fmt::format("The configuration has: {}.", known));
}

Result<void> serve(const std::filesystem::path& config_file) {
  TRY(const std::string text, read_file(config_file));
  TRY(Config config, read_config(config_file, text));
  TRY_DO(load_policies(config, read_file));
  TRY_DO(load_gates(config, config_file.parent_path(), read_file));
  raise_descriptor_limit();  // Each connection of a client and of a backend is a descriptor.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // Threads inherit it; this one waits for them below.
  signal(SIGPIPE, SIG_IGN);
  Server server(std::move(config));
  TRY_DO(server.start());
  server.warn_of_open_control();
  TRY_DO(server.warn_of_endpoints());
  server.print_addresses();
  int number = 0;
  sigwait(&signals, &number);
  say_on_output("stopping: requests that are under way finish first");
  return {};
}

}  // namespace backstay::app
