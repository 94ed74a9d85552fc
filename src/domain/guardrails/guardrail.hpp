#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "domain/guardrails/guardrail_spec.hpp"
#include "domain/guardrails/latency.hpp"
#include "domain/guardrails/mean_tests.hpp"
#include "domain/guardrails/rate_tests.hpp"
#include "domain/guardrails/ratio_tests.hpp"

/// Guardrails at work: a signal, an objective, a sequential test, an action. Pure values; the monitor feeds them.
namespace backstay::guardrails {

/// One outcome as a guardrail sees it.
struct Measurement {
  bool candidate = false;
  double assignment_probability = 0;  ///< The chance the request had of going to the candidate.
  /// kError, kReport, kSchema: 1 bad, 0 good. kFeedback, kConversion: 1 good, 0 bad. Durations: seconds. Others: the
  /// number, NaN when there was none.
  double value = 0;
  std::uint64_t cluster = 0;  ///< Hash of the sticky key; 0 = none.
  Monotonic at;
  /// What `value` is divided by (Signal::per), or, for paired tests, what stable had for the same request.
  double second = 1;
  /// Its user had an answer before it. Said of what is known late only, where the first to be known need not be the
  /// first answer: a report comes at once, that there was none when the window is over.
  bool repeated = false;
  /// The request's covariate (GuardrailSpec::covariate); NaN: it has none.
  double covariate = std::numeric_limits<double>::quiet_NaN();
  /// When the answer was given that this is about, where that is not `at`: a window is about answers.
  std::optional<Monotonic> answered{};
  /// Attributed signals: an answer that something may be put down to is opened, and settled when that came, or the time
  /// for it is over; forgotten, when there are too many. The candidate's are numbered from 0.
  enum class Stage : std::uint8_t { kSettled, kOpened, kForgotten };
  Stage stage = Stage::kSettled;
  std::uint64_t number = 0;
};

/// For kFeedback: whether a prediction was right; nullopt when the case is not among those that are judged.
std::optional<bool> was_right(const Signal& signal, double predicted_score, double label);

/// For kAgreement: whether both numbers say the same.
bool agree(const Signal& signal, double a, double b);
/// Whether an outcome's value is bad under the specification's objective; a missing one (NaN) is.
bool is_bad(const GuardrailSpec& spec, double value);
/// Of a score in [0, 1]: how far it is from the best; an answer without one is as bad as can be.
double loss(const GuardrailSpec& spec, double value);
/// Shows a loss to the test, with what the covariate lets one expect of it when there is one. `as_candidate`: a claim's
/// test has the arms exchanged.
void observe_loss(std::optional<Cuped>& cuped, const Measurement& m, double loss, bool as_candidate,
                  RelativeMeanTest& test);
/// The value less what the covariate explains; nullopt while the first RelativeRatioTest::kWarmUp outcomes of stable
/// are learnt from, for their variance is not that of what comes after.
std::optional<double> adjusted_value(std::optional<Cuped>& cuped, const Measurement& m);
/// The share of outcomes that an absolute objective lets be bad.
double allowed_bad(const GuardrailSpec& spec);

/// What was seen and what it means, for people and for the audit log.
struct Evidence {
  std::string name;
  TestKind test = TestKind::kAutomatic;
  Action action = Action::kRollBack;
  Severity severity = Severity::kByAction;
  double log_e = 0;      ///< ln of the e-value now, or at the moment of the breach.
  double log_limit = 0;  ///< ln(1/alpha), or what e-BH asked for when that was less.
  /// What was promised: ln of one in how many good versions is ever taken back. That of e-BH is of the family together,
  /// whatever the limit was in the end.
  double log_promise = 0;
  std::uint64_t candidate_n = 0;
  std::uint64_t candidate_bad = 0;
  std::uint64_t stable_n = 0;
  std::uint64_t stable_bad = 0;
  std::uint64_t missing = 0;  ///< Responses without the value; they count as bad.
  std::uint64_t outside = 0;  ///< Values of either version outside of [0, 1], which a test of scores takes for 0 or 1.
  std::uint64_t open = 0;     ///< Of candidate_n: what may still turn out to be bad (attributed signals).
  double candidate_mean = 0;  ///< Of scores and latencies.
  double stable_mean = 0;
  bool breached = false;
  bool window_over = false;  ///< Nothing counts any more.
  /// What the request's covariate does, when there is one.
  struct Covariate {
    double explained = 0;       ///< The share of stable's variance that it takes out.
    std::uint64_t missing = 0;  ///< Outcomes of both whose request did not have it; they count unadjusted.
  };
  std::optional<Covariate> covariate{};
  std::string sentence;
};

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

/// One guardrail at work. Not thread-safe.
class Guardrail {
 public:
  /// `alpha`: this guardrail's part of what the rollout may spend. `promise`: the chance that is promised of a good
  /// version being taken back, by it or by the family that it acts in; left out: alpha.
  Guardrail(GuardrailSpec spec, double alpha, std::optional<double> promise = {});

  /// True when this observation made it breach. After that nothing changes any more.
  bool observe(const Measurement& measurement);
  /// The candidate has answered: that is when a window begins. For signals that are known later.
  void begin(Monotonic answered);
  /// ln of the e-value now, or at the moment of the breach.
  double log_e() const;
  /// Whether it may act: it has seen enough, its window is open, it has not breached.
  bool may_act() const { return !breached_ && !window_over_ && candidate_n_ >= spec_.min_samples; }
  /// Breaches at this limit, which the guardrails of a family gave it together, if its evidence is that strong.
  bool breach_at(double log_limit);
  bool breached() const { return breached_; }
  const GuardrailSpec& spec() const { return spec_; }
  Evidence evidence() const;

 private:
  using Test = std::variant<AbsoluteRateTest, UnsettledRateTest, RelativeRateTest, BoundedMeanTest, RelativeMeanTest,
                            RelativeValueTest, RelativeRatioTest, RelativeLatencyTest, PairedRateTest, PairedMeanTest>;
  static Test make_test(const GuardrailSpec& spec, double log_limit);
  bool observe_rate(const Measurement& m);
  bool observe_attributed(const Measurement& m);
  bool observe_hit(const Measurement& m, bool hit);
  bool is_attributed_rate() const { return std::holds_alternative<UnsettledRateTest>(test_); }
  bool observe_value(const Measurement& m);
  bool observe_pair(const Measurement& m);
  void count(const Measurement& m);
  std::string seen(const Evidence& evidence) const;
  std::string sentence(const Evidence& evidence) const;

  GuardrailSpec spec_;
  TestKind kind_;
  double log_limit_;
  double log_promise_;
  Test test_;
  std::optional<Cuped> cuped_;  ///< When the specification names a covariate.
  std::uint64_t without_covariate_ = 0;
  ClusterSet clusters_;
  AtRisk at_risk_;
  std::optional<Monotonic> first_at_;
  bool breached_ = false;
  bool window_over_ = false;
  std::uint64_t candidate_n_ = 0, candidate_bad_ = 0, stable_n_ = 0, stable_bad_ = 0, missing_ = 0;
  std::uint64_t open_ = 0, outside_ = 0;
  double candidate_sum_ = 0, stable_sum_ = 0;
  double candidate_per_ = 0, stable_per_ = 0;  ///< Sums of Measurement::second.
};

}  // namespace backstay::guardrails
