#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/guardrail_spec.hpp"

/// What a guardrail will do, before the release: the guardrail itself on simulated traffic. Pure: the same for the same
/// seed.
namespace backstay::guardrails {

/// What the signal is on stable and, when the release is bad, on the candidate: the share of good outcomes (errors,
/// feedback, values with ok_when), the mean of a value, or the median latency in seconds.
struct Expectation {
  double baseline = 0;
  double effect = 0;
  double spread = 0;  ///< Standard deviation of a value; 0: half of the widest for scores, half of the mean for others.
  /// The share of a value's variance on stable that the guardrail's covariate explains, corr^2, in [0, 1); none: no
  /// request has the covariate. For specifications with one only.
  std::optional<double> covariate_r2{};
};

struct TrafficForecast {
  double requests_per_second = 100;
  double weight = 0.05;  ///< Share that goes to the candidate; paired tests: that is mirrored.
  double seconds = 600;  ///< How long the step lasts.
  double judged = 1.0;   ///< Share of the requests that the guardrail hears of: labels that arrive, a segment's share.
  double delay_seconds = 0;  ///< From the request until it hears of it; of reports and conversions it goes by their
                             ///< window.
};

struct Forecast {
  enum class Verdict : std::uint8_t {
    kEnough,            ///< At least 9 in 10 bad releases are found in time.
    kUnlikely,          ///< Fewer.
    kNever,             ///< Not even the best possible test would, on average.
    kAllowed,           ///< The objective allows this effect.
    kBaselineBreaches,  ///< The objective is missed as it is.
  };
  Verdict verdict = Verdict::kEnough;
  std::string sentence;
  bool nothing_to_compare = false;  ///< No request goes to stable, which a guardrail compares with.
  bool common = false;  ///< Bad outcomes are so common that a test which bets on them learns little of each.
  std::uint64_t runs = 0;
  double candidate_outcomes = 0;  ///< That the guardrail hears of within the step.
  double simulated_seconds = 0;   ///< Less than the step when that is too much to simulate.
  double detected = 0;            ///< Share of the bad releases.
  double false_alarms = 0;        ///< Share of the good ones.
  /// Over the bad releases; infinite when the share that is found is smaller than that.
  double median_seconds = std::numeric_limits<double>::infinity();
  double p90_seconds = std::numeric_limits<double>::infinity();
  double median_outcomes = std::numeric_limits<double>::infinity();  ///< Of the candidate.
  double p90_outcomes = std::numeric_limits<double>::infinity();
  double median_bad = std::numeric_limits<double>::infinity();  ///< Bad answers until then; rates only.
  double bound_outcomes = 0;  ///< Information bound on the mean; 0: not known for this test.
  /// Share of the releases that was acted on by then, at equal distances through the step.
  std::vector<double> detected_by, false_by;
};

/// Refuses an effect that is better than the baseline: no guardrail looks for that.
/// `alpha`: what the guardrail may spend (its own or its part of the family's). `runs` of each kind; fewer when the
/// traffic is heavy.
Result<Forecast> forecast(const GuardrailSpec& spec, double alpha, const Expectation& expectation,
                          const TrafficForecast& traffic, std::uint64_t seed, std::uint64_t runs);

/// The share of alpha that a guardrail of the policy has.
double alpha_of(const Policy& policy, const GuardrailSpec& spec);
/// Whether the signal is a share of good outcomes.
bool measures_share(const GuardrailSpec& spec);

}  // namespace backstay::guardrails
