#include "monitor/explain_rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "wire/rollout_json.hpp"

namespace backstay::monitor {

namespace {

using guardrails::Action;
using guardrails::Evidence;
using nlohmann::json;
using rollout::Phase;
using rollout::State;

std::string odds(double log_e) {
  if (log_e > std::log(1e6)) return "more than a million to 1";
  const double e = std::exp(log_e);
  return e < 10 ? fmt::format("{:.1f} to 1", e) : fmt::format("{:.0f} to 1", e);
}

double nearness(const Evidence& evidence) {
  return evidence.log_e / evidence.log_limit;
}

std::string hex(const traffic::PredictionId& id) {
  std::string out;
  id.append_hex(out);
  return out;
}

/// The guardrail's sentence without the odds that follow it.
std::string seen(const Evidence& evidence) {
  const auto end = evidence.sentence.find(". Evidence ");
  return evidence.sentence.substr(0, end == std::string::npos ? end : end + 1);
}

std::string headline(const State& s) {
  const std::string back = s.stable.empty() ? "nothing served then" : s.stable + " served on";
  if (s.revert && s.phase == Phase::kDone)
    return fmt::format("{}: the endpoint returned from {} to {}.", s.id, s.stable, s.candidate);
  if (s.phase == Phase::kDone) return fmt::format("{}: {} became the endpoint's stable version.", s.id, s.candidate);
  if (s.phase != Phase::kRolledBack)
    return fmt::format("{}: {} is under way ({}{}).", s.id, s.candidate, rollout::to_string(s.phase),
                       s.paused ? ", paused" : "");
  const std::string trigger = s.cause ? s.cause->trigger : "";
  if (trigger == "guardrail") return fmt::format("{}: a guardrail took {} back; {}.", s.id, s.candidate, back);
  if (trigger == "manual") return fmt::format("{}: {} took {} back; {}.", s.id, s.cause->actor, s.candidate, back);
  const char* why = trigger == "requirement"  ? "what a step requires was not shown in time"
                    : trigger == "dependency" ? "what it needs was taken back"
                                              : "its backend was not there";
  return fmt::format("{}: {} was taken back because {}; {}.", s.id, s.candidate, why, back);
}

Passage observed(const Replayed& replayed) {
  Passage out{"What was observed", {}};
  const std::uint64_t all = replayed.candidate_outcomes + replayed.stable_outcomes;
  out.sentences.push_back(
      fmt::format("In {} the guardrails saw {} outcomes, {} of them the candidate's ({:.1f}%), and {} labels{}{}.",
                  length_text(replayed.lasted), all, replayed.candidate_outcomes,
                  all == 0 ? 0.0 : 100 * static_cast<double>(replayed.candidate_outcomes) / static_cast<double>(all),
                  replayed.labels, replayed.reports == 0 ? "" : fmt::format(", {} reports", replayed.reports),
                  replayed.conversions == 0 ? "" : fmt::format(", {} conversions", replayed.conversions)));
  if (!replayed.recorded.complete) out.sentences.push_back("The recording is not whole: " + replayed.recorded.why_not);
  return out;
}

Passage crossed(const Crossing& crossing, const State& state) {
  const Evidence& e = crossing.evidence;
  Passage out{"Which test crossed its limit, and when", {}};
  out.sentences.push_back(seen(e));
  const Timestamp made = crossing.prediction.at();
  if (crossing.prediction != traffic::PredictionId() && made < std::chrono::floor<seconds>(state.started_at)) {
    out.sentences.push_back(
        fmt::format("It crossed when the label came of prediction {}, which was made at {}, before "
                    "this rollout.",
                    hex(crossing.prediction), to_rfc3339(made).substr(0, 19) + "Z"));
  } else {
    out.sentences.push_back(
        fmt::format("It crossed {} after the first outcome, at outcome {} of the candidate, prediction {}.",
                    length_text(crossing.after), crossing.outcomes, hex(crossing.prediction)));
  }
  return out;
}

std::string times(std::size_t n) {
  return n == 1 ? "once" : fmt::format("{} times", n);
}

Passage chance(const Evidence& e, const Replayed& replayed) {
  using guardrails::TestKind;
  const double limit = std::exp(e.log_limit);
  // docs/statistics.md: these estimate the spread, and hold as outcomes become many.
  // One guardrail of several may be asked for more or less than its own limit; what was promised is of all of them.
  const bool together = e.log_promise != e.log_limit;
  const bool asymptotic = e.test == TestKind::kValueVsStable || e.test == TestKind::kRatioVsStable;
  Passage out{
      "How likely that was by chance",
      {fmt::format("The evidence against the candidate was {}; the limit is {:.0f} to 1.", odds(e.log_e), limit),
       fmt::format("Among versions that meet {} at most one in {:.0f} is ever taken back by {}, however often "
                   "{}{}.",
                   together ? "every objective" : "the objective", std::exp(e.log_promise),
                   together ? "the guardrails together (e-BH)" : "this guardrail", together ? "they look" : "it looks",
                   asymptotic ? " (when it has many outcomes to look at)" : "")}};
  if (replayed.restarts > 0)
    out.sentences.push_back(
        fmt::format("The server was started again {} during the rollout and could not go on with "
                    "its evidence: that began anew, and that chance with it.",
                    times(replayed.restarts)));
  if (replayed.resumed > 0)
    out.sentences.push_back(
        fmt::format("The server was started again {} and went on with the evidence that it had recorded.",
                    times(replayed.resumed)));
  return out;
}

/// What had the rollout stand still, each time.
void add_pauses(const State& state, const Replayed& replayed, std::vector<Passage>& out) {
  for (const Crossing& crossing : replayed.crossings) {
    if (crossing.evidence.action != Action::kPause) continue;
    out.push_back(crossed(crossing, state));
    out.back().heading = fmt::format("What paused it, and when ({})", crossing.evidence.name);
    out.push_back(chance(crossing.evidence, replayed));
  }
}

Passage others(const std::vector<Evidence>& all, const std::string& but) {
  Passage out{"What else was considered", {}};
  for (const Evidence& e : all) {
    if (e.name == but) continue;
    const double share = std::max(0.0, nearness(e)) * 100;
    out.sentences.push_back(
        fmt::format("{} {}.", seen(e),
                    e.breached ? "It crossed its limit too" : fmt::format("Evidence at {:.0f}% of its limit", share)));
  }
  return out;
}

/// Of a return: why that version, and which were passed over, as the audit log has it.
Passage chosen(const State& s, const std::vector<audit::Entry>& entries) {
  Passage out{"Why that version", {}};
  for (const audit::Entry& entry : entries) {
    if (!s.revert || entry.draft.action != "rollout.revert") continue;
    const json evidence = json::parse(entry.draft.evidence, nullptr, false);
    if (evidence.is_object() && evidence.contains("why") && evidence["why"].is_string())
      out.sentences.push_back(evidence["why"].get<std::string>());
  }
  return out;
}

Passage target(const State& s) {
  Passage out{"Where the traffic went", {}};
  if (s.phase != Phase::kRolledBack) return out;
  if (s.stable.empty()) {
    out.sentences.emplace_back("Nowhere: it was the endpoint's first version.");
  } else {
    out.sentences.push_back(fmt::format("To {}, the version that was stable when the rollout began.", s.stable));
  }
  return out;
}

Passage timeline(const std::vector<audit::Entry>& entries) {
  Passage out{"In order (audit log)", {}};
  for (const audit::Entry& entry : entries)
    out.sentences.push_back(fmt::format(
        "{:>6}  {}  {:<24} by {}{}", entry.sequence, to_rfc3339(entry.at).substr(5, 18), entry.draft.action,
        entry.draft.actor,
        entry.draft.reason.empty() || entry.draft.action == "rollout.rollback" ? "" : ": " + entry.draft.reason));
  return out;
}

}  // namespace

std::string length_text(nanoseconds length) {
  const double s = std::chrono::duration<double>(length).count();
  if (s < 1) return fmt::format("{:.0f} ms", s * 1e3);
  if (s < 120) return fmt::format("{:.1f} s", s);
  const auto whole = static_cast<std::int64_t>(std::llround(s));
  if (whole < 7200) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

const Crossing* first_crossing(const Replayed& replayed, Action action) {
  // With another policy the release would have been over by then.
  const std::size_t forgotten = replayed.instead ? 0 : replayed.since_restart;
  const auto from = replayed.crossings.begin() + static_cast<std::ptrdiff_t>(forgotten);
  const auto found =
      std::find_if(from, replayed.crossings.end(), [&](const Crossing& c) { return c.evidence.action == action; });
  return found == replayed.crossings.end() ? nullptr : &*found;
}

Explanation explain(const State& s, const std::vector<audit::Entry>& entries, const std::optional<Replayed>& replayed) {
  Explanation out;
  out.headline = headline(s);
  const bool by_guardrail = s.cause && s.cause->trigger == "guardrail";
  if (s.cause && !by_guardrail) out.passages.push_back({"The reason that was given", {s.cause->reason}});
  const Crossing* decided = replayed && by_guardrail ? first_crossing(*replayed, Action::kRollBack) : nullptr;
  if (by_guardrail && decided == nullptr) out.passages.push_back({"What the audit log says of it", {s.cause->reason}});
  if (replayed) {
    out.passages.push_back(observed(*replayed));
    if (decided != nullptr) {
      out.guardrail = decided->evidence.name;
      out.passages.push_back(crossed(*decided, s));
      out.passages.push_back(chance(decided->evidence, *replayed));
    } else if (!replayed->at_the_end.empty()) {
      out.guardrail = std::max_element(replayed->at_the_end.begin(), replayed->at_the_end.end(),
                                       [](const Evidence& a, const Evidence& b) { return nearness(a) < nearness(b); })
                          ->name;
    }
    add_pauses(s, *replayed, out.passages);
    out.passages.push_back(others(replayed->at_the_end, decided != nullptr ? out.guardrail : ""));
  }
  out.passages.push_back(chosen(s, entries));
  out.passages.push_back(target(s));
  out.passages.push_back(timeline(entries));
  out.passages.erase(std::remove_if(out.passages.begin(), out.passages.end(),
                                    [](const Passage& passage) { return passage.sentences.empty(); }),
                     out.passages.end());
  return out;
}

Agreement compare(const State& s, const Replayed& replayed) {
  using Kind = Agreement::Kind;
  const Crossing* crossing = first_crossing(replayed, Action::kRollBack);
  const bool by_guardrail = s.cause && s.cause->trigger == "guardrail";
  // What a cut or damaged recording does not have could be anything.
  if (!replayed.recorded.complete && crossing == nullptr)
    return {Kind::kCannotTell, "The recording does not have all that was seen: " + replayed.recorded.why_not};
  if (s.cause && s.cause->trigger == "requirement" && crossing == nullptr)
    return {Kind::kSame,
            "No guardrail crosses the limit at which it takes a release back; it was what a step requires and what was "
            "not shown in time, which a replay of guardrails does not decide."};
  if (!by_guardrail && crossing == nullptr)
    return {Kind::kSame, "No guardrail crosses the limit at which it takes a release back; none did then."};
  if (by_guardrail && crossing == nullptr)
    return {Kind::kOther, "No guardrail crosses its limit in the recording, but the audit log has a rollback by one."};
  if (!by_guardrail)
    return {Kind::kOther,
            fmt::format("'{}' crosses its limit in the recording, but no guardrail took the release back.",
                        crossing->evidence.name)};
  if (wire::to_json(crossing->evidence) == s.cause->evidence)
    return {Kind::kSame, fmt::format("'{}' crosses its limit at outcome {} of the candidate, with the evidence of the "
                                     "audit log, bit for bit.",
                                     crossing->evidence.name, crossing->outcomes)};
  return {Kind::kOther,
          fmt::format("'{}' crosses its limit at outcome {} of the candidate, with other evidence than the "
                      "audit log has.",
                      crossing->evidence.name, crossing->outcomes)};
}

}  // namespace backstay::monitor
