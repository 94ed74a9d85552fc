#pragma once

#include <array>
#include <cstdint>
#include <vector>

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

/// What the rate tests bet on: the candidate being so many times as bad, each with a part of the capital. A version
/// that is 25 times as bad is found in a handful of outcomes, of which each part that is bet on something else costs a
/// greater share: so that gets two parts. With these, detection takes at most 1.3 times the information bound from 1.5
/// to 10 times as bad (docs/statistics.md).
inline constexpr std::array<double, 5> kBetRatios{1.4, 2, 3.5, 8, 25};
inline constexpr std::array<double, 5> kBetShares{1, 1, 1, 1, 2};

/// H0: P(bad | past) <= p0. Outcomes need be neither independent nor identically distributed.
/// E = sum_j w_j prod (q_j/p0 | (1-q_j)/(1-p0)), odds(q_j) = r_j odds(p0), r and w as above. Far from its limit it
/// depends on the counts only, so observing is one increment; near it see Capitals::bet. kFor: H0 is
/// P(bad | past) >= p0, and the odds are 1/r_j times those of p0.
class AbsoluteRateTest {
 public:
  /// `p0` in (0, 1). `log_limit`: ln(1/alpha), where a breach is; kAgainst only.
  explicit AbsoluteRateTest(double p0, const RestartPlan& restarts = {}, Direction direction = Direction::kAgainst,
                            double log_limit = kNoLimit);
  void observe(bool bad) {
    if (near_) return observe_near(bad);
    ++(bad ? bad_ : good_);
    if (bad && log_limit_ < kNoLimit) look_ahead();
  }
  /// So many outcomes, the bad ones first.
  void observe(std::uint64_t bad, std::uint64_t good);
  void restart();
  double log_e() const { return capitals_now().log_e(); }
  /// False: log_e() is below `limit` for sure. Cheap.
  bool could_be(double limit) const { return capitals_now().could_be(limit); }
  std::uint64_t bad() const { return settled_bad_ + bad_; }
  std::uint64_t count() const { return bad() + settled_good_ + good_; }

 private:
  static constexpr std::size_t kGrid = kBetRatios.size();
  Capitals<kGrid> capitals_now() const;
  void settle();
  void look_ahead();
  void observe_near(bool bad);

  std::array<double, kGrid> bad_step_{};
  std::array<double, kGrid> good_step_{};
  Capitals<kGrid> capitals_;  ///< At the last restart.
  std::uint64_t bad_ = 0;     ///< Since then, like good_.
  std::uint64_t good_ = 0;
  std::uint64_t settled_bad_ = 0;
  std::uint64_t settled_good_ = 0;
  double log_limit_;
  bool near_ = false;  ///< The next bad outcome could reach the limit.
};

/// AbsoluteRateTest for outcomes that are settled late, and not in their order: a report comes at once, that there was
/// none is known when its window is over, and counting what is known would let whatever is known first decide. What is
/// not settled yet counts as what speaks least: as good (kAgainst), or as bad (kFor). So the evidence of the first n
/// answers is never more than it is going to be when they are settled and taken in the order in which they were given,
/// which is an e-process; whichever n one looks at, P(it ever reaches 1/alpha) <= alpha, however long and unevenly
/// outcomes take. The n that says most is looked at: of the last answers most are open. No answer needs to be settled
/// ever. Of each time between two restarts that has open answers the counts are kept: one allocation per restart.
class UnsettledRateTest {
 public:
  explicit UnsettledRateTest(double p0, const RestartPlan& plan = {}, Direction direction = Direction::kAgainst);
  /// One more answer was given; they are numbered from 0, and between two restarts there are RestartPlan::every.
  void open();
  /// Nothing will be learnt of this answer any more than what it was taken for (`surprise`: it was the other).
  void settle(std::uint64_t number, bool surprise);
  void restart();
  /// Of the n that says most; for the test's own limit, not for a mean or a family: it is no e-value at one moment.
  double log_e() const;
  /// Of all answers: is one.
  double log_e_of_all() const;
  /// False: log_e() is below `limit` for sure. Cheaper.
  bool could_be(double limit) const;

