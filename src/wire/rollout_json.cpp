#include "wire/rollout_json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "wire/plan_json.hpp"

namespace backstay::wire {

using nlohmann::json;

namespace {

using guardrails::Action;
using guardrails::Objective;
using guardrails::Predicate;
using guardrails::Signal;
using guardrails::TestKind;

template <class T>
void read_word(Fields& fields, const char* key, const std::string& word,
               std::initializer_list<std::pair<const char*, T>> words, T& out) {
  std::string known;
  for (const auto& [name, value] : words) {
    if (word == name) {
      out = value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  fields.fail(key, fmt::format("is '{}'", word), fmt::format("Use one of: {}.", known));
}

void read_phase(Fields& fields, rollout::Phase& phase) {
  using rollout::Phase;
  std::string word;
  fields.required("phase", word);
  read_word<Phase>(fields, "phase", word,
                   {{"warming", Phase::kWarming},
                    {"stepping", Phase::kStepping},
                    {"watching", Phase::kWatching},
                    {"done", Phase::kDone},
                    {"rolled_back", Phase::kRolledBack}},
                   phase);
}

std::optional<Predicate> read_comparison(Fields& fields) {
  constexpr std::pair<const char*, Predicate::Op> kOps[] = {{"at_least", Predicate::Op::kAtLeast},
                                                            {"above", Predicate::Op::kAbove},
                                                            {"at_most", Predicate::Op::kAtMost},
                                                            {"below", Predicate::Op::kBelow},
                                                            {"is", Predicate::Op::kIs}};
  std::optional<Predicate> out;
  for (const auto& [key, op] : kOps) {
    double value = std::nan("");
    std::string text;
    if (op == Predicate::Op::kIs) {
      fields.optional_number_or_text(key, value, text);
    } else {
      fields.optional(key, value);
    }
    if (std::isnan(value) && text.empty()) continue;
    if (out) fields.fail(key, "is a second comparison", "Only one is looked at: for a range, make two guardrails.");
    out = text.empty() ? Predicate{op, value} : Predicate::is(text);
  }
  if (!out)
    fields.fail("at_least", "is missing; so are above, at_most, below and is",
                "Say which values are meant, like {at_least: 0.5}.");
  return out;
}

void read_value(Fields& fields, guardrails::Value& out) {
  fields.optional("json_pointer", out.json_pointer);
  fields.optional("header", out.header);
  fields.optional("tensor", out.tensor);
  if (!out.given())
    fields.fail("json_pointer", "is missing; so are header and tensor", "Say where in the response the value is.");
}

void read_signal(Fields& fields, Signal& out) {
  fields.object("signal", [&](Fields& signal) {
    std::string kind;
    signal.required("kind", kind);
    read_word<Signal::Kind>(signal, "kind", kind,
                            {{"error", Signal::Kind::kError},
                             {"latency", Signal::Kind::kLatency},
                             {"response_value", Signal::Kind::kResponseValue},
                             {"feedback", Signal::Kind::kFeedback},
                             {"first_byte", Signal::Kind::kFirstByte},
                             {"response_bytes", Signal::Kind::kResponseBytes},
                             {"report", Signal::Kind::kReport},
                             {"conversion", Signal::Kind::kConversion},
                             {"schema", Signal::Kind::kSchema},
                             {"status", Signal::Kind::kStatus},
                             {"agreement", Signal::Kind::kAgreement},
                             {"classifier", Signal::Kind::kClassifier}},
                            out.kind);
    signal.optional("json_pointer", out.json_pointer);
    signal.optional("header", out.header);
    signal.optional("tensor", out.tensor);
    signal.optional("within", out.within);
    if (signal.has("within") && !guardrails::is_attributed(out.kind))
      signal.fail("within", "is given for a signal that is known at once or by its label",
                  "Reports and conversions take it.");
    signal.optional("classifier", out.classifier);
    signal.optional("difference", out.difference);
    signal.object("ok_when", [&](Fields& predicate) { out.ok_when = read_comparison(predicate); });
    signal.object("per", [&](Fields& per) { read_value(per, out.per); });
    signal.object("segment", [&](Fields& segment) {
      read_value(segment, out.segment);
      std::string of = "response";
      segment.optional("of", of);
      read_word<bool>(segment, "of", of, {{"response", false}, {"request", true}}, out.segment_of_request);
      out.where = read_comparison(segment);
    });
    if (out.kind == Signal::Kind::kClassifier && !out.ok_when) out.ok_when = Predicate{Predicate::Op::kBelow, 0.5};
    signal.optional("positive_at", out.positive_at);
    std::string right_when = "side";
    signal.optional("right_when", right_when);
    read_word<Signal::RightWhen>(signal, "right_when", right_when,
                                 {{"side", Signal::RightWhen::kSameSide}, {"same", Signal::RightWhen::kSame}},
                                 out.right_when);
    std::string among = "all";
    signal.optional("among", among);
    read_word<Signal::Among>(signal, "among", among,
                             {{"all", Signal::Among::kAll},
                              {"positives", Signal::Among::kPositives},
                              {"negatives", Signal::Among::kNegatives}},
                             out.among);
  });
}

// A bound may be a number or, for latencies, a duration.
void read_bound(Fields& fields, const char* key, Signal::Kind signal, double& out) {
  if (!guardrails::is_duration(signal)) return fields.optional(key, out);
  milliseconds limit{0};
  if (!fields.has(key)) return;
  fields.optional(key, limit);
  out = static_cast<double>(limit.count()) / 1e3;
}

void read_objective(Fields& fields, Signal::Kind signal, Objective& out) {
  if (!fields.has("objective"))
    fields.fail("objective", "is missing",
                "Say what the signal must be, like objective: {at_most: 0.01} or {relative_to: stable}.");
  fields.object("objective", [&](Fields& objective) {
    const bool at_least = objective.has("at_least");
    const bool at_most = objective.has("at_most");
    std::string relative;
    read_bound(objective, "at_least", signal, out.bound);
    if (!at_least) read_bound(objective, "at_most", signal, out.bound);
    if (at_least) out.kind = Objective::Kind::kAtLeast;
    if (at_most) out.kind = Objective::Kind::kAtMost;
    objective.optional("relative_to", relative);
    if (!relative.empty() && relative != "stable")
      objective.fail("relative_to", "is not 'stable'", "Write relative_to: stable.");
    if (!at_least && !at_most && relative.empty())
      objective.fail("at_least", "is missing; so are at_most and relative_to",
                     "Say what the signal must be, like {at_most: 1%} or {relative_to: stable}.");
    if ((at_least ? 1 : 0) + (at_most ? 1 : 0) + (relative.empty() ? 0 : 1) > 1)
      objective.fail("at_least", "is one of three: at_least, at_most and relative_to", "Give exactly one of them.");
    objective.optional("tolerance", out.tolerance);
    objective.optional("quantile", out.quantile);
    objective.optional("margin", out.margin);
    objective.optional("sigma", out.sigma);
    std::string better = "higher";
    objective.optional("better", better);
    read_word<guardrails::Better>(objective, "better", better,
                                  {{"higher", guardrails::Better::kHigher}, {"lower", guardrails::Better::kLower}},
                                  out.better);
    if (guardrails::is_duration(signal)) read_bound(objective, "slack", signal, out.slack_seconds);
  });
}

}  // namespace

std::string to_json(const rollout::State& state) {
  json root{{"id", state.id},
            {"endpoint", state.endpoint},
            {"stable", state.stable},
            {"candidate", state.candidate},
            {"plan", plan_json(state.plan)},
            {"phase", rollout::to_string(state.phase)},
            {"paused", state.paused},
            {"revert", state.revert},
            {"started_by", state.started_by},
            {"policy", state.policy},
            {"candidate_ready", state.candidate_ready},
            {"step_index", state.step_index},
            {"started_at", to_rfc3339(state.started_at)},
            {"phase_since", to_rfc3339(state.phase_since)},
            {"last_up", to_rfc3339(state.last_up)},
            {"samples", state.samples},
            {"approved", state.approved},
            {"asked", state.asked},
            {"proven", state.proven},
            {"revision", state.revision}};
  if (state.cause) {
    root["cause"] = {{"trigger", state.cause->trigger},
                     {"actor", state.cause->actor},
                     {"reason", state.cause->reason},
                     {"evidence", state.cause->evidence}};
  }
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<rollout::State> rollout_from_json(const std::string& text) {
  TRY(const Document document, Document::from_json("The stored rollout", text));
  rollout::State state;
  state.plan = {};
  std::uint64_t step_index = 0;
  Fields fields(document);
  fields.required("id", state.id);
  fields.required("endpoint", state.endpoint);
  fields.optional("stable", state.stable);
  fields.required("candidate", state.candidate);
  fields.object("plan", [&](Fields& plan) { read_plan(plan, state.plan); });
  read_phase(fields, state.phase);
  fields.optional("paused", state.paused);
  fields.optional("revert", state.revert);
  fields.optional("started_by", state.started_by);
  fields.optional("policy", state.policy);
  fields.optional("candidate_ready", state.candidate_ready);
  fields.optional("step_index", step_index);
  read_time(fields, "started_at", state.started_at);
  read_time(fields, "phase_since", state.phase_since);
  if (fields.has("last_up")) read_time(fields, "last_up", state.last_up);
  fields.optional("samples", state.samples);
  fields.optional("revision", state.revision);
  std::uint64_t approved = 0;
  std::uint64_t asked = 0;
  fields.optional("approved", approved);
  fields.optional("asked", asked);
  std::uint64_t proven = 0;
  fields.optional("proven", proven);
  state.proven = static_cast<std::size_t>(proven);
  state.approved = static_cast<std::size_t>(approved);
  state.asked = static_cast<std::size_t>(asked);
  fields.object("cause", [&](Fields& cause) {
    state.cause.emplace();
    cause.required("trigger", state.cause->trigger);
    cause.optional("actor", state.cause->actor);
    cause.optional("reason", state.cause->reason);
    cause.optional("evidence", state.cause->evidence);
  });
  TRY_DO(fields.finish());
  state.step_index = static_cast<std::size_t>(step_index);
  return state;
}

void read_guardrail(Fields& fields, guardrails::GuardrailSpec& spec) {
  fields.required("name", spec.name);
  if (!fields.has("signal")) fields.fail("signal", "is missing", "Say what is measured, like signal: {kind: error}.");
  read_signal(fields, spec.signal);
  read_objective(fields, spec.signal.kind, spec.objective);
  std::string test = "automatic";
  fields.optional("test", test);
  read_word<TestKind>(fields, "test", test,
                      {{"automatic", TestKind::kAutomatic},
                       {"rate", TestKind::kRate},
                       {"rate_vs_stable", TestKind::kRateVsStable},
                       {"mean", TestKind::kMean},
                       {"mean_vs_stable", TestKind::kMeanVsStable},
                       {"value_vs_stable", TestKind::kValueVsStable},
                       {"ratio_vs_stable", TestKind::kRatioVsStable},
                       {"latency_vs_stable", TestKind::kLatencyVsStable},
                       {"paired_rate", TestKind::kPairedRate},
                       {"paired_mean", TestKind::kPairedMean}},
                      spec.test);
  fields.object("covariate", [&](Fields& covariate) {
    covariate.optional("json_pointer", spec.covariate.json_pointer);
    covariate.optional("header", spec.covariate.header);
    covariate.optional("tensor", spec.covariate.tensor);
    if (!spec.covariate.given())
      covariate.fail("json_pointer", "is missing; so are header and tensor", "Say where in the request the number is.");
  });
  fields.optional("alpha", spec.alpha);
  fields.optional("min_samples", spec.min_samples);
  fields.optional("restart_every", spec.restarts.every);
  milliseconds window{0};
  fields.optional("window", window);
  if (window > milliseconds{0}) spec.window = window;
  std::string action = "rollback";
  fields.optional("action", action);
  read_word<Action>(fields, "action", action,
                    {{"rollback", Action::kRollBack}, {"pause", Action::kPause}, {"flag", Action::kFlag}}, spec.action);
  if (fields.has("severity")) {
    using guardrails::Severity;
    std::string severity;
    fields.optional("severity", severity);
    read_word<Severity>(fields, "severity", severity,
                        {{"info", Severity::kInfo},
                         {"warning", Severity::kWarning},
                         {"error", Severity::kError},
                         {"critical", Severity::kCritical}},
                        spec.severity);
  }
  if (auto valid = guardrails::validate(spec); !valid)
    fields.fail("name", "is refused: " + valid.error().message, valid.error().hint);
}

void read_policy(Fields& fields, guardrails::Policy& policy) {
  using Control = guardrails::Family::Control;
  if (!fields.has("guardrails")) policy.guardrails = guardrails::default_guardrails();
  fields.each("guardrails", [&](Fields& item) { read_guardrail(item, policy.guardrails.emplace_back()); });
  fields.object("family", [&](Fields& family) {
    std::string control = "each";
    family.optional("control", control);
    read_word<Control>(family, "control", control,
                       {{"each", Control::kEach}, {"bonferroni", Control::kBonferroni}, {"e_bh", Control::kEBh}},
                       policy.family.control);
    family.optional("alpha", policy.family.alpha);
    if (policy.family.control == Control::kEach && family.has("alpha"))
      family.fail("alpha", "has no use with control each", "Give each guardrail its alpha, or write control: e_bh.");
  });
  if (auto valid = guardrails::validate(policy); !valid)
    fields.fail("guardrails", "is refused: " + valid.error().message, valid.error().hint);
}

void read_written_policy(Fields& fields, guardrails::Policy& policy) {
  read_policy(fields, policy);
  if (policy.guardrails.empty())
    fields.fail(
        "guardrails", "is empty, and a release without guardrails is never taken back",
        "Leave it out for the usual ones (errors, latency, refused), or write one: guardrails: [{name: errors, signal: "
        "{kind: error}, objective: {relative_to: stable}}]; `action: flag` only tells.");
}

Result<guardrails::Policy> policy_from_yaml(const std::string& name, const std::string& text) {
  TRY(const Document document, Document::from_yaml(name, text));
  guardrails::Policy policy;
  Fields fields(document);
  read_written_policy(fields, policy);
  TRY_DO(fields.finish());
  return policy;
}

std::string to_json(const guardrails::Evidence& e) {
  // e-values can be larger than any double: the logarithm is what is exact.
  json root{
      {"guardrail", e.name},
      {"test", guardrails::to_string(e.test)},
      {"action", guardrails::to_string(e.action)},
      {"log_e", e.log_e},
      {"log_limit", e.log_limit},
      {"candidate",
       {{"outcomes", e.candidate_n}, {"bad", e.candidate_bad}, {"mean", e.candidate_mean}, {"missing", e.missing}}},
      {"stable", {{"outcomes", e.stable_n}, {"bad", e.stable_bad}, {"mean", e.stable_mean}}},
      {"breached", e.breached},
      {"sentence", e.sentence}};
  if (e.log_promise != e.log_limit) root["log_promise"] = e.log_promise;
  if (e.severity != guardrails::Severity::kByAction) root["severity"] = guardrails::to_string(e.severity);
  if (e.outside > 0) root["outside"] = e.outside;
  if (e.open > 0) root["candidate"]["open"] = e.open;
  if (e.unread > 0) root["candidate"]["unread"] = e.unread;
  if (e.window_over) root["window_over"] = true;
  if (e.covariate) root["covariate"] = {{"explained_ratio", e.covariate->explained}, {"missing", e.covariate->missing}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace backstay::wire
