#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "domain/guardrails/guardrail_spec.hpp"
#include "domain/guardrails/latency.hpp"
#include "domain/guardrails/mean_tests.hpp"
#include "domain/guardrails/measurement.hpp"
#include "domain/guardrails/rate_tests.hpp"
#include "domain/guardrails/ratio_tests.hpp"

/// A guardrail's test at work, and what sticky users ask of it. Plain values, not thread-safe.
namespace backstay::guardrails {

/// The keys that were seen already: relative tests bet once per sticky user. Bounded: when it is full unseen keys count
/// as seen, which only makes the test slower.
class ClusterSet {
 public:
  /// True the first time. 0 is never remembered.
  bool insert(std::uint64_t key);
  bool contains(std::uint64_t key) const;

 private:
  /// Where the key is, or would be.
  std::size_t place(std::uint64_t key) const;
  static constexpr std::size_t kSlots = 1 << 16;
  std::vector<std::uint64_t> slots_;
  std::size_t used_ = 0;
};

/// The candidate's share of the requests of sticky users who had no hit yet. A user's first hit is bet on, and the
/// worse version's users have theirs sooner: of those who are left ever more are the better version's, so its share of
/// the hits to come is greater than the chance of the draw although it is no worse. Counts the last one or two
/// thousand.
class AtRisk {
 public:
  void count(bool candidate);
  /// `pi`: what the draw says, which few requests do not change much.
  double share(double pi) const;

 private:
  static constexpr std::uint64_t kMany = 1'024;
  static constexpr double kPrior = 16;
  struct Requests {
    std::uint64_t all = 0;
    std::uint64_t candidate = 0;
  };
  Requests now_, before_;
};

/// Shows a loss to the test, with what the covariate lets one expect of it when there is one. `as_candidate`: a claim's
/// test has the arms exchanged.
void observe_loss(std::optional<Cuped>& cuped, const Measurement& m, double loss, bool as_candidate,
                  RelativeMeanTest& test);
/// The value less what the covariate explains; nullopt while the first RelativeRatioTest::kWarmUp outcomes of stable
/// are learnt from, for their variance is not that of what comes after.
std::optional<double> adjusted_value(std::optional<Cuped>& cuped, const Measurement& m);
/// Of a score in [0, 1]: how far it is from the best; an answer without one is as bad as can be.
double loss(const GuardrailSpec& spec, double value);

using Test = std::variant<AbsoluteRateTest, UnsettledRateTest, RelativeRateTest, BoundedMeanTest, RelativeMeanTest,
                          RelativeValueTest, RelativeRatioTest, RelativeLatencyTest, PairedRateTest, PairedMeanTest>;

/// The specification's test and the sticky users who have bet in it, each once.
class Trial {
 public:
  /// `log_limit`: ln of the e-value that ends it, where the test bets no more than it takes to get there.
  Trial(const GuardrailSpec& spec, const RestartPlan& restarts, double log_limit);

  /// For RelativeRateTest. Hits, the outcomes that are rare, decide; of a sticky user's the first. Whether it was bet
  /// on. `few_for`: hits speak for the candidate.
  bool observe_hit(const Measurement& m, bool hit, bool few_for);
  /// For tests of values against stable. Whether the evidence may have changed.
  bool observe_value(const GuardrailSpec& spec, const Measurement& m);
  double log_e() const;
  void restart();
  /// See the constructor; of the tests that sticky users bet in.
  void set_limit(double log_limit);

  Test test;
  std::optional<Cuped> cuped;  ///< When the specification names a covariate.

 private:
  ClusterSet clusters_;
  AtRisk at_risk_;
};

/// Trials for sticky users who come again. Each bets once in a trial, so that on an endpoint with some hundred regular
/// users a trial has seen all there is after a while, and what breaks then is not seen by it. So a part of the capital
/// is kept for trials that begin anew, one after the other, in which everyone may bet once more; only the newest goes
/// on, the others stay at what they came to:
///
///     E = (1 - rho) E_first + rho E_0 (sum_{k < m} w_k E_k + w_m E_m + what is not spent yet), w_k = 1 / (k (k + 1))
///
/// E_0 is the first trial's e-value when the first sticky user came, from where on this is in force: the sum is then
/// the same before and after, and each term is an e-process that was paid for before.
class Renewals {
 public:
  static constexpr double kPart = 0.05;  ///< rho

  bool on() const { return newest_.has_value(); }
  /// The first sticky user has come; `first`: of it, on whose limit this has a say from now on.
  void begin(const GuardrailSpec& spec, Trial& first, double log_limit);
  /// The next trial begins.
  void renew(const GuardrailSpec& spec, double log_limit);
  Trial& newest() { return *newest_; }
  /// Of all trials together; `first`: the first one's own.
  double log_e(double first) const;

 private:
  double log_weight() const;
  void start(const GuardrailSpec& spec, double log_limit);

  std::optional<Trial> newest_;
  double log_part_ = 0;   ///< ln(rho E_0)
  double log_ended_ = 0;  ///< ln of what trials that are over came to, by weight.
  std::uint64_t begun_ = 0;
};

}  // namespace backstay::guardrails
