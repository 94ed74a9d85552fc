#include "monitor/restore_evidence.hpp"

namespace backstay::monitor {

namespace {

class Restore {
 public:
  Restore(const rollout::State& state, const std::string& policy, GuardrailWatch& watch)
      : state_(state), policy_(policy), watch_(watch) {}

  void begin(const std::string& policy) {
    same_policy_ = policy == policy_;
    forget();
  }

  void show(const Observation& o) {
    if (!same_policy_) return;
    if (o.kind == Observation::Kind::kReset) {
      forget();
      counts_ = o.epoch >= rollout::evidence_epoch(state_);
      return;
    }
    if (!counts_) return;
    watch_.show(o, [this](const guardrails::Evidence& evidence) { out_.crossed.push_back(evidence); });
    if (o.kind != Observation::Kind::kOutcome) return;
    last_ = o.outcome;
    // An id has whole seconds: what was answered in the one in which the step began is left out.
    if (o.candidate && o.outcome.prediction.at() >= state_.phase_since) ++out_.samples;
  }

  std::optional<RestoredEvidence> finish(Monotonic now, Timestamp wall) {
    if (!last_) return std::nullopt;
    out_.clock = RolloutClock::after(*last_, now, wall);
    return std::move(out_);
  }

 private:
  void forget() {
    watch_.reset();
    out_ = {};
    last_.reset();
    counts_ = false;
  }

  const rollout::State& state_;
  const std::string& policy_;
  GuardrailWatch& watch_;
  RestoredEvidence out_;
  std::optional<traffic::Outcome> last_;
  bool same_policy_ = false;
  bool counts_ = false;  ///< What comes is of the experiment that the rollout is in.
};

}  // namespace

std::optional<RestoredEvidence> restore_evidence(const RecordingStore& recordings, const rollout::State& state,
                                                 const std::string& policy, GuardrailWatch& watch, Monotonic now,
                                                 Timestamp wall) {
  Restore work(state, policy, watch);
  const auto recorded = recordings.read(state.id, {[&](const std::string& text) -> Result<void> {
                                                     work.begin(text);
                                                     return {};
                                                   },
                                                   [&](const Observation& observation) { work.show(observation); }});
  // One that has ended whole is of another rollout that had this id and never was.
  std::optional<RestoredEvidence> out;
  if (recorded && !recorded->complete) out = work.finish(now, wall);
  if (!out) watch.reset();
  return out;
}

}  // namespace backstay::monitor
