#pragma once

#include <array>
#include <cstdint>

#include "domain/guardrails/spending.hpp"

/// Anytime-valid tests (e-processes): non-negative, started at 1, supermartingales while the null hypothesis holds, so
/// by Ville's inequality P(E ever reaches 1/alpha) <= alpha however often one looks. All work in logarithms, mix over a
/// grid of alternatives, allocate nothing and are plain copyable values. Not thread-safe.
///
/// Sources: Ramdas, Grunwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference" (2023);
/// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023).
namespace backstay::guardrails {

/// What a large e-value is evidence of.
enum class Direction : std::uint8_t {
  kAgainst,  ///< That the candidate is worse than the objective allows.
  kFor,      ///< The mirror image, for what a promotion requires: that it is better than the objective asks.
};

/// H0: P(bad | past) <= p0. Outcomes need be neither independent nor identically distributed.
/// E = mean_j prod (q_j/p0 | (1-q_j)/(1-p0)), odds(q_j) = r_j odds(p0), r in {1.25, 1.5, 2, 3, 5, 10}. Depends on the
/// counts only, so observing is one increment. kFor: H0 is P(bad | past) >= p0, r in {1/1.25 .. 1/10}.
class AbsoluteRateTest {
 public:
  /// `p0` in (0, 1).
  explicit AbsoluteRateTest(double p0, const RestartPlan& restarts = {}, Direction direction = Direction::kAgainst);
  void observe(bool bad) { ++(bad ? bad_ : good_); }
  void restart();
  double log_e() const { return capitals_now().log_e(); }
  std::uint64_t bad() const { return settled_bad_ + bad_; }
  std::uint64_t count() const { return bad() + settled_good_ + good_; }

 private:
  static constexpr std::size_t kGrid = 6;
  Capitals<kGrid> capitals_now() const;

  std::array<double, kGrid> bad_step_{};
  std::array<double, kGrid> good_step_{};
  Capitals<kGrid> capitals_;  ///< At the last restart.
  std::uint64_t bad_ = 0;     ///< Since then, like good_.
  std::uint64_t good_ = 0;
  std::uint64_t settled_bad_ = 0;
  std::uint64_t settled_good_ = 0;
};

/// H0: the candidate's bad rate is at most `tolerance` times stable's, whatever that is and however it drifts. Only bad
/// outcomes are told: under H0 each came from the candidate with probability at most pi' = t pi / (t pi + 1 - pi), pi
/// being the chance its request had of going to the candidate. L_j += A ln r_j - ln(pi' r_j + 1 - pi'), r in
/// {1.25, 1.5, 2, 3, 5, 10, 20}. Assumes that the draw was independent of the outcome and pi known before it.
/// kFor: H0 is that the rate is at least `tolerance` times stable's; each bad outcome is then the candidate's with
/// probability at least pi', and r in {1/1.25 .. 1/20} makes each factor's mean at most 1.
class RelativeRateTest {
 public:
  explicit RelativeRateTest(double tolerance = 1.0, const RestartPlan& restarts = {},
                            Direction direction = Direction::kAgainst)
      : capitals_(restarts), tolerance_(tolerance), direction_(direction) {}
  /// `pi` outside of (0, 1) tells nothing and is ignored.
  void observe_bad(bool candidate, double pi);
  void restart() { capitals_.restart(); }
  double log_e() const { return capitals_.log_e(); }

 private:
  static constexpr std::size_t kGrid = 7;
  Capitals<kGrid> capitals_;
  double tolerance_;
  Direction direction_;
  double pi_ = 0;  ///< That price_ was computed for: it changes with the rollout's steps, not with each request.
  std::array<double, kGrid> price_{};
};

/// H0: of the pairs in which exactly one of the two versions was bad, at most t / (1 + t) are the candidate's, t being
/// the tolerance. For a shadow step, where both versions answer the same request: what both get wrong (a broken input)
/// cancels. McNemar's test as an e-process: the RelativeRateTest on discordant pairs with pi = 1/2.
class PairedRateTest {
 public:
  explicit PairedRateTest(double tolerance = 1.0, const RestartPlan& restarts = {},
                          Direction direction = Direction::kAgainst)
      : test_(tolerance, restarts, direction) {}
  void observe(bool candidate_bad, bool stable_bad) {
    if (candidate_bad != stable_bad) test_.observe_bad(candidate_bad, 0.5);
  }
  void restart() { test_.restart(); }
  double log_e() const { return test_.log_e(); }

 private:
  RelativeRateTest test_;
};

}  // namespace backstay::guardrails
