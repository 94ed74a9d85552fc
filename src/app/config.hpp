#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/classifier_config.hpp"
#include "app/notification_config.hpp"
#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/rollout/plan.hpp"
#include "gateway/gateway.hpp"
#include "live/drift_responder.hpp"
#include "live/live_profiles.hpp"
#include "monitor/guardrail_watch.hpp"
#include "ports/backends.hpp"
#include "services/check_rollout.hpp"
#include "signing/key.hpp"

namespace backstay::app {

/// How versions are served behind an endpoint.
struct BackendConfig {
  BackendSpec::Kind kind = BackendSpec::Kind::kModel;
  std::string url;                          ///< kUrl: for every version; {version} is substituted.
  std::map<std::string, std::string> urls;  ///< kUrl: by version, before `url`.
  std::vector<std::string> command;         ///< kProcess.
  std::string health_path;                  ///< Empty: the kind's default.
  milliseconds start_timeout{60'000};
  milliseconds stop_grace{5'000};
  std::uint64_t threads = 1;  ///< kModel: per worker.
};

/// What is made of live requests.
struct DriftConfig {
  std::uint32_t sample_ppm = 0;  ///< 0: they are not looked at.
  live::EndpointConfig profiles;
  live::ResponsePolicy response;
};

struct EndpointConfig {
  std::string name;
  std::string model;
  std::vector<std::string> routes;
  BackendConfig backend;
  std::string sticky_header;
  std::string sticky_cookie;
  milliseconds deadline{10'000};
  std::uint64_t replay_limit_bytes = 1024 * 1024;
  std::filesystem::path policy_file;  ///< Where the guardrails are; empty: here.
  std::vector<guardrails::GuardrailSpec> guardrails;
  guardrails::Family family;
  monitor::ValuePlan values;
  std::vector<ClassifierConfig> classifiers;
  std::uint32_t examine_ppm = 100'000;  ///< Share of the answers that classifiers and the signature's check look at.
  rollout::Plan plan;
  DriftConfig drift;
  std::vector<std::string> gate_files;                 ///< As written: paths, or "sha256:HEX".
  std::vector<services::RequiredGate> required_gates;  ///< By load_gates().
  std::vector<std::string> exception_key_files;        ///< Public keys (PEM) of who may sign exceptions from gates.
  std::vector<signing::PublicKey> exception_keys;      ///< By load_gates().
};

/// The configuration of `backstay serve`; docs/configuration.md has every key.
struct Config {
  std::filesystem::path data_dir;  ///< Relative paths are relative to the file's folder.
  gateway::Address gateway_listen{0x7f000001, 8080};
  unsigned gateway_threads = 0;
  gateway::Address control_listen{0x7f000001, 8081};
  std::vector<EndpointConfig> endpoints;
  std::vector<NotificationConfig> notifications;
};

/// `name` is the file's path. Unknown keys are refused with the nearest valid one, and everything is validated.
Result<Config> read_config(const std::filesystem::path& name, const std::string& text);

/// Reads the policies that endpoints have in files of their own.
Result<void> load_policies(Config& config,
                           const std::function<Result<std::string>(const std::filesystem::path&)>& read);

/// Reads the gate files that endpoints require and keeps their digests, and the keys whose exceptions they trust: what
/// counts from then on is what they are now. `folder`: that of the configuration. A file that is no gate is refused.
Result<void> load_gates(Config& config, const std::filesystem::path& folder,
                        const std::function<Result<std::string>(const std::filesystem::path&)>& read);

}  // namespace backstay::app
