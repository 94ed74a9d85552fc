#include "monitor/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "monitor/guardrail_watch.hpp"
#include "wire/policy_json.hpp"

namespace backstay::monitor {

namespace {

using guardrails::Evidence;
using guardrails::GuardrailSpec;

constexpr std::size_t kMostPoints = 512;

std::string name_of(const gateway::ValueSource& source) {
  if (!source.tensor.empty()) return fmt::format("tensor {}", source.tensor);
  return source.json_pointer.empty() ? "header " + source.header : source.json_pointer;
}

/// Feeds a recording's observations to guardrails and keeps what comes of it.
class Replay {
 public:
  explicit Replay(const std::optional<guardrails::Policy>& instead) : instead_(instead) {}

  /// From here on these look on, with nothing seen.
  Result<void> begin(const std::string& policy) {
    TRY(const guardrails::Policy recorded, wire::policy_from_json(policy));
    TRY(const ValuePlan recorded_values, plan_values(recorded.guardrails));
    const guardrails::Policy& decides = instead_ ? *instead_ : recorded;
    const std::vector<GuardrailSpec>& specs = decides.guardrails;
    TRY(const ValuePlan values, plan_values(specs));
    places_.fill(-1);
    for (std::size_t slot = 0; slot < values.sources.size(); ++slot) {
      const gateway::ValueSource& wanted = values.sources[slot];
      const auto found = std::find(recorded_values.sources.begin(), recorded_values.sources.end(), wanted);
      if (found == recorded_values.sources.end())
        return Unexpected(
            ErrorCode::kInvalidArgument,
            fmt::format("The {}' {} was not recorded: no guardrail of that time took it.",
                        wanted.of == gateway::ValueSource::Of::kRequest ? "requests" : "responses", name_of(wanted)),
            "Replay with guardrails on errors, latency and the values that were recorded.");
      places_[slot] = static_cast<int>(found - recorded_values.sources.begin());
    }
    const auto is_told = [](const GuardrailSpec& spec) { return guardrails::is_told(spec.signal.kind); };
    const auto told = std::find_if(specs.begin(), specs.end(), is_told);
    if (told != specs.end() && std::none_of(recorded.guardrails.begin(), recorded.guardrails.end(), is_told))
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("What users told was not recorded, which '{}' takes: no guardrail of that time did, "
                      "so no predictions were remembered that feedback could have joined.",
                      told->name),
          "Replay with guardrails on errors, latency and the values that were recorded.");
    TRY_DO(find_examiners(values.examiners, recorded_values.examiners));
    watch_.emplace(specs, values.slots, decides.family);
    out.since_restart = out.crossings.size();
    if (begun_) ++out.restarts;
    begun_ = true;
    // The clock that outcomes have begins anew with the machine.
    base_ = out.lasted;
    first_at_.reset();
    const bool same = out.courses.size() == specs.size() &&
                      std::equal(specs.begin(), specs.end(), out.courses.begin(),
                                 [](const GuardrailSpec& a, const Course& b) { return a.name == b.guardrail; });
    if (!same) {
      out.courses.assign(specs.size(), {});
      for (std::size_t i = 0; i < specs.size(); ++i) out.courses[i].guardrail = specs[i].name;
    }
    return {};
  }

