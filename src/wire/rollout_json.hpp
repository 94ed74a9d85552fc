#pragma once

#include <string>

#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/rollout/rollout.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// A rollout's state as it is stored and shown.
std::string to_json(const rollout::State& state);
Result<rollout::State> rollout_from_json(const std::string& text);

/// Reads a plan's members into `plan`, which keeps its defaults for the others.
///
///     steps:
///       - {shadow: 100%, for: 5m, samples: 500}
///       - {canary: 5%, for: 10m, samples: 1000}
///       - canary: 25%
///         require: [{non_inferior: errors, tolerance: 1.5, alpha: 0.05}]
///         within: 2h
///         otherwise: rollback
///     holdback: 5%
///     watch: 1h
///     approve_promotion: true
///     hours: {days: mon-fri, from: "09:00", until: "17:00", utc_offset: "+01:00"}
///     freezes: [{from: 2026-12-20T00:00:00Z, until: 2027-01-04T00:00:00Z, reason: holidays}]
void read_plan(Fields& fields, rollout::Plan& plan);

/// Reads one guardrail of a configuration:
///
///     name: safety
///     signal: {kind: response_value, json_pointer: /safety, ok_when: {at_least: 0.5}}
///     objective: {at_least: 0.95}
///     test: rate
///     window: 1h
///     action: rollback
void read_guardrail(Fields& fields, guardrails::GuardrailSpec& spec);

/// Reads `guardrails` and `family` of an endpoint or of a file of their own; without guardrails they are the usual
/// ones.
///
///     guardrails: [...]
///     family: {control: e_bh, alpha: 0.01}
void read_policy(Fields& fields, guardrails::Policy& policy);
/// The same as a person writes it, in a configuration or a file: an empty list of guardrails is refused. (Recordings of
/// rollouts from before that have one.)
void read_written_policy(Fields& fields, guardrails::Policy& policy);
/// A file of its own. `name` is what errors call it.
Result<guardrails::Policy> policy_from_yaml(const std::string& name, const std::string& text);

/// Evidence for the audit log and for status.
std::string to_json(const guardrails::Evidence& evidence);

}  // namespace backstay::wire
