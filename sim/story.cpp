#include "sim/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "monitor/requirements.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::sim {

namespace {

using wire::Fields;
using Kind = OperatorOrder::Kind;

void read_share(Fields& fields, const char* key, double& out) {
  std::uint32_t ppm = static_cast<std::uint32_t>(out * 1e6);
  fields.optional_share(key, ppm);
  out = ppm / 1e6;
}

void read_duration(Fields& fields, const char* key, microseconds& out) {
  milliseconds value = std::chrono::duration_cast<milliseconds>(out);
  fields.optional(key, value);
  out = value;
}

/// Shares as texts: ["70%", "30%"].
std::vector<double> read_shares(Fields& fields, const char* key) {
  std::vector<std::string> texts;
  std::vector<double> out;
  fields.optional(key, texts);
  for (std::string text : texts) {
    const bool percent = !text.empty() && text.back() == '%';
    if (percent) text.pop_back();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end) / (percent ? 100 : 1);
    if (text.empty() || *end != '\0' || !(number >= 0 && number <= 1)) fields.fail(key, "has what is no share", "70%.");
    out.push_back(number);
  }
  return out;
}

void read_version(Fields& fields, VersionScript& out) {
  fields.required("version", out.version);
  read_share(fields, "fails", out.error_ratio);
  read_share(fields, "converts", out.converts);
  read_share(fields, "reported", out.reported);
  read_duration(fields, "latency", out.latency);
  read_duration(fields, "starts_in", out.start_time);
  fields.optional("endpoint", out.endpoint);
  fields.optional("needs", out.needs);
  std::string habit;
  fields.optional("habit", habit);
  if (habit == "dies serving") out.habit = Habit::kDiesServing;
  if (!habit.empty() && out.habit == Habit::kSteady)
    fields.fail("habit", "is none that a story knows", "habit: dies serving, together with lifetime.");
  read_duration(fields, "lifetime", out.lifetime);
  out.sensitivity = read_shares(fields, "sensitivity");
  std::map<std::string, std::string> values;
  fields.flattened("values", values);
  for (const auto& [pointer, text] : values) {
    const bool percent = !text.empty() && text.back() == '%';
    const double number = std::strtod(text.c_str(), nullptr) / (percent ? 100 : 1);
    if (!(number >= 0 && number <= 1)) fields.fail("values", "has what is no share", "Write it like {/safe: 93%}.");
    out.values[pointer] = number;
  }
}

std::string endpoint_of(const std::string& version, const Scenario& scenario) {
  for (const VersionScript& script : scenario.versions)
    if (script.version == version) return script.endpoint;
  return kEndpoint;  // It is told of when all are known.
}

void read_event(Fields& fields, Scenario& out) {
  microseconds at{0};
  read_duration(fields, "at", at);
  OperatorOrder order;
  order.at = at;
  fields.optional("endpoint", order.endpoint);
  int what = 0;
  if (fields.has("deploy")) {
    fields.optional("deploy", order.version);
    order.endpoint = endpoint_of(order.version, out);
    order.plan = rollout::blue_green_plan();
    out.orders.push_back(order);
    ++what;
  }
  if (fields.has("roll_out")) {
    fields.optional("roll_out", order.version);
    order.endpoint = endpoint_of(order.version, out);
    fields.optional("forced", order.forced);
    order.plan = rollout::default_plan();
    fields.object("plan", [&](Fields& plan) { wire::read_plan(plan, order.plan); });
    if (auto valid = order.plan.validate(); !valid) fields.fail("plan", valid.error().message, valid.error().hint);
    out.orders.push_back(order);
    ++what;
  }
  bool crash = false;
  fields.optional("crash", crash);
  if (crash) out.crashes.push_back(at);
  microseconds every{0};
  microseconds until{0};
  read_duration(fields, "every", every);
  read_duration(fields, "until", until);
  if ((every > microseconds{0}) != (until > at) || (until > at && !crash))
    fields.fail("every", "is for crashes, together with until", "Write {at: 10s, crash: true, every: 5s, until: 10m}.");
  for (microseconds again = at + every; every > microseconds{0} && again <= until; again += every)
    out.crashes.push_back(again);
  for (const auto& [key, kind] :
       {std::pair{"rollback", Kind::kRollBack}, std::pair{"pause", Kind::kPause}, std::pair{"resume", Kind::kResume},
        std::pair{"approve", Kind::kApprove}, std::pair{"promote", Kind::kPromote}}) {
    bool given = false;
    fields.optional(key, given);
    if (!given) continue;
    order.kind = kind;
    out.orders.push_back(order);
    ++what;
  }
  if (fields.has("clock_ahead")) {
    milliseconds ahead{0};
    fields.optional("clock_ahead", ahead);
    out.clock.push_back({at, ahead});
    ++what;
  }
  if (fields.has("clock_back")) {
    milliseconds back{0};
    fields.optional("clock_back", back);
    out.clock.push_back({at, -back});
    ++what;
  }
  microseconds lasts{0};
  std::string disk;
  bool partition = false;
  fields.optional("disk", disk);
  fields.optional("partition", partition);
  read_duration(fields, "lasts", lasts);
  if (partition) out.partitions.push_back({at, at + lasts});
  if (disk == "full" || disk == "slow")
    out.disk.push_back({at, at + lasts, disk == "full" ? DiskTrouble::Kind::kFull : DiskTrouble::Kind::kSlow});
  if (!disk.empty() && disk != "full" && disk != "slow") fields.fail("disk", "is neither full nor slow", "disk: full.");
  if ((partition || !disk.empty()) && lasts <= microseconds{0})
    fields.fail("lasts", "is missing", "Say how long, like lasts: 2m.");
  what += (crash ? 1 : 0) + (partition ? 1 : 0) + (disk.empty() ? 0 : 1);
  if (what != 1)
    fields.fail("at", "needs exactly one thing that happens",
                "One of deploy, roll_out, rollback, pause, resume, approve, promote, crash, partition, disk, "
                "clock_ahead, clock_back.");
  out.calm_from = std::max({out.calm_from, at + lasts + seconds(1), until + seconds(1)});
}