 private:
  static constexpr std::size_t kGrid = kBetRatios.size();
  using Grid = std::array<double, kGrid>;
  /// From one restart to the next.
  struct Epoch {
    double log_weight = 0;  ///< Of the processes that begin with it.
    std::uint64_t answers = 0;
    std::uint64_t surprises = 0;
    std::uint64_t open = 0;
    std::uint64_t reach = 0;  ///< Of its answers, up to the last surprise.
  };
  bool restarts() const { return restarts_.every > 0 && restarts_.first < 1; }
  /// Of the epoch's first answers, all surprises among them.
  double log_factor(const Epoch& epoch, std::uint64_t answers, std::size_t j) const;
  /// Adds the epoch's begin, or so many of its answers.
  void begin(const Epoch& epoch, Grid& logs) const;
  void multiply(const Epoch& epoch, std::uint64_t answers, Grid& logs) const;
  /// ln of the capital at the epoch's last surprise; `logs`: at its begin.
  double log_e_at_reach(const Epoch& epoch, Grid logs, std::uint64_t begun) const;
  /// ln of their sum and of what was not spent when that many epochs had begun.
  double log_sum(const Grid& logs, std::uint64_t begun) const;
  void forget_settled();

  RestartPlan restarts_;
  Grid log_shares_{};
  Grid usual_step_{};       ///< Of what an answer is taken for, and
  Grid surprise_step_{};    ///< of the other.
  Grid settled_;            ///< Capitals at the begin of the first epoch that is kept.
  std::uint64_t gone_ = 0;  ///< Epochs before that.
  double most_ = 0;         ///< log_e() of what ends in one of those.
  std::vector<Epoch> epochs_;
};

/// H0: the candidate's bad rate is at most `tolerance` times stable's, whatever that is and however it drifts. Only bad
/// outcomes are told: under H0 each came from the candidate with probability at most pi' = t pi / (t pi + 1 - pi), pi
/// being the chance its request had of going to the candidate. L_j += A ln r_j - ln(pi' r_j + 1 - pi'), r in
/// kBetRatios; near the limit see Capitals::bet. Assumes that the draw was independent of the outcome and pi known
/// before it. kFor: H0 is that the rate is at least `tolerance` times stable's; each bad outcome is then the
/// candidate's with probability at least pi', and 1/r_j instead of r_j makes each factor's mean at most 1.
class RelativeRateTest {
 public:
  /// `log_limit`: as above.
  explicit RelativeRateTest(double tolerance = 1.0, const RestartPlan& restarts = {},
                            Direction direction = Direction::kAgainst, double log_limit = kNoLimit)
      : capitals_(restarts, kBetShares), tolerance_(tolerance), direction_(direction), log_limit_(log_limit) {}
  /// `pi` outside of (0, 1) tells nothing and is ignored.
  void observe_bad(bool candidate, double pi);
  void set_limit(double log_limit) { log_limit_ = log_limit; }
  void restart() { capitals_.restart(); }
  double log_e() const { return capitals_.log_e(); }

 private:
  static constexpr std::size_t kGrid = kBetRatios.size();
  Capitals<kGrid> capitals_;
  double tolerance_;
  Direction direction_;
  double log_limit_;
  double pi_ = 0;  ///< That the steps were computed for: it changes with the rollout's steps, not with each request.
  std::array<double, kGrid> candidate_step_{};  ///< When the bad outcome is the candidate's, and
  std::array<double, kGrid> stable_step_{};     ///< when it is stable's.
};

/// H0: of the pairs in which exactly one of the two versions was bad, at most t / (1 + t) are the candidate's, t being
/// the tolerance. For a shadow step, where both versions answer the same request: what both get wrong (a broken input)
/// cancels. McNemar's test as an e-process: the RelativeRateTest on discordant pairs with pi = 1/2.
class PairedRateTest {
 public:
  explicit PairedRateTest(double tolerance = 1.0, const RestartPlan& restarts = {},
                          Direction direction = Direction::kAgainst, double log_limit = kNoLimit)
      : test_(tolerance, restarts, direction, log_limit) {}
  void observe(bool candidate_bad, bool stable_bad) {
    if (candidate_bad != stable_bad) test_.observe_bad(candidate_bad, 0.5);
  }
  void restart() { test_.restart(); }
  double log_e() const { return test_.log_e(); }

 private:
  RelativeRateTest test_;
};

}  // namespace backstay::guardrails
