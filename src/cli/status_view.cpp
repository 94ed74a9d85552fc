#include "cli/status_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/terminal.hpp"

namespace backstay::cli {

using nlohmann::json;

namespace {

constexpr int kBarWidth = 24;

std::string bar(double share, const char* full) {
  std::string out;
  const int cells = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth));
  for (int i = 0; i < kBarWidth; ++i) out += i < cells || (i == 0 && share > 0) ? full : "·";
  return out;
}

std::string percent(double share) {
  return fmt::format("{:g}%", share * 100);
}

std::string milliseconds_text(const json& version, const char* key) {
  return fmt::format("{:.1f} ms", version.value(key, 0.0) * 1e3);
}

std::string phase_line(const json& rollout) {
  const std::string phase = rollout["phase"];
  std::string text = fmt::format("{}  {} -> {}", rollout["id"].get<std::string>(), rollout.value("stable", ""),
                                 rollout["candidate"].get<std::string>());
  if (phase == "rolled_back") return text + "  " + coloured(Colour::kRed, "rolled back");
  if (phase == "done") return text + "  " + coloured(Colour::kGreen, "done");
  if (phase == "stepping")
    text += fmt::format("  step {} of {}", rollout["step_index"].get<int>() + 1, rollout["plan"]["steps"].size());
  else
    text += "  " + phase;
  return text + (rollout.value("paused", false) ? coloured(Colour::kYellow, "  paused") : "");
}

bool is_under_way(const json& rollout) {
  return !rollout.is_null() && rollout["phase"] != "done" && rollout["phase"] != "rolled_back";
}

/// Why a backend that should serve does not.
std::string backend_troubles(const json& endpoint) {
  std::string out;
  for (const json& backend : endpoint["backends"]) {
    const std::string detail = backend.value("detail", "");
    if (backend["state"] != "ready" && backend["state"] != "stopped" && !detail.empty())
      out += fmt::format("{} is {}: {}\n", backend["version"].get<std::string>(), backend["state"].get<std::string>(),
                         detail);
  }
  return out;
}

std::string backend_of(const json& endpoint, const std::string& version) {
  for (const json& backend : endpoint["backends"]) {
    if (backend["version"] != version) continue;
    const std::string state = backend["state"];
    const auto restarts = backend["restarts"].get<int>();
    return (state == "ready" ? state : coloured(Colour::kYellow, state)) +
           (restarts > 0 ? fmt::format(", {} restarts", restarts) : "");
  }
  return "-";
}

std::string traffic_table(const json& endpoint) {
  std::vector<std::vector<std::string>> rows{
      {"VERSION", "ROLE", "SHARE", "", "REQUESTS", "ERRORS", "REPLAYED", "P50", "P99", "BACKEND"}};
  const auto add = [&](const std::string& version, const std::string& role, double share) {
    json counts = json::object();
    for (const json& item : endpoint["versions"]) {
      if (item["version"] == version) counts = item;
    }
    rows.push_back({version, role, percent(share), bar(share, role == "candidate" ? "▒" : "█"),
                    std::to_string(counts.value(role == "shadow" ? "mirrored" : "requests", 0)),
                    std::to_string(counts.value("errors", 0)), std::to_string(counts.value("replayed", 0)),
                    milliseconds_text(counts, "latency_p50_seconds"), milliseconds_text(counts, "latency_p99_seconds"),
                    backend_of(endpoint, version)});
  };
  std::vector<std::string> shown;
  for (const json& arm : endpoint["split"]["arms"]) {
    add(arm["version"], arm["role"], arm["share"]);
    shown.push_back(arm["version"]);
  }
  if (endpoint["split"].contains("shadow")) {
    add(endpoint["split"]["shadow"]["version"], "shadow", endpoint["split"]["shadow"]["share"]);
    shown.push_back(endpoint["split"]["shadow"]["version"]);
  }
  const auto add_once = [&](const std::string& version, const char* role) {
    if (version.empty() || std::find(shown.begin(), shown.end(), version) != shown.end()) return;
    add(version, role, 0);
    shown.push_back(version);
  };
  const json& rollout = endpoint["rollout"];
  if (is_under_way(rollout)) add_once(rollout["candidate"], "candidate");
  add_once(endpoint["standby"], "standby");
  for (const json& item : endpoint["versions"]) add_once(item["version"], "off");
  return table(rows);
}

