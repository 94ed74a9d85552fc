#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "domain/guardrails/guardrail_spec.hpp"

/// Evidence for the claims about guardrails: what docs/statistics.md shows. Everything follows from the seeds.
namespace backstay::sim {

/// A way in which a good version may meet a guardrail. `release` is one whole release; true: it was taken back.
struct NullScenario {
  std::string name;
  std::string test;
  double alpha = 0.01;
  std::function<bool(Random&)> release;
};
/// Skewed arrival, retries, delayed and missing labels, heavy tails, drift; each test at the edge of its null
/// hypothesis.
std::vector<NullScenario> null_scenarios();

struct FalseAlarms {
  std::uint64_t runs = 0;
  std::uint64_t rolled_back = 0;
  double ratio() const { return static_cast<double>(rolled_back) / static_cast<double>(runs); }
  /// Whether a chance of `alpha` could give so many: within `deviations` standard deviations above it.
  bool within(double alpha, double deviations) const;
};
FalseAlarms count_false_alarms(const NullScenario& scenario, std::uint64_t runs, std::uint64_t seed);

/// Mean number of candidate outcomes until the breach, against the information bound ln(1/alpha)/KL.
struct DelayCase {
  std::string test;
  double stable = 0;     ///< Stable's bad rate, or the objective's.
  double candidate = 0;  ///< The candidate's.
  double pi = 0;         ///< 0: an absolute objective.
};
std::vector<DelayCase> delay_cases();
struct Delay {
  double bound = 0;
  double oracle = 0;    ///< Of the likelihood ratio that knows both rates: no test is better. The rest is overshoot.
  double plain = 0;     ///< Without restarts.
  double restarts = 0;  ///< As guardrails are by default.
};
Delay measure_delay(const DelayCase& item, std::uint64_t runs, std::uint64_t seed);

/// Mean number of candidate outcomes until the breach: the candidate has a fifth of the traffic and a mean that is
/// worse by a fifth of a standard deviation (scores: clipped to [0, 1]), of whose square a covariate explains this
/// share. `given`: the guardrail knows it.
double measure_covariate(guardrails::TestKind test, double explained, bool given, std::uint64_t runs,
                         std::uint64_t seed);

/// Mean outcomes from a break to the breach, when `healthy` candidate outcomes came before it.
struct LateBreak {
  double plain = 0;
  double restarts = 0;
};
LateBreak measure_late_break(double objective, double broken, std::uint64_t healthy, std::uint64_t runs,
                             std::uint64_t seed);

}  // namespace backstay::sim
