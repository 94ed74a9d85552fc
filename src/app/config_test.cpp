#include "app/config.hpp"

#include <gtest/gtest.h>

#include "wire/policy_templates.hpp"

namespace backstay::app {
namespace {

Result<Config> read(const std::string& text) {
  return read_config("/etc/backstay/backstay.yaml", text);
}

/// The error's whole text; empty when there was none.
std::string refusal(const std::string& text) {
  const auto config = read(text);
  return config ? "" : config.error().message + "\n" + config.error().hint;
}

TEST(Config, OneEndpointIsEnough) {
  const Config config = read("endpoints: [{name: diagnosis, model: breast-cancer}]").value();
  EXPECT_EQ(config.data_dir, "/etc/backstay/backstay-data");
  EXPECT_EQ(config.gateway_listen.str(), "127.0.0.1:8080");
  EXPECT_EQ(config.control_listen.str(), "127.0.0.1:8081");
  const EndpointConfig& endpoint = config.endpoints.at(0);
  EXPECT_EQ(endpoint.routes, (std::vector<std::string>{"/v2/models/diagnosis", "/v1/models/diagnosis"}));
  EXPECT_EQ(endpoint.guardrails, guardrails::default_guardrails());
  EXPECT_EQ(endpoint.plan, rollout::default_plan());
}

TEST(Config, TakesEverythingItIsGiven) {
  const Config config = read(R"(
data_dir: /var/lib/backstay
gateway: {listen: "0.0.0.0:80", threads: 2}
endpoints:
  - name: chat
    model: assistant
    routes: [/v1/chat]
    backend: {kind: url, url: "http://127.0.0.1:9000", urls: {1.1.0: "http://127.0.0.1:9001"}, health_path: /health}
    sticky: {header: X-User}
    deadline: 30s
    guardrails:
      - name: safety
        signal: {kind: response_value, json_pointer: /safety, ok_when: {at_least: 0.5}}
        objective: {at_least: 0.95}
        window: 1h
      - {name: latency, signal: {kind: latency}, objective: {relative_to: stable, tolerance: 2, slack: 20ms}}
    rollout: {steps: [{canary: 0.1, for: 1m, samples: 50}], holdback: 0.1, watch: 10m}
)")
                            .value();
  EXPECT_EQ(config.data_dir, "/var/lib/backstay");
  EXPECT_EQ(config.gateway_threads, 2u);
  const EndpointConfig& endpoint = config.endpoints.at(0);
  EXPECT_EQ(endpoint.backend.urls.at("1.1.0"), "http://127.0.0.1:9001");
  EXPECT_EQ(endpoint.guardrails[0].window, std::chrono::hours(1));
  EXPECT_DOUBLE_EQ(endpoint.guardrails[1].objective.slack_seconds, 0.02);
  EXPECT_EQ(endpoint.values.sources.size(), 1u);
  EXPECT_EQ(endpoint.plan.steps.at(0).ppm, 100'000u);
}

TEST(Config, TakesTheTestAndWhatTheGuardrailsDoTogether) {
  const Config config = read(R"(
endpoints:
  - name: chat
    model: assistant
    family: {control: e_bh, alpha: 0.02}
    guardrails:
      - name: tokens
        signal: {kind: response_value, json_pointer: /tokens, per: {json_pointer: /calls}}
        objective: {relative_to: stable, tolerance: 1.1, better: lower}
        test: ratio_vs_stable
        restart_every: 0
      - name: helpful
        signal: {kind: response_value, json_pointer: /helpful, segment: {header: X-Group, is: 2}}
        objective: {relative_to: stable, margin: 0.02}
)")
                            .value();
  const EndpointConfig& endpoint = config.endpoints.at(0);
  EXPECT_EQ(endpoint.family, (guardrails::Family{guardrails::Family::Control::kEBh, 0.02}));
  EXPECT_EQ(endpoint.guardrails[0].restarts.every, 0u);
  EXPECT_EQ(guardrails::chosen_test(endpoint.guardrails[0]), guardrails::TestKind::kRatioVsStable);
  EXPECT_EQ(guardrails::chosen_test(endpoint.guardrails[1]), guardrails::TestKind::kMeanVsStable);
  EXPECT_EQ(endpoint.guardrails[1].restarts, guardrails::kUsualRestarts);
  EXPECT_EQ(endpoint.values.slots[0], (monitor::ValueSlots{0, 1, -1}));
  EXPECT_EQ(endpoint.values.slots[1], (monitor::ValueSlots{2, -1, 3}));
}

TEST(Config, APolicyMayHaveAFileOfItsOwn) {
  for (const wire::PolicyTemplate& item : wire::policy_templates()) {
    Config config = read("endpoints: [{name: a, model: m, policy: policies/a.yaml}]").value();
    std::filesystem::path asked;
    const auto loaded = load_policies(config, [&](const std::filesystem::path& path) -> Result<std::string> {
      asked = path;
      return std::string(item.text);
    });
    ASSERT_TRUE(loaded) << item.name << ": " << loaded.error().message;
    EXPECT_EQ(asked, "/etc/backstay/policies/a.yaml");
    EXPECT_NE(config.endpoints[0].family.control, guardrails::Family::Control::kEach);
    EXPECT_EQ(config.endpoints[0].values.slots.size(), config.endpoints[0].guardrails.size());
  }
  EXPECT_NE(refusal("endpoints: [{name: a, model: m, policy: p.yaml, guardrails: []}]").find("beside policy"),
            std::string::npos);
}

TEST(Config, RoutesThatAreGivenTakeThePlaceOfTheUsualOnes) {
  const Config config = read("endpoints: [{name: a, model: m, routes: [/v2/models/a, /a]}]").value();
  EXPECT_EQ(config.endpoints.at(0).routes, (std::vector<std::string>{"/v2/models/a", "/a"}));
}

TEST(Config, NamesTheNearestKey) {
  EXPECT_NE(refusal("endpoints: [{name: a, model: m, dead_line: 3s}]").find("deadline"), std::string::npos);
  EXPECT_NE(refusal("endpoints: [{name: a, model: m}]\ngatway: {}").find("gateway"), std::string::npos);
}

TEST(Config, SaysWhatIsWrong) {
  for (const auto& [text, part] : {
           std::pair{"", "is empty"},
           {"data_dir: x", "Name at least one"},
           {"endpoints: [{name: A b, model: m}]", "A b"},
           {"endpoints: [{name: a, model: m}, {name: a, model: n, routes: [/n]}]", "'a' a second time"},
           {"endpoints: [{name: a, model: m, routes: [/x]}, {name: b, model: n, routes: [/x]}]",
            "another endpoint has"},
           {"endpoints: [{name: a, model: m, routes: [x]}]", "starts with /"},
           {"endpoints: [{name: a, model: m, backend: {kind: url}}]", "where the server is"},
           {"endpoints: [{name: a, model: m, backend: {kind: process}}]", "command: ["},
           {"endpoints: [{name: a, model: m, backend: {kind: docker}}]", "url, process, model"},
           {"endpoints: [{name: a, model: m, guardrails: []}]", "never taken back"},
           {"endpoints: [{name: a, model: m, backend: {kind: url, url: \"https://models:443\"}}]", "TLS"},
           {"endpoints:\n- name: a\n  model: m\n  backend:\n    kind: url\n    url: nonsense", "line"},
           {"endpoints: [{name: a, model: m, backend: {kind: url, urls: {1.0.0: \"http://h:1/v1\"}}}]",
            "http://HOST:PORT"},
           {"endpoints: [{name: a, model: m, backend: {kind: url, url: \"http://h:99999\"}}]", "http://HOST:PORT"},
           {"endpoints: [{name: a, model: m, sticky: {header: X, cookie: y}}]", "not both"},
           {"endpoints: [{name: a, model: m, deadline: 5}]", "deadline"},
           {"endpoints: [{name: a, model: m, rollout: {steps: [{canary: 0.5}, {canary: 0.2}]}}]", "step"},
           {"endpoints: [{name: a, model: m, drift: {sample: 10%, act: rollout, metric: r2}}]", "is no mean over rows"},
           {"endpoints: [{name: a, model: m, drift: {sample: 10%, act: rollout, metric: usefulness}}]",
            "lower_is_better"},
           {"endpoints: [{name: a, model: m, drift: {sample: 10%, metric: log_loss, lower_is_better: false}}]",
            "less is better"},
           {"{gateway: {listen: localhost:80}, endpoints: [{name: a, model: m}]}", "127.0.0.1:8080"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: latency}, objective: {at_least: "
            "1s}}]}]",
            "at_most"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: error}, objective: {at_most: 0.1}, "
            "test: ratio_vs_stable}]}]",
            "Leave test out, or use: rate."},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: error}, objective: {at_most: 0.1}, "
            "test: t_test}]}]",
            "'t_test'"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: 'response_value', json_pointer: "
            "/x}, objective: {relative_to: stable, tolerance: 2}}]}]",
            "margin"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: 'response_value', json_pointer: "
            "/x}, objective: {relative_to: stable, margin: 3}}]}]",
            "value_vs_stable"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: 'response_value', json_pointer: /x, "
            "segment: {header: g}}, objective: {relative_to: stable}}]}]",
            "at_least: 0.5"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: error}, objective: {relative_to: "
            "stable}}], family: {control: fdr}}]",
            "each, bonferroni, e_bh"},
           {"endpoints: [{name: a, model: m, guardrails: [{name: g, signal: {kind: error}, objective: {relative_to: "
            "stable}}], family: {alpha: 0.1}}]",
            "no use"},
       })
    EXPECT_NE(refusal(text).find(part), std::string::npos) << text << "\n-> " << refusal(text);
}

}  // namespace
}  // namespace backstay::app