  void observe(const Observation& recorded) {
    if (!watch_) return;  // A recording begins with its policy.
    if (recorded.kind == Observation::Kind::kReset) return watch_->reset();
    if (recorded.kind == Observation::Kind::kRearm) return watch_->rearm();
    Observation o = recorded;
    for (std::size_t slot = 0; slot < places_.size(); ++slot)
      o.outcome.values[slot] =
          places_[slot] < 0 ? traffic::kNoValue : recorded.outcome.values[static_cast<std::size_t>(places_[slot])];
    const bool later = o.kind != Observation::Kind::kOutcome;
    const Monotonic at = later ? o.at : o.outcome.at;
    // What stable answered while the candidate warmed up tells nothing of the two.
    if (!later && !o.candidate && o.pi == 0 && !first_at_) return watch_->show(o, [](const Evidence&) {});
    if (!first_at_) first_at_ = at;
    out.lasted = base_ + std::max<nanoseconds>(at - *first_at_, nanoseconds{0});
    if (o.kind == Observation::Kind::kLabel) ++out.labels;
    if (o.kind == Observation::Kind::kReport) ++out.reports;
    if (o.kind == Observation::Kind::kConversion) ++out.conversions;
    // What the fallback answered in the candidate's place is no draw of the split.
    if (!later && !o.outcome.fallback) ++(o.candidate ? out.candidate_outcomes : out.stable_outcomes);
    const auto crossed = [&](const Evidence& evidence) {
      out.crossings.push_back({out.candidate_outcomes, out.lasted, o.outcome.prediction, evidence});
    };
    const std::size_t before = out.crossings.size();
    if (o.kind == Observation::Kind::kVerdict) {
      if (o.examiner >= examiners_.size() || examiners_[o.examiner] < 0) return;  // Nobody listens.
      o.examiner = static_cast<std::uint8_t>(examiners_[o.examiner]);
    }
    watch_->show(o, crossed);
    // Every point is too many, and the last before a crossing matters most.
    if (o.candidate && (seen_++ % stride_ == 0 || out.crossings.size() != before)) add_points();
  }

  Replayed finish() {
    if (watch_) {
      add_points();
      out.at_the_end = watch_->evidence();
    }
    return std::move(out);
  }

  Replayed out;

 private:
  /// Whose verdicts were recorded under which number.
  Result<void> find_examiners(const std::vector<std::string>& wanted, const std::vector<std::string>& recorded) {
    examiners_.assign(recorded.size(), -1);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto found = std::find(recorded.begin(), recorded.end(), wanted[i]);
      if (found == recorded.end())
        return Unexpected(ErrorCode::kInvalidArgument,
                          fmt::format("What {} said was not recorded: no guardrail of that time took it.",
                                      wanted[i].empty() ? "the signature" : "the classifier '" + wanted[i] + "'"),
                          "Replay with guardrails on what was recorded.");
      examiners_[static_cast<std::size_t>(found - recorded.begin())] = static_cast<int>(i);
    }
    return {};
  }

  void add_points() {
    for (std::size_t i = 0; i < out.courses.size(); ++i)
      out.courses[i].points.push_back({out.lasted, watch_->log_e(i)});
    if (out.courses.empty() || out.courses.front().points.size() < kMostPoints) return;
    stride_ *= 2;
    for (Course& course : out.courses) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < course.points.size(); i += 2) course.points[kept++] = course.points[i];
      course.points.resize(kept);
    }
  }

  const std::optional<guardrails::Policy>& instead_;
  std::optional<GuardrailWatch> watch_;
  std::array<int, traffic::kMaxValues> places_{};  ///< Of a policy's values among the recorded ones.
  std::vector<int> examiners_;                     ///< Of a recording among the policy's; -1: not wanted.
  std::optional<Monotonic> first_at_;              ///< Since the last restart.
  nanoseconds base_{0};                            ///< What was recorded before that.
  bool begun_ = false;
  std::uint64_t seen_ = 0;
  std::uint64_t stride_ = 1;
};

}  // namespace

Result<Replayed> replay(const RecordingStore& recordings, const std::string& rollout,
                        const std::optional<guardrails::Policy>& instead) {
  Replay work(instead);
  TRY(const RecordingStore::Recorded recorded,
      recordings.read(
          rollout, {[&](const std::string& policy) { return work.begin(policy); },
                    [&](const Observation& observation) { work.observe(observation); }, [&] { ++work.out.resumed; }}));
  Replayed out = work.finish();
  out.instead = instead.has_value();
  out.recorded = recorded;
  return out;
}

}  // namespace backstay::monitor
