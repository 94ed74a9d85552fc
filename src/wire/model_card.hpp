#pragma once

#include <string>
#include <vector>

#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"

/// Model cards after Mitchell et al., "Model cards for model reporting" (2019), from what the registry holds and
/// nothing else: what was not recorded is said to be missing, not made up.
namespace backstay::wire {

/// A gate's newest verdict.
struct CardVerdict {
  std::string gate;
  std::string gate_sha256;
  std::string verdict;
  std::string evidence_json;  ///< The verdict table.
  std::string at;
  std::string decided_by;
};

/// That somebody signed for it although a gate did not pass it, or its scan calls it dangerous.
struct CardException {
  std::string from;       ///< "gate production" (its digest where no verdict tells the name), or "the scan".
  std::string signed_by;  ///< The name that who signed it gave.
  std::string key_id;     ///< Of the key that signed it.
  std::string reason;
  std::string at;
  std::string expires;
  std::string
      why_void;  ///< "expired at ...", "is about an earlier verdict"; empty: it counts where its key is trusted.
};

struct CardFacts {
  registry::Manifest manifest;
  std::string manifest_sha256;
  std::string stage;
  std::string registered_at;
  std::string registered_by;
  std::string scan;  ///< "safe", "suspicious", "dangerous"; empty: not scanned.
  std::vector<registry::StoredScorecard> scorecards;
  std::vector<CardVerdict> verdicts;
  std::vector<CardException> exceptions;
};

std::string model_card_markdown(const CardFacts& facts);
/// One page without scripts and outside resources.
std::string model_card_html(const CardFacts& facts);

}  // namespace backstay::wire
