#include "domain/guardrails/guardrail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domain/traffic/text_value.hpp"

namespace backstay::guardrails {

namespace {

using Kind = Signal::Kind;
using Goal = Objective::Kind;

std::string odds(double log_e) {
  if (log_e > 13.8) return "more than 1,000,000";
  const double e = std::exp(log_e);
  return e < 10 ? fmt::format("{:.1f}", e) : fmt::format("{:.0f}", e);
}

double mean_of(double sum, std::uint64_t n) {
  return n == 0 ? 0.0 : sum / static_cast<double>(n);
}

/// " (12 of them without a number)"
std::string without_number(std::uint64_t missing) {
  return missing == 0 ? "" : fmt::format(" ({} of them without a number)", missing);
}

}  // namespace

Guardrail::Guardrail(GuardrailSpec spec, double alpha, std::optional<double> promise)
    : spec_(std::move(spec)),
      kind_(chosen_test(spec_)),
      log_limit_(-std::log(alpha)),
      log_promise_(-std::log(promise.value_or(alpha))),
      trial_(spec_, spec_.restarts, log_limit_) {}

void Guardrail::count(const Measurement& m) {
  ++(m.candidate ? candidate_n_ : stable_n_);
  now_.n += m.candidate ? 1 : 0;
  if (is_paired(kind_)) ++stable_n_;
  if (std::isnan(m.value)) {
    ++(m.candidate ? missing_ : stable_missing_);
    return;
  }
  if (traffic::is_text(m.value)) return;
  (m.candidate ? candidate_sum_ : stable_sum_) += m.value;
  const bool scores = kind_ == TestKind::kMean || kind_ == TestKind::kMeanVsStable || kind_ == TestKind::kPairedMean;
  if (scores && (m.value < 0 || m.value > 1)) ++outside_;
  if (is_paired(kind_) && !std::isnan(m.second)) stable_sum_ += m.second;
  if (kind_ == TestKind::kRatioVsStable && !std::isnan(m.second))
    (m.candidate ? candidate_per_ : stable_per_) += m.second;
}

void Guardrail::begin(Monotonic answered) {
  if (!first_at_) first_at_ = answered;
}

bool Guardrail::observe(const Measurement& m) {
  if (breached_ || window_over_) return false;
  const Monotonic answered = m.answered.value_or(m.at);
  if (m.candidate) begin(answered);
  // Both arms end together: one that is watched longer would tip the comparison. Of answers that were given in time
  // something may still be learnt.
  if (spec_.window && first_at_ && answered - *first_at_ > *spec_.window) {
    window_over_ = !m.answered;
    return false;
  }
  if (is_attributed_rate()) return observe_attributed(m) && breach_at(log_limit_);
  if (m.stage != Measurement::Stage::kSettled) return false;
  count(m);
  bool may_have_risen = false;
  switch (kind_) {
    case TestKind::kRate:
    case TestKind::kAutomatic:
    case TestKind::kRateVsStable: may_have_risen = observe_rate(m); break;
    case TestKind::kPairedRate:
    case TestKind::kPairedMean: may_have_risen = observe_pair(m); break;
    default: may_have_risen = observe_value(m); break;
  }
  // The number of outcomes doesn't look ahead, so neither do the restarts.
  if (m.candidate && spec_.restarts.every > 0 && candidate_n_ % spec_.restarts.every == 0) restart();
  return may_have_risen && breach_at(log_limit_);
}

void Guardrail::restart() {
  trial_.restart();
  if (renewals_.on()) renewals_.renew(spec_, log_limit_);
  before_ = std::exchange(now_, {});
}

bool Guardrail::breach_at(double log_limit) {
  if (!may_act() || log_e() < log_limit) return false;
  log_limit_ = log_limit;
  breached_ = true;
  return true;
}

// True when the evidence against the candidate may have grown: only a bad outcome of its own can do that.
bool Guardrail::observe_rate(const Measurement& m) {
  const bool bad = is_bad(spec_, m.value);
  if (bad) ++(m.candidate ? candidate_bad_ : stable_bad_);
  if (bad && m.candidate) ++now_.bad;
  if (kind_ == TestKind::kRateVsStable) {
    const bool conversion = spec_.signal.kind == Kind::kConversion;
    // Of conversions it is stable's that speak against the candidate.
    return observe_hit(m, bad != conversion) && m.candidate != conversion;
  }
  if (m.candidate) std::get<AbsoluteRateTest>(trial_.test).observe(bad);
  return bad && m.candidate;
}

bool Guardrail::observe_hit(const Measurement& m, bool hit) {
  const bool few_for = spec_.signal.kind == Kind::kConversion;
  renew_for(m);
  const bool bet = trial_.observe_hit(m, hit, few_for);
  return (renewals_.on() && renewals_.newest().observe_hit(m, hit, few_for)) || bet;
}

/// From the first sticky user on there are trials that begin anew; without restarts there are none.
void Guardrail::renew_for(const Measurement& m) {
  if (m.cluster != 0 && !renewals_.on() && spec_.restarts.every > 0) renewals_.begin(spec_, trial_, log_limit_);
}

/// Of a user's report, or its absence; see UnsettledRateTest.
bool Guardrail::observe_attributed(const Measurement& m) {
  using Stage = Measurement::Stage;
  const bool bad = m.stage == Stage::kSettled && is_bad(spec_, m.value);
  if (!m.candidate) {
    if (m.stage == Stage::kOpened) ++stable_n_;
    if (bad) ++stable_bad_;
    return false;
  }
  auto& test = std::get<UnsettledRateTest>(trial_.test);
  if (m.stage == Stage::kOpened) {
    test.open();
    ++open_;
    if (++candidate_n_ % std::max<std::uint64_t>(spec_.restarts.every, 1) == 0) test.restart();
    return false;
  }
  --open_;
  if (bad) ++candidate_bad_;
  test.settle(m.number, bad);
  return bad && test.could_be(log_limit_);
}

bool Guardrail::observe_value(const Measurement& m) {
  if (kind_ == TestKind::kMean) {
    if (m.candidate) std::get<BoundedMeanTest>(trial_.test).observe(std::isnan(m.value) ? 0.0 : m.value);
    return m.candidate;
  }
  if (trial_.cuped && !std::isfinite(m.covariate)) ++without_covariate_;
  renew_for(m);
  const bool may_have_risen = trial_.observe_value(spec_, m);
  return (renewals_.on() && renewals_.newest().observe_value(spec_, m)) || may_have_risen;
}

bool Guardrail::observe_pair(const Measurement& m) {
  if (kind_ == TestKind::kPairedMean) {
    std::get<PairedMeanTest>(trial_.test).observe(loss(spec_, m.value), loss(spec_, m.second));
    return true;
  }
  const bool candidate = is_bad(spec_, m.value);
  const bool stable = is_bad(spec_, m.second);
  candidate_bad_ += candidate ? 1 : 0;
  stable_bad_ += stable ? 1 : 0;
  std::get<PairedRateTest>(trial_.test).observe(candidate, stable);
  return candidate;
}

double Guardrail::log_e() const {
  return renewals_.log_e(trial_.log_e());
}

double Guardrail::log_e_together() const {
  const auto* unsettled = std::get_if<UnsettledRateTest>(&trial_.test);
  return unsettled == nullptr ? log_e() : unsettled->log_e_of_all();
}

Evidence Guardrail::evidence() const {
  Evidence out;
  out.name = spec_.name;
  out.test = kind_;
  out.action = spec_.action;
  out.severity = spec_.severity;
  out.log_e = log_e();
  out.log_limit = log_limit_;
  out.log_promise = log_promise_;
  out.candidate_n = candidate_n_;
  out.candidate_bad = candidate_bad_;
  out.stable_n = stable_n_;
  out.stable_bad = stable_bad_;
  out.missing = missing_;
  out.stable_missing = stable_missing_;
  out.unread = unread_;
  out.newest_n = now_.n + before_.n;
  out.newest_bad = now_.bad + before_.bad;
  out.open = open_;
  out.outside = outside_;
  out.window_over = window_over_;
  // What is missing is 0 to a test of scores, and left out by one of values that may be of any size.
  const bool left_out = kind_ == TestKind::kValueVsStable;
  out.candidate_mean = mean_of(candidate_sum_, candidate_n_ - (left_out ? missing_ : 0));
  out.stable_mean = mean_of(stable_sum_, stable_n_ - (left_out ? stable_missing_ : 0));
  if (kind_ == TestKind::kRatioVsStable) {
    out.candidate_mean = candidate_per_ == 0 ? 0 : candidate_sum_ / candidate_per_;
    out.stable_mean = stable_per_ == 0 ? 0 : stable_sum_ / stable_per_;
  }
  if (spec_.signal.ok_when && !spec_.signal.ok_when->text.empty())
    out.candidate_mean = out.stable_mean = std::nan("");  // Texts have none.
  out.breached = breached_;
  if (trial_.cuped) out.covariate = {trial_.cuped->explained(), without_covariate_};
  out.sentence = sentence(out);
  return out;
}

std::string Guardrail::seen(const Evidence& e) const {
  const double good = 1 - mean_of(static_cast<double>(e.candidate_bad), std::max<std::uint64_t>(e.candidate_n, 1));
  switch (kind_) {
    case TestKind::kLatencyVsStable:
      return fmt::format("the candidate took {:.1f} ms on average over {} requests, stable {:.1f} ms over {}",
                         e.candidate_mean * 1e3, e.candidate_n, e.stable_mean * 1e3, e.stable_n);
    case TestKind::kRateVsStable:
      if (spec_.signal.kind == Kind::kConversion)
        return fmt::format("{} of {} candidate answers were followed by a conversion against {} of {} on stable",
                           e.candidate_n - e.candidate_bad, e.candidate_n, e.stable_n - e.stable_bad, e.stable_n);
      return fmt::format("{} of {} candidate outcomes were bad against {} of {} on stable", e.candidate_bad,
                         e.candidate_n, e.stable_bad, e.stable_n);
    case TestKind::kPairedRate:
      return fmt::format("of {} requests that both versions answered the candidate got {} wrong, stable {}",
                         e.candidate_n, e.candidate_bad, e.stable_bad);
    case TestKind::kMeanVsStable:
    case TestKind::kValueVsStable:
    case TestKind::kPairedMean:
      return fmt::format(
          "the candidate's mean is {:.4g} over {} outcomes{}, stable's {:.4g} over {}{}{}", e.candidate_mean,
          e.candidate_n, without_number(e.missing), e.stable_mean, e.stable_n, without_number(e.stable_missing),
          e.covariate
              ? fmt::format(" (of stable's variance the covariate explains {:.0f}%)", e.covariate->explained * 100)
              : "");
    case TestKind::kRatioVsStable:
      return fmt::format("the candidate's ratio is {:.4g} over {} outcomes{}, stable's {:.4g} over {}{}",
                         e.candidate_mean, e.candidate_n, without_number(e.missing), e.stable_mean, e.stable_n,
                         without_number(e.stable_missing));
    case TestKind::kMean:
      return fmt::format("the candidate's mean is {:.3f} over {} outcomes; the objective is at least {:g}",
                         e.candidate_mean, e.candidate_n, spec_.objective.bound);
    case TestKind::kAutomatic:
    case TestKind::kRate: break;
  }
  if (is_duration(spec_.signal.kind))
    return fmt::format("{} of {} candidate answers took longer than {:g} s; the objective allows {:g}%",
                       e.candidate_bad, e.candidate_n, spec_.objective.bound, (1 - spec_.objective.quantile) * 100);
  const bool at_least = spec_.objective.kind == Goal::kAtLeast;
  if (spec_.signal.kind == Kind::kAgreement)
    return fmt::format("on {} of {} requests the versions disagreed; the objective is that at least {:g}% agree",
                       e.candidate_bad, e.candidate_n, spec_.objective.bound * 100);
  if (is_attributed_rate())
    return fmt::format("{} of {} candidate answers were {} ({} still may be); the objective is at {} {:g}%{}",
                       e.candidate_bad, e.candidate_n, at_least ? "not followed by a conversion" : "reported", e.open,
                       at_least ? "least" : "most", spec_.objective.bound * 100, at_least ? " that are" : "");
  return fmt::format("{} of {} candidate outcomes were bad ({:.1f}% good); the objective is at {} {:g}% {}",
                     e.candidate_bad, e.candidate_n, good * 100, at_least ? "least" : "most",
                     spec_.objective.bound * 100, at_least ? "good" : "bad");
}

/// What broke late is not to be seen in what all outcomes come to.
std::string Guardrail::newest(const Evidence& e) const {
  const bool told = kind_ == TestKind::kRate && !is_attributed_rate() && e.breached && e.newest_n < e.candidate_n;
  if (!told || static_cast<double>(e.candidate_bad) > allowed_bad(spec_) * static_cast<double>(e.candidate_n))
    return "";
  return fmt::format("; of the newest {} it were {}", e.newest_n, e.newest_bad);
}

std::string Guardrail::sentence(const Evidence& e) const {
  const bool together = e.log_promise != e.log_limit;
  return fmt::format(
      "{}: {}{}{}{}. Evidence {} to 1, limit {:.0f} to 1{}", e.name,
      e.candidate_n == 0 && !e.breached ? "nothing of the candidate was judged so far" : seen(e), newest(e),
      e.unread == 0 ? "" : fmt::format("; {} of the candidate's answers could not be read", e.unread),
      e.outside == 0 ? ""
                     : fmt::format("; {} values are outside of [0, 1] and count as 0 or 1 (compare them with stable by "
                                   "test: value_vs_stable)",
                                   e.outside),
      odds(e.log_e), std::exp(e.log_limit),
      e.breached      ? fmt::format(": {} less than once in {:.0f} releases.",
                               together ? "of versions that meet every objective the guardrails together take one back"
                                             : "a version that meets the objective would show this",
                                    std::exp(e.log_promise))
      : e.window_over ? ". Its window is over: it counts no more."
                      : std::string("."));
}

}  // namespace backstay::guardrails
