#pragma once

#include "domain/gates/gate.hpp"
#include "services/accept_gate.hpp"
#include "services/registry.hpp"

namespace backstay::services {

struct GateDecision {
  gates::Verdict verdict;
  StoredVerdict stored;
  std::vector<std::string> warnings;  ///< About the gate's rules: gates::doubts().
};

/// Judges a version by a gate file's text and stores the verdict with its evidence.
Result<GateDecision> evaluate_gate(VersionStore& versions, const registry::VersionRef& ref,
                                   const std::string& gate_name, const std::string& gate_text, const Actor& actor,
                                   Timestamp now);

/// Why a version may not serve production now: an incomplete manifest, artifacts that were not scanned or are
/// dangerous, no verdict, or a gate whose newest verdict is not PASS. What `exceptions` trusts covers danger and
/// verdicts. Success: it may.
Result<void> check_releasable(VersionStore& versions, const StoredVersion& version,
                              const TrustedExceptions& exceptions = {});

}  // namespace backstay::services
