#include "wire/policy_json.hpp"

#include <nlohmann/json.hpp>

#include "wire/document.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Predicate;
using guardrails::Signal;

const char* word(Signal::Kind kind) {
  switch (kind) {
    case Signal::Kind::kError: return "error";
    case Signal::Kind::kLatency: return "latency";
    case Signal::Kind::kResponseValue: return "response_value";
    case Signal::Kind::kFeedback: return "feedback";
  }
  return "error";
}

const char* word(Signal::Among among) {
  switch (among) {
    case Signal::Among::kAll: return "all";
    case Signal::Among::kPositives: return "positives";
    case Signal::Among::kNegatives: return "negatives";
  }
  return "all";
}

const char* word(Predicate::Op op) {
  switch (op) {
    case Predicate::Op::kAtLeast: return "at_least";
    case Predicate::Op::kAbove: return "above";
    case Predicate::Op::kAtMost: return "at_most";
    case Predicate::Op::kBelow: return "below";
  }
  return "at_least";
}

json signal_json(const Signal& signal) {
  json out{{"kind", word(signal.kind)}, {"positive_at", signal.positive_at}, {"among", word(signal.among)}};
  if (!signal.json_pointer.empty()) out["json_pointer"] = signal.json_pointer;
  if (!signal.header.empty()) out["header"] = signal.header;
  if (signal.ok_when) out["ok_when"] = {{word(signal.ok_when->op), signal.ok_when->value}};
  return out;
}

/// Durations are read in whole milliseconds; what a configuration gave has no more.
std::string duration(double in_seconds) {
  return to_string(std::chrono::round<milliseconds>(std::chrono::duration<double>(in_seconds)));
}

json objective_json(const Objective& objective, Signal::Kind signal) {
  const bool latency = signal == Signal::Kind::kLatency;
  const json bound = latency ? json(duration(objective.bound)) : json(objective.bound);
  json out{{"tolerance", objective.tolerance}, {"quantile", objective.quantile}};
  if (latency) out["slack"] = duration(objective.slack_seconds);
  switch (objective.kind) {
    case Objective::Kind::kAtLeast: out["at_least"] = bound; break;
    case Objective::Kind::kAtMost: out["at_most"] = bound; break;
    case Objective::Kind::kRelativeToStable: out["relative_to"] = "stable"; break;
  }
  return out;
}

Result<std::vector<GuardrailSpec>> read(const Document& document) {
  std::vector<GuardrailSpec> policy;
  Fields fields(document);
  fields.each("guardrails", [&](Fields& item) { read_guardrail(item, policy.emplace_back()); });
  TRY_DO(fields.finish());
  return policy;
}

}  // namespace

std::string to_json(const std::vector<GuardrailSpec>& policy) {
  json items = json::array();
  for (const GuardrailSpec& spec : policy) {
    json item{{"name", spec.name},
              {"signal", signal_json(spec.signal)},
              {"objective", objective_json(spec.objective, spec.signal.kind)},
              {"alpha", spec.alpha},
              {"min_samples", spec.min_samples},
              {"action", guardrails::to_string(spec.action)}};
    if (spec.window) item["window"] = to_string(*spec.window);
    items.push_back(std::move(item));
  }
  return json{{"guardrails", std::move(items)}}.dump();
}

Result<std::vector<GuardrailSpec>> policy_from_json(const std::string& text) {
  TRY(const Document document, Document::from_json("The recorded policy", text));
  return read(document);
}

Result<std::vector<GuardrailSpec>> policy_from_yaml(const std::string& name, const std::string& text) {
  TRY(const Document document, Document::from_yaml(name, text));
  TRY(std::vector<GuardrailSpec> policy, read(document));
  if (policy.empty())
    return Unexpected(
        ErrorCode::kInvalidArgument, name + " names no guardrails.",
        "Write a list: guardrails: [{name: errors, signal: {kind: error}, objective: {relative_to: stable}}]");
  return policy;
}

}  // namespace backstay::wire
