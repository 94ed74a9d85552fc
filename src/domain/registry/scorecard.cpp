#include "domain/registry/scorecard.hpp"

namespace backstay::registry {

const char* to_string(ScorecardKind kind) {
  switch (kind) {
    case ScorecardKind::kQuality: return "quality";
    case ScorecardKind::kBias: return "bias";
    case ScorecardKind::kLatency: return "latency";
    case ScorecardKind::kSafety: return "safety";
  }
  return "quality";
}

}  // namespace backstay::registry
