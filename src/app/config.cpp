#include "app/config.hpp"

#include <fmt/format.h>

#include <set>

#include "domain/registry/metric_pooling.hpp"
#include "domain/registry/metric_scale.hpp"
#include "domain/registry/semantic_version.hpp"
#include "monitor/requirements.hpp"
#include "serving/backend_url.hpp"
#include "serving/supervised_backend.hpp"
#include "wire/document.hpp"
#include "wire/rollout_json.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay::app {

namespace {

using wire::Fields;

void read_address(Fields& fields, const char* key, gateway::Address& out) {
  std::string text;
  fields.optional(key, text);
  if (text.empty()) return;
  auto parsed = gateway::Address::parse(text);
  if (parsed) {
    out = *parsed;
  } else {
    fields.fail(key, parsed.error().message, "Write it like 127.0.0.1:8080.");
  }
}

void check_url(Fields& backend, const std::string& key, const std::string& url) {
  // What stands for these is known later, and any name does here.
  const auto parsed = serving::parse_backend_url(serving::substitute(url, {{"version", "1.0.0"}, {"endpoint", "e"}}));
  if (!parsed) backend.fail(key.c_str(), "is refused: " + parsed.error().message, parsed.error().hint);
}

void read_backend(Fields& fields, BackendConfig& out) {
  fields.object("backend", [&](Fields& backend) {
    std::string kind = "model";
    backend.optional("kind", kind);
    if (kind == "url") {
      out.kind = BackendSpec::Kind::kUrl;
    } else if (kind == "process") {
      out.kind = BackendSpec::Kind::kProcess;
    } else if (kind != "model") {
      backend.fail("kind", fmt::format("is '{}'", kind), "Use one of: url, process, model.");
    }
    backend.optional("url", out.url);
    backend.flattened("urls", out.urls);
    backend.optional("command", out.command);
    backend.optional("health_path", out.health_path);
    backend.optional("start_timeout", out.start_timeout);
    backend.optional("stop_grace", out.stop_grace);
    backend.optional("threads", out.threads);
    if (out.kind == BackendSpec::Kind::kUrl && out.url.empty() && out.urls.empty())
      backend.fail("url", "is missing", "Say where the server is: url: http://127.0.0.1:9000");
    if (!out.url.empty()) check_url(backend, "url", out.url);
    for (const auto& [version, url] : out.urls) check_url(backend, "urls." + version, url);
    if (out.kind == BackendSpec::Kind::kProcess && out.command.empty())
      backend.fail("command", "is missing", "Give it as a list: command: [python3, serve.py, --port, \"{port}\"]");
  });
}

void look_at_failures(std::vector<guardrails::GuardrailSpec>& specs) {
  if (auto missing = guardrails::missing_failure_guardrail(specs)) specs.push_back(*std::move(missing));
}

void read_guardrails(Fields& fields, const std::filesystem::path& folder, EndpointConfig& endpoint) {
  std::string file;
  fields.optional("policy", file);
  if (!file.empty()) {
    endpoint.policy_file = folder / file;
    for (const char* key : {"guardrails", "family"})
      if (fields.has(key)) fields.fail(key, "is given beside policy", "Write it in the policy's file.");
  }
  guardrails::Policy policy;
  wire::read_written_policy(fields, policy);
  look_at_failures(policy.guardrails);
  endpoint.guardrails = std::move(policy.guardrails);
  endpoint.family = policy.family;
  auto values = monitor::plan_values(endpoint.guardrails);
  if (values) {
    endpoint.values = std::move(*values);
  } else {
    fields.fail("guardrails", values.error().message, values.error().hint);
  }
}

void read_rollout(Fields& fields, rollout::Plan& plan) {
  plan = rollout::default_plan();
  fields.object("rollout", [&](Fields& item) {
    wire::read_plan(item, plan);
    if (auto valid = plan.validate(); !valid) item.fail("steps", valid.error().message, valid.error().hint);
  });
}

void read_drift(Fields& fields, DriftConfig& out) {
  fields.object("drift", [&](Fields& drift) {
    drift.optional_share("sample", out.sample_ppm);
    drift.optional("window", out.profiles.window);
    drift.optional("window_rows", out.profiles.window_rows);
    drift.optional("columns", out.profiles.columns);
    std::vector<std::string> ignored;
    drift.optional("ignore", ignored);
    out.profiles.ignored = {ignored.begin(), ignored.end()};
    drift.optional("segment", out.profiles.segment_column);
    drift.optional("alpha", out.profiles.alpha);
    std::string act = "none";
    drift.optional("act", act);
    drift.optional("metric", out.response.metric);
    std::optional<bool> lower;
    drift.optional("lower_is_better", lower);
    if (lower) out.response.better = *lower ? registry::Better::kLower : registry::Better::kHigher;
    if (!out.response.metric.empty()) {
      const auto scale = registry::scale_of(out.response.metric, out.response.better);
      const auto pooling = registry::pooling_for_mixtures(out.response.metric);
      if (!scale) drift.fail("metric", "is refused: " + scale.error().message, scale.error().hint);
      if (scale && !pooling) drift.fail("metric", "is refused: " + pooling.error().message, pooling.error().hint);
    }
    drift.optional("look_back", out.response.look_back);
    if (act == "suggest") {
      out.response.act = live::ResponsePolicy::Act::kSuggest;
    } else if (act == "rollout") {
      out.response.act = live::ResponsePolicy::Act::kRollout;
    } else if (act != "none") {
      drift.fail("act", fmt::format("is '{}'", act), "Use one of: none, suggest, rollout.");
    }
    if (out.sample_ppm == 0)
      drift.fail("sample", "is missing", "Say which share of the requests is looked at: sample: 10%");
    if (out.profiles.window < seconds{1}) drift.fail("window", "is below a second", "Write it like 1h.");
    if (out.profiles.window_rows == 0) drift.fail("window_rows", "is zero", "Leave it out for 100000.");
    if (!(out.profiles.alpha > 0 && out.profiles.alpha < 1))
      drift.fail("alpha", "is no chance", "It is above 0 and below 1: alpha: 0.01");
  });
}

void read_endpoint(Fields& fields, const std::filesystem::path& folder, EndpointConfig& out) {
  fields.required("name", out.name);
  fields.required("model", out.model);
  for (const auto& [key, name] : {std::pair{"name", &out.name}, std::pair{"model", &out.model}}) {
    if (name->empty()) continue;
    if (auto valid = registry::check_name(key, *name); !valid)
      fields.fail(key, valid.error().message, valid.error().hint);
  }
  out.routes = {"/v2/models/" + out.name, "/v1/models/" + out.name};
  if (fields.has("routes")) out.routes.clear();
  fields.optional("routes", out.routes);
  for (const std::string& route : out.routes) {
    if (route.empty() || route.front() != '/')
      fields.fail("routes", fmt::format("has '{}'", route), "A route is a path prefix that starts with /.");
  }
  read_backend(fields, out.backend);
  fields.object("sticky", [&](Fields& sticky) {
    sticky.optional("header", out.sticky_header);
    sticky.optional("cookie", out.sticky_cookie);
    if (out.sticky_header.empty() == out.sticky_cookie.empty())
      sticky.fail("header", "or cookie must be given, and not both", "Name the one that tells users apart.");
  });
  fields.optional("deadline", out.deadline);
  if (out.deadline <= milliseconds{0}) fields.fail("deadline", "is not above zero", "Write it like 2s.");
  fields.optional("replay_limit_bytes", out.replay_limit_bytes);
  read_guardrails(fields, folder, out);
  read_rollout(fields, out.plan);
  read_drift(fields, out.drift);
  out.drift.profiles.name = out.drift.response.endpoint = out.name;
  out.drift.response.ignored = out.drift.profiles.ignored;
  out.drift.response.plan = out.plan;
  fields.optional_texts("gates", out.gate_files);
  fields.optional_texts("exception_keys", out.exception_key_files);
  read_classifiers(fields, folder, out.classifiers);
  fields.optional_share("examine", out.examine_ppm);
  if (!out.policy_file.empty()) return;  // Its guardrails are not known yet.
  if (auto known = monitor::resolve(out.plan, out.guardrails); !known)
    fields.fail("rollout", "is refused: " + known.error().message, known.error().hint);
  if (auto known = check_examiners(out.name, out.values.examiners, out.classifiers); !known)
    fields.fail("classifiers", "is refused: " + known.error().message, known.error().hint);
}

}  // namespace