void read_ending(Fields& fields, Expectation& out) {
  fields.required("version", out.version);
  fields.required("how", out.how);
  const std::set<std::string> ways{"guardrail",  "manual",         "done",      "reverted",
                                   "dependency", "backend_failed", "not_ready", "requirement"};
  if (!ways.contains(out.how))
    fields.fail("how", "is no way in which a rollout ends",
                "One of done, guardrail, requirement, manual, reverted, not_ready, backend_failed, dependency.");
  fields.optional_texts("by", out.by);
  if (fields.has("before")) read_duration(fields, "before", out.before.emplace());
  if (fields.has("requests_at_most")) fields.optional("requests_at_most", out.requests_at_most.emplace());
}

constexpr const char* kSays =
    "A version's answers fail, take time, hold the values that it is given and, with feedback, /score and /group.";

/// Why a guardrail would have nothing to look at; empty: it has.
std::string not_simulated(const guardrails::GuardrailSpec& spec, const Scenario& scenario) {
  using Signal = guardrails::Signal::Kind;
  const std::set<Signal> simulated{Signal::kError,    Signal::kLatency, Signal::kResponseValue,
                                   Signal::kFeedback, Signal::kReport,  Signal::kConversion};
  if (!simulated.contains(spec.signal.kind))
    return fmt::format("has '{}' on {}, which no simulated version gives", spec.name,
                       guardrails::to_string(spec.signal.kind));
  for (const guardrails::Value& value : {spec.signal.value(), spec.signal.per, spec.signal.segment}) {
    if (!value.given() || value.json_pointer == "/score" || value.json_pointer == "/group") continue;
    const bool held = std::any_of(scenario.versions.begin(), scenario.versions.end(), [&](const VersionScript& script) {
      return !value.json_pointer.empty() && script.values.contains(value.json_pointer);
    });
    if (!held) return fmt::format("has '{}', whose value no version's answers hold", spec.name);
  }
  return "";
}

void check_names(Fields& fields, const Story& story) {
  const auto known = [&](const std::string& version) {
    return std::any_of(story.scenario.versions.begin(), story.scenario.versions.end(),
                       [&](const VersionScript& script) { return script.version == version; });
  };
  for (const OperatorOrder& order : story.scenario.orders)
    if (order.kind == Kind::kStart && !known(order.version))
      fields.fail("events", fmt::format("name {}, which no version is", order.version), "Describe it under versions.");
  const auto is_endpoint = [&](const std::string& name) {
    const std::vector<std::string>& all = story.scenario.endpoints;
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  for (const OperatorOrder& order : story.scenario.orders)
    if (!is_endpoint(order.endpoint))
      fields.fail("events", "name the endpoint " + order.endpoint, "No version has it.");
  for (const auto& [endpoint, version] : story.stable)
    if (!is_endpoint(endpoint)) fields.fail("stable_at", "names the endpoint " + endpoint, "No version has it.");
  for (const Expectation& ending : story.endings)
    if (!known(ending.version))
      fields.fail("ends", fmt::format("names {}", ending.version), "No version is called so.");
  for (const Expectation& ending : story.endings)
    for (const std::string& name : ending.by)
      if (std::none_of(story.scenario.guardrails.begin(), story.scenario.guardrails.end(),
                       [&](const auto& spec) { return spec.name == name; }))
        fields.fail("ends", fmt::format("names the guardrail {}", name), "No guardrail is called so.");
  for (const guardrails::GuardrailSpec& spec : story.scenario.guardrails)
    if (const std::string why = not_simulated(spec, story.scenario); !why.empty())
      fields.fail("guardrails", why, kSays);
  for (const OperatorOrder& order : story.scenario.orders)
    if (auto resolved = monitor::resolve(order.plan, story.scenario.guardrails); !resolved)
      fields.fail("events", resolved.error().message, resolved.error().hint);
  if (auto values = monitor::plan_values(story.scenario.guardrails); !values)
    fields.fail("guardrails", values.error().message, values.error().hint);
}

}  // namespace

