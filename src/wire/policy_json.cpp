#include "wire/policy_json.hpp"

#include <nlohmann/json.hpp>

#include "wire/document.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

using guardrails::Family;
using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Predicate;
using guardrails::Signal;

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
    case Predicate::Op::kIs: return "is";
  }
  return "at_least";
}

json value_json(const guardrails::Value& value) {
  json out = json::object();
  if (!value.json_pointer.empty()) out["json_pointer"] = value.json_pointer;
  if (!value.header.empty()) out["header"] = value.header;
  if (!value.tensor.empty()) out["tensor"] = value.tensor;
  return out;
}

json limit_json(const Predicate& predicate) {
  return predicate.text.empty() ? json(predicate.value) : json(predicate.text);
}

json signal_json(const Signal& signal) {
  json out{
      {"kind", guardrails::to_string(signal.kind)}, {"positive_at", signal.positive_at}, {"among", word(signal.among)}};
  if (!signal.json_pointer.empty()) out["json_pointer"] = signal.json_pointer;
  if (!signal.header.empty()) out["header"] = signal.header;
  if (!signal.tensor.empty()) out["tensor"] = signal.tensor;
  if (guardrails::is_attributed(signal.kind)) out["within"] = to_string(signal.within);
  if (!signal.classifier.empty()) out["classifier"] = signal.classifier;
  if (signal.right_when == Signal::RightWhen::kSame) out["right_when"] = "same";
  if (signal.difference > 0) out["difference"] = signal.difference;
  if (signal.ok_when) out["ok_when"] = {{word(signal.ok_when->op), limit_json(*signal.ok_when)}};
  if (signal.per.given()) out["per"] = value_json(signal.per);
  if (signal.segment.given()) out["segment"] = value_json(signal.segment);
  if (signal.segment_of_request) out["segment"]["of"] = "request";
  if (signal.where) out["segment"][word(signal.where->op)] = limit_json(*signal.where);
  return out;
}

/// Durations are read in whole milliseconds; what a configuration gave has no more.
std::string duration(double in_seconds) {
  return to_string(std::chrono::round<milliseconds>(std::chrono::duration<double>(in_seconds)));
}

json objective_json(const Objective& objective, Signal::Kind signal) {
  const bool latency = guardrails::is_duration(signal);
  const json bound = latency ? json(duration(objective.bound)) : json(objective.bound);
  json out{{"tolerance", objective.tolerance},
           {"quantile", objective.quantile},
           {"margin", objective.margin},
           {"sigma", objective.sigma},
           {"better", objective.better == guardrails::Better::kHigher ? "higher" : "lower"}};
  if (latency) out["slack"] = duration(objective.slack_seconds);
  switch (objective.kind) {
    case Objective::Kind::kAtLeast: out["at_least"] = bound; break;
    case Objective::Kind::kAtMost: out["at_most"] = bound; break;
    case Objective::Kind::kRelativeToStable: out["relative_to"] = "stable"; break;
  }
  return out;
}

json family_json(const Family& family) {
  switch (family.control) {
    case Family::Control::kEach: return {{"control", "each"}};
    case Family::Control::kBonferroni: return {{"control", "bonferroni"}, {"alpha", family.alpha}};
    case Family::Control::kEBh: return {{"control", "e_bh"}, {"alpha", family.alpha}};
  }
  return {{"control", "each"}};
}

}  // namespace

std::string to_json(const guardrails::Policy& policy) {
  json items = json::array();
  for (const GuardrailSpec& spec : policy.guardrails) {
    json item{{"name", spec.name},
              {"signal", signal_json(spec.signal)},
              {"objective", objective_json(spec.objective, spec.signal.kind)},
              {"test", guardrails::to_string(spec.test)},
              {"alpha", spec.alpha},
              {"min_samples", spec.min_samples},
              {"restart_every", spec.restarts.every},
              {"action", guardrails::to_string(spec.action)}};
    if (spec.covariate.given()) item["covariate"] = value_json(spec.covariate);
    if (spec.severity != guardrails::Severity::kByAction) item["severity"] = guardrails::to_string(spec.severity);
    if (spec.window) item["window"] = to_string(*spec.window);
    items.push_back(std::move(item));
  }
  return json{{"guardrails", std::move(items)}, {"family", family_json(policy.family)}}.dump();
}

Result<guardrails::Policy> policy_from_json(const std::string& text) {
  TRY(const Document document, Document::from_json("The recorded policy", text));
  guardrails::Policy policy;
  Fields fields(document);
  read_policy(fields, policy);
  TRY_DO(fields.finish());
  return policy;
}

}  // namespace backstay::wire