Result<Config> read_config(const std::filesystem::path& name, const std::string& text) {
  TRY(const wire::Document document, wire::Document::from_yaml(name.string(), text));
  Config config;
  Fields fields(document);
  std::string data_dir = "backstay-data";
  fields.optional("data_dir", data_dir);
  config.data_dir = name.parent_path() / data_dir;
  fields.object("gateway", [&](Fields& gateway) {
    read_address(gateway, "listen", config.gateway_listen);
    std::uint64_t threads = 0;
    gateway.optional("threads", threads);
    if (threads > 256) gateway.fail("threads", "is more than 256", "Leave it out for one per core.");
    config.gateway_threads = static_cast<unsigned>(threads);
  });
  fields.object("control", [&](Fields& control) { read_address(control, "listen", config.control_listen); });
  std::set<std::string> names;
  std::set<std::string> routes;
  fields.each("endpoints", [&](Fields& item) {
    EndpointConfig& endpoint = config.endpoints.emplace_back();
    read_endpoint(item, name.parent_path(), endpoint);
    if (!names.insert(endpoint.name).second)
      item.fail("name", fmt::format("is '{}' a second time", endpoint.name), "Give each its own.");
    for (const std::string& route : endpoint.routes) {
      if (!routes.insert(route).second)
        item.fail("routes", fmt::format("has '{}', which another endpoint has", route),
                  "Give each endpoint its own routes.");
    }
  });
  read_notifications(fields, name.parent_path(), config.notifications);
  if (config.endpoints.empty())
    fields.fail("endpoints", "is missing or empty", "Name at least one: endpoints: [{name: diagnosis, model: m}]");
  TRY_DO(fields.finish());
  return config;
}

