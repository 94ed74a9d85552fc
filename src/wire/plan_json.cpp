#include "wire/plan_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "wire/rollout_json.hpp"

namespace backstay::wire {

using nlohmann::json;

void read_time(Fields& fields, const char* key, Timestamp& out) {
  std::string text;
  fields.required(key, text);
  if (auto at = parse_rfc3339(text)) {
    out = *at;
  } else {
    fields.fail(key, "is not a time", "Write it like 2024-05-06T07:08:09Z.");
  }
}

namespace {

using rollout::Proof;
using rollout::Requirement;

const char* word(Requirement::Claim claim) {
  switch (claim) {
    case Requirement::Claim::kMeets: return "meets";
    case Requirement::Claim::kNonInferior: return "non_inferior";
    case Requirement::Claim::kSuperior: return "superior";
  }
  return "non_inferior";
}

void add_proof(const Proof& proof, json& out) {
  for (const Requirement& item : proof.require) {
    json wanted{{word(item.claim), item.guardrail}, {"alpha", item.alpha}};
    if (item.tolerance) wanted["tolerance"] = *item.tolerance;
    if (item.margin) wanted["margin"] = *item.margin;
    if (item.at_least) wanted["at_least"] = *item.at_least;
    if (item.at_most) wanted["at_most"] = *item.at_most;
    out["require"].push_back(std::move(wanted));
  }
  if (proof.within > milliseconds{0}) out["within"] = to_string(proof.within);
  if (proof.otherwise == Proof::Otherwise::kPause) out["otherwise"] = "pause";
}

void read_number(Fields& fields, const char* key, std::optional<double>& out) {
  if (fields.has(key)) fields.optional(key, out.emplace());
}

void read_requirement(Fields& fields, Requirement& out) {
  using Claim = Requirement::Claim;
  int claims = 0;
  for (const Claim claim : {Claim::kMeets, Claim::kNonInferior, Claim::kSuperior}) {
    if (!fields.has(word(claim))) continue;
    ++claims;
    out.claim = claim;
    fields.optional(word(claim), out.guardrail);
  }
  if (claims != 1)
    fields.fail("non_inferior", "is one of three: non_inferior, superior and meets; exactly one is given",
                "Write it like {non_inferior: errors, tolerance: 1.5}.");
  read_number(fields, "tolerance", out.tolerance);
  read_number(fields, "margin", out.margin);
  read_number(fields, "at_least", out.at_least);
  read_number(fields, "at_most", out.at_most);
  fields.optional("alpha", out.alpha);
}

void read_proof(Fields& fields, Proof& out) {
  if (fields.has("require")) out.require.clear();
  fields.each_text_or_object(
      "require", [&](const std::string& guardrail) { out.require.emplace_back().guardrail = guardrail; },
      [&](Fields& item) { read_requirement(item, out.require.emplace_back()); });
  fields.optional("within", out.within);
  std::string otherwise;
  fields.optional("otherwise", otherwise);
  if (otherwise == "pause") {
    out.otherwise = Proof::Otherwise::kPause;
  } else if (otherwise == "rollback") {
    out.otherwise = Proof::Otherwise::kRollBack;
  } else if (fields.has("otherwise")) {
    fields.fail("otherwise", fmt::format("is '{}'", otherwise), "Use one of: rollback, pause.");
  }
}

template <class T>
void read_parsed(Fields& fields, const char* key, Result<T> (*parse)(const std::string&), T& out) {
  if (!fields.has(key)) return;
  std::string text;
  fields.optional(key, text);
  if (auto value = parse(text)) {
    out = *value;
  } else {
    fields.fail(key, fmt::format("is '{}'", text), value.error().hint);
  }
}

void read_calendar(Fields& fields, rollout::Calendar& calendar) {
  fields.object("hours", [&](Fields& item) {
    rollout::OpeningHours& hours = calendar.hours.emplace();
    hours.days = 0x7f;
    read_parsed(item, "days", rollout::parse_days, hours.days);
    read_parsed(item, "from", rollout::parse_time_of_day, hours.from);
    read_parsed(item, "until", rollout::parse_time_of_day, hours.until);
    read_parsed(item, "utc_offset", rollout::parse_utc_offset, hours.utc_offset);
  });
  if (fields.has("freezes")) calendar.freezes.clear();
  fields.each("freezes", [&](Fields& item) {
    rollout::Freeze& freeze = calendar.freezes.emplace_back();
    read_time(item, "from", freeze.from);
    read_time(item, "until", freeze.until);
    item.optional("reason", freeze.reason);
  });
}

}  // namespace

json plan_json(const rollout::Plan& plan) {
  json steps = json::array();
  for (const rollout::Step& step : plan.steps) {
    const char* kind = step.kind == rollout::Step::Kind::kShadow ? "shadow" : "canary";
    json item{{kind, step.ppm / 1e6}, {"for", to_string(step.min_duration)}, {"samples", step.min_samples}};
    if (step.approval) item["approval"] = true;
    add_proof(step.proof, item);
    steps.push_back(std::move(item));
  }
  json out{{"steps", std::move(steps)},
           {"holdback", plan.holdback_ppm / 1e6},
           {"watch", to_string(plan.watch)},
           {"ready_timeout", to_string(plan.ready_timeout)}};
  add_proof(plan.proof, out);
  if (plan.approve_promotion) out["approve_promotion"] = true;
  if (plan.calendar.hours) {
    const rollout::OpeningHours& hours = *plan.calendar.hours;
    out["hours"] = {{"days", rollout::days_text(hours.days)},
                    {"from", rollout::time_of_day_text(hours.from)},
                    {"until", rollout::time_of_day_text(hours.until)},
                    {"utc_offset", rollout::utc_offset_text(hours.utc_offset)}};
  }
  for (const rollout::Freeze& freeze : plan.calendar.freezes)
    out["freezes"].push_back(
        {{"from", to_rfc3339(freeze.from)}, {"until", to_rfc3339(freeze.until)}, {"reason", freeze.reason}});
  return out;
}

void read_plan(Fields& fields, rollout::Plan& plan) {
  if (fields.has("steps")) plan.steps.clear();
  fields.each("steps", [&](Fields& step) {
    rollout::Step& item = plan.steps.emplace_back();
    const bool shadow = step.has("shadow");
    if (shadow == step.has("canary"))
      step.fail("canary", "or 'shadow' must be given, and not both", "Write it like {canary: 5%, for: 10m}.");
    item.kind = shadow ? rollout::Step::Kind::kShadow : rollout::Step::Kind::kCanary;
    step.optional_share("shadow", item.ppm);
    step.optional_share("canary", item.ppm);
    step.optional("for", item.min_duration);
    step.optional("samples", item.min_samples);
    step.optional("approval", item.approval);
    read_proof(step, item.proof);
  });
  read_proof(fields, plan.proof);
  fields.optional("approve_promotion", plan.approve_promotion);
  read_calendar(fields, plan.calendar);
  fields.optional_share("holdback", plan.holdback_ppm);
  fields.optional("watch", plan.watch);
  fields.optional("ready_timeout", plan.ready_timeout);
}

}  // namespace backstay::wire