Result<Story> story_from(const std::string& name, const std::string& yaml) {
  TRY(const wire::Document document, wire::Document::from_yaml(name, yaml));
  Story story;
  Scenario& scenario = story.scenario;
  scenario.settle_time = std::chrono::hours(6);
  Fields fields(document);
  fields.required("title", story.title);
  fields.required("story", story.text);
  std::uint64_t rate = 10;
  fields.optional("requests_per_second", rate);
  if (rate == 0 || rate > 1'000) fields.fail("requests_per_second", "is not from 1 to 1000", "10 is usual.");
  scenario.requests_per_second = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rate, 1, 1'000));
  fields.optional("seeds", story.seeds);
  fields.each("versions", [&](Fields& item) {
    VersionScript& added = scenario.versions.emplace_back();
    read_version(item, added);
    if (std::find(scenario.endpoints.begin(), scenario.endpoints.end(), added.endpoint) == scenario.endpoints.end())
      scenario.endpoints.push_back(added.endpoint);
  });
  fields.object("feedback", [&](Fields& item) {
    read_duration(item, "after", scenario.feedback.after);
    read_share(item, "lost", scenario.feedback.lost);
    read_share(item, "twice", scenario.feedback.twice);
    read_share(item, "positives", scenario.feedback.positives);
    scenario.feedback.groups = read_shares(item, "groups");
  });
  guardrails::Policy policy;
  wire::read_written_policy(fields, policy);
  scenario.guardrails = std::move(policy.guardrails);
  scenario.family = policy.family;
  fields.each("events", [&](Fields& item) { read_event(item, scenario); });
  fields.each("ends", [&](Fields& item) { read_ending(item, story.endings.emplace_back()); });
  fields.required("stable", story.stable[kEndpoint]);
  fields.flattened("stable_at", story.stable);
  check_names(fields, story);
  TRY_DO(fields.finish());
  if (scenario.versions.empty() || story.endings.empty() || story.seeds == 0)
    return Unexpected(ErrorCode::kInvalidArgument, name + " has no versions, no ends or no seeds.",
                      "A story names who takes part and how it ends.");
  return story;
}

std::string check(const Story& story, const Report& report) {
  if (!report.failure.empty()) return report.failure;
  std::map<std::string, std::size_t> told;  // A version that is released again ends again.
  for (const Expectation& wanted : story.endings) {
    std::size_t skip = told[wanted.version]++;
    const auto found = std::find_if(report.endings.begin(), report.endings.end(), [&](const Ending& ending) {
      return ending.version == wanted.version && skip-- == 0;
    });
    if (found == report.endings.end()) return fmt::format("{} never ended.", wanted.version);
    const std::string seen = fmt::format("{} ended as {}{} after {:.0f}s and {} requests", found->version, found->how,
                                         found->guardrail.empty() ? "" : " (" + found->guardrail + ")",
                                         std::chrono::duration<double>(found->at).count(), found->requests);
    const bool by =
        wanted.by.empty() || std::find(wanted.by.begin(), wanted.by.end(), found->guardrail) != wanted.by.end();
    if (found->how != wanted.how || !by) return seen + ", not as the story says.";
    if (wanted.before && found->at > *wanted.before) return seen + ": too late.";
    if (wanted.requests_at_most && found->requests > *wanted.requests_at_most) return seen + ": too many.";
  }
  for (const auto& [endpoint, version] : story.stable)
    if (report.stable.at(endpoint) != version)
      return fmt::format("{} is stable at {}, not {}.", report.stable.at(endpoint), endpoint, version);
  return "";
}

}  // namespace backstay::sim