std::string bad_of(const json& side) {
  const auto missing = side.value("missing", std::uint64_t{0});
  const auto unread = side.value("unread", std::uint64_t{0});
  return fmt::format("{} bad of {}{}{}", side["bad"].get<std::uint64_t>(), side["outcomes"].get<std::uint64_t>(),
                     missing == 0 ? "" : fmt::format(", {} without a value", missing),
                     unread == 0 ? "" : fmt::format(", {} could not be read", unread));
}

/// Whoever can't judge lets everything pass.
std::string examiner_troubles(const json& endpoint) {
  std::string out;
  for (const json& e : endpoint.value("examiners", json::array())) {
    const auto missing = e["missing"].get<std::uint64_t>();
    if (missing == 0) continue;
    out += coloured(Colour::kYellow,
                    fmt::format("{} could not judge {} of {} answers: {}", e["examiner"].get<std::string>(), missing,
                                missing + e["judged"].get<std::uint64_t>(), e.value("last", ""))) +
           "\n";
  }
  return out;
}

std::string guardrail_table(const json& guardrails) {
  std::vector<std::vector<std::string>> rows{{"GUARDRAIL", "EVIDENCE", "", "CANDIDATE", "STABLE"}};
  for (const json& g : guardrails) {
    const double share = g["log_e"].get<double>() / g["log_limit"].get<double>();
    const bool breached = g["breached"];
    const bool over = g.value("window_over", false);
    rows.push_back({g["guardrail"].get<std::string>(),
                    breached ? coloured(Colour::kRed, "breached")
                    : over   ? "window over"
                             : fmt::format("{:.0f}%", std::max(0.0, share) * 100),
                    bar(breached ? 1.0 : share, breached ? "█" : "▒"), bad_of(g["candidate"]), bad_of(g["stable"])});
  }
  return table(rows);
}

}  // namespace

std::string status_view(const json& status) {
  std::string out;
  for (const json& endpoint : status["endpoints"]) {
    out += fmt::format("{}  ({})\n", coloured(Colour::kBold, endpoint["endpoint"].get<std::string>()),
                       endpoint["model"].get<std::string>());
    const json& rollout = endpoint["rollout"];
    if (!rollout.is_null()) out += phase_line(rollout) + "\n";
    if (const std::string waits = endpoint.value("waiting_for", ""); !waits.empty())
      out += coloured(Colour::kDim, "waits for: " + waits) + "\n";
    if (!rollout.is_null() && rollout.contains("cause") && rollout["cause"].is_object())
      out += coloured(Colour::kDim, rollout["cause"].value("reason", "")) + "\n";
    if (const json& live = endpoint.value("live", json()); live.is_object())
      out += coloured(Colour::kDim,
                      fmt::format("live data: {} requests sampled, {} could not be read",
                                  live["sampled"].get<std::uint64_t>(), live["unreadable"].get<std::uint64_t>())) +
             "\n";
    const bool empty = endpoint["split"]["arms"].empty() && !is_under_way(rollout);
    out += empty ? "nothing is deployed yet: backstay rollout start " + endpoint["endpoint"].get<std::string>() +
                       " MODEL@VERSION\n"
                 : traffic_table(endpoint);
    out += coloured(Colour::kYellow, backend_troubles(endpoint));
    if (!rollout.is_null() && !endpoint["guardrails"].empty()) out += guardrail_table(endpoint["guardrails"]);
    out += examiner_troubles(endpoint);
    if (const std::string trouble = endpoint.value("trouble", ""); !trouble.empty())
      out += coloured(Colour::kYellow, "not stored yet: " + trouble) + "\n";
    out += "\n";
  }
  const json& g = status["gateway"];
  out += fmt::format("gateway: {} requests, {} replayed, {} failed, {} refused\n", g["requests"].get<std::uint64_t>(),
                     g["replayed"].get<std::uint64_t>(), g["failed"].get<std::uint64_t>(),
                     g["refused"].get<std::uint64_t>());
  return out;
}

}  // namespace backstay::cli
