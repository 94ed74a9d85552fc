#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"

/// Other systems' rules and the guardrail on the same streams of requests.
namespace backstay::sim {

/// One minute-by-minute rule about a canary; a second is 100 requests.
class ReleaseRule {
 public:
  virtual ~ReleaseRule() = default;
  virtual const char* name() const = 0;
  /// True: take it back now.
  virtual bool on_request(bool candidate, bool bad) = 0;
  virtual bool on_minute() = 0;
};

/// The errors guardrail of a default endpoint.
std::unique_ptr<ReleaseRule> backstay_rule(double pi);
/// Two-proportion z-test at .01, one-sided, looked at every minute over all that came so far.
std::unique_ptr<ReleaseRule> z_test_rule();
/// Kayenta's judge: Mann-Whitney over the minutes' error rates at 98% confidence with a tolerance of a quarter of the
/// baseline's mean, judged every 10 minutes.
std::unique_ptr<ReleaseRule> kayenta_rule();
/// Wald's SPRT of `expected` against `alternative`, rates fixed beforehand, alpha .01, beta .05; when it accepts it
/// looks no further.
std::unique_ptr<ReleaseRule> sprt_rule(double expected, double alternative);
/// Flagger's canary analysis: a minute with more than `most` errors is a failed check; five failed checks in all.
std::unique_ptr<ReleaseRule> flagger_rule(double most);

/// An hour at 100 requests/s, 5% canary, stable at 1% errors.
struct ReleaseStream {
  std::string name;
  double times = 1;     ///< As often bad is the candidate ...
  int from_minute = 0;  ///< ... from here on.
  double cycle = 0;     ///< The base rate swings by this share within the hour, for both.
};
std::vector<ReleaseStream> release_streams();

struct RuleResult {
  std::string rule;
  double rolled_back = 0;      ///< Share of the releases.
  double too_early = 0;        ///< Of them, before the candidate was bad at all; all of them when it never is.
  double median_requests = 0;  ///< Candidate requests from the break to the rollback, of those rolled back after it.
  double median_bad = 0;
};
std::vector<RuleResult> compare_rules(const ReleaseStream& stream, std::uint64_t runs, std::uint64_t seed);

}  // namespace backstay::sim