Result<void> load_policies(Config& config,
                           const std::function<Result<std::string>(const std::filesystem::path&)>& read) {
  for (EndpointConfig& endpoint : config.endpoints) {
    if (endpoint.policy_file.empty()) continue;
    TRY(const std::string text, read(endpoint.policy_file));
    TRY(guardrails::Policy policy, wire::policy_from_yaml(endpoint.policy_file.string(), text));
    look_at_failures(policy.guardrails);
    TRY(endpoint.values, monitor::plan_values(policy.guardrails));
    endpoint.guardrails = std::move(policy.guardrails);
    endpoint.family = policy.family;
    TRY_DO(monitor::resolve(endpoint.plan, endpoint.guardrails));
    TRY_DO(check_examiners(endpoint.name, endpoint.values.examiners, endpoint.classifiers));
  }
  return {};
}

Result<void> load_gates(Config& config, const std::filesystem::path& folder,
                        const std::function<Result<std::string>(const std::filesystem::path&)>& read) {
  constexpr std::string_view kDigest = "sha256:";
  for (EndpointConfig& endpoint : config.endpoints) {
    for (const std::string& file : endpoint.exception_key_files) {
      TRY(const std::string pem, read(folder / file));
      auto key = signing::PublicKey::from_pem(pem);
      if (!key) return Unexpected(std::move(key).error().within(file));
      endpoint.exception_keys.push_back(*std::move(key));
    }
    for (const std::string& written : endpoint.gate_files) {
      if (written.starts_with(kDigest)) {
        auto digest = Digest::from_hex(std::string_view(written).substr(kDigest.size()));
        if (!digest)
          return Unexpected(std::move(digest).error().within(fmt::format("gates of endpoint '{}'", endpoint.name)));
        endpoint.required_gates.push_back({"", *digest});
        continue;
      }
      TRY(const std::string text, read(folder / written));
      TRY(const wire::Document document, wire::Document::from_yaml(written, text));
      TRY_DO(wire::gate_from(document));
      endpoint.required_gates.push_back({written, sha256(text)});
    }
  }
  return {};
}

}  // namespace backstay::app
