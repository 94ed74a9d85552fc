#pragma once

#include <string>

#include "monitor/guardrail_watch.hpp"

/// Guardrails and outcomes of the tests of this folder.
namespace backstay::monitor {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Signal;
using traffic::Ending;
using traffic::Outcome;

inline GuardrailSpec safety() {
  GuardrailSpec spec;
  spec.name = "safety";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/safe";
  spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtLeast, 0.5};
  spec.objective = {Objective::Kind::kAtLeast, 0.95, 1.0, 0.99, 0};
  return spec;
}

inline GuardrailSpec sensitivity() {
  GuardrailSpec spec = safety();
  spec.name = "sensitivity";
  spec.signal.kind = Signal::Kind::kFeedback;
  spec.signal.among = Signal::Among::kPositives;
  return spec;
}

inline Outcome answered(float value = traffic::kNoValue) {
  Outcome out;
  out.status = 200;
  out.latency_us = 900;
  out.values[0] = value;
  return out;
}

}  // namespace backstay::monitor
