#include "sim/scenario.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "domain/traffic/split.hpp"

namespace backstay::sim {

namespace {

using Kind = OperatorOrder::Kind;
using rollout::Step;

constexpr microseconds kFaultTime = seconds(36);

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  bool chance(double p) { return random_.unit() < p; }
  std::uint64_t upto(std::uint64_t most) { return random_.below(most + 1); }
  microseconds time(microseconds from, microseconds to) {
    return from + microseconds(random_.below(static_cast<std::uint64_t>((to - from).count()) + 1));
  }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return *(choices.begin() + random_.below(choices.size()));
  }

 private:
  Random random_;
};

/// Something to show within a while: sometimes it can be.
rollout::Proof random_proof(Draw& draw, milliseconds least, bool shadow = false) {
  rollout::Proof proof;
  if (!draw.chance(0.2)) return proof;
  rollout::Requirement required;
  required.guardrail = draw.one_of({"errors", shadow ? "errors" : "latency"});
  required.claim = draw.one_of({rollout::Requirement::Claim::kNonInferior, rollout::Requirement::Claim::kSuperior});
  if (required.claim == rollout::Requirement::Claim::kNonInferior) required.tolerance = draw.one_of({2.0, 10.0});
  required.alpha = draw.one_of({0.5, 0.05});
  proof.require.push_back(required);
  proof.within = least + milliseconds(draw.upto(4'000));
  return proof;
}

rollout::Plan random_plan(Draw& draw) {
  rollout::Plan plan;
  if (draw.chance(0.25))
    plan.steps.push_back({Step::Kind::kShadow, draw.one_of({100'000U, 500'000U, traffic::kWhole}),
                          milliseconds(draw.upto(1'500)), draw.upto(10)});
  if (draw.chance(0.8))
    plan.steps.push_back({Step::Kind::kCanary, 100'000, milliseconds(draw.upto(2'000)), draw.upto(8)});
  if (draw.chance(0.5))
    plan.steps.push_back({Step::Kind::kCanary, 500'000, milliseconds(draw.upto(2'000)), draw.upto(20)});
  if (draw.chance(0.2))
    plan.steps.push_back({Step::Kind::kCanary, traffic::kWhole, milliseconds(draw.upto(1'000)), draw.upto(10)});
  if (draw.chance(0.6)) plan.holdback_ppm = draw.one_of({50'000U, 200'000U});
  if (draw.chance(0.8)) plan.watch = milliseconds(draw.upto(5'000));
  plan.ready_timeout = milliseconds(1'000 + draw.upto(5'000));
  for (Step& step : plan.steps) step.proof = random_proof(draw, step.min_duration, step.kind == Step::Kind::kShadow);
  if (plan.watch > milliseconds(0)) plan.proof = random_proof(draw, plan.watch);
  for (Step& step : plan.steps) step.approval = draw.chance(0.1);
  plan.approve_promotion = draw.chance(0.1);
  if (draw.chance(0.15)) {
    const Timestamp from = kBeginning + draw.time(milliseconds(0), kFaultTime);
    plan.calendar.freezes.push_back({from, from + draw.time(milliseconds(100), seconds(10)), "holidays"});
  }
  return plan;
}

VersionScript random_version(Draw& draw, std::string name) {
  VersionScript script;
  script.version = std::move(name);
  if (draw.chance(0.45))
    script.habit = draw.one_of({Habit::kNeverReady, Habit::kCrashLoop, Habit::kFlaky, Habit::kFlaky,
                                Habit::kDiesServing, Habit::kUrlLostLater});
  script.start_time =
      draw.chance(0.2) ? draw.time(seconds(1), seconds(4)) : draw.time(milliseconds(5), milliseconds(600));
  script.lifetime = draw.time(milliseconds(200), seconds(8));
  script.error_ratio = draw.one_of({0.0, 0.01, 0.01, 0.15, 0.6, 1.0});
  if (draw.chance(0.15)) script.latency = milliseconds(80);
  script.sensitivity = {draw.one_of({1.0, 0.95, 0.3})};
  return script;
}

std::vector<guardrails::GuardrailSpec> guardrails_with(bool absolute, bool pausing, bool labelled) {
  std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  if (absolute) {
    guardrails::GuardrailSpec errors;
    errors.name = "errors-at-most";
    errors.objective.kind = guardrails::Objective::Kind::kAtMost;
    errors.objective.bound = 0.05;
    specs.push_back(errors);
  }
  guardrails::GuardrailSpec right;
  right.name = "right";
  right.signal.kind = guardrails::Signal::Kind::kFeedback;
  right.signal.json_pointer = "/score";
  right.signal.among = guardrails::Signal::Among::kPositives;
  right.objective.kind = guardrails::Objective::Kind::kAtLeast;
  right.objective.bound = 0.8;
  if (labelled) specs.push_back(right);
  if (pausing) {
    guardrails::GuardrailSpec slow;
    slow.name = "slow";
    slow.signal.kind = guardrails::Signal::Kind::kLatency;
    slow.objective.kind = guardrails::Objective::Kind::kAtMost;
    slow.objective.bound = 0.05;
    slow.objective.quantile = 0.9;
    slow.action = guardrails::Action::kPause;
    specs.push_back(slow);
  }
  return specs;
}

void add_orders(Draw& draw, Scenario& scenario) {
  const std::uint64_t count = 6 + draw.upto(12);
  for (std::uint64_t i = 0; i < count; ++i) {
    OperatorOrder order;
    order.at = draw.time(milliseconds(500), kFaultTime);
    order.kind = draw.one_of({Kind::kStart, Kind::kStart, Kind::kStart, Kind::kStart, Kind::kStart, Kind::kPromote,
                              Kind::kPromote, Kind::kRollBack, Kind::kRollBack, Kind::kReturnTo, Kind::kReturnTo,
                              Kind::kPause, Kind::kResume, Kind::kApprove, Kind::kApprove});
    const VersionScript& version = scenario.versions[draw.upto(scenario.versions.size() - 1)];
    order.version = version.version;
    order.endpoint = version.endpoint;
    order.plan = random_plan(draw);
    order.prepared = draw.chance(0.8);
    order.forced = draw.chance(0.3);
    scenario.orders.push_back(order);
    // People press a button twice.
    if (draw.chance(0.25)) {
      order.at += draw.time(milliseconds(0), milliseconds(400));
      scenario.orders.push_back(order);
    }
  }
}

/// A second endpoint, some of whose versions need some of the first one's.
void add_dependents(Draw& draw, Scenario& scenario) {
  scenario.endpoints.emplace_back("triage");
  for (const char* name : {"2.0.0", "2.1.0", "2.2.0"}) {
    VersionScript script = random_version(draw, name);
    script.endpoint = scenario.endpoints.back();
    const bool first = script.version == "2.0.0";
    if (first) script.habit = Habit::kSteady;
    if (!first) script.needs = draw.one_of({"", ">=1.1", ">=1.2", "<1.2", "<1.1"});
    scenario.versions.push_back(script);
  }
  OperatorOrder deploy;
  deploy.at = milliseconds(300);
  deploy.version = "2.0.0";
  deploy.endpoint = scenario.endpoints.back();
  deploy.plan.ready_timeout = seconds(5);
  scenario.orders.push_back(deploy);
}

void add_network_faults(Draw& draw, Scenario& scenario) {
  for (std::uint64_t left = draw.upto(2); left > 0; --left) {
    const microseconds from = draw.time(milliseconds(0), kFaultTime);
    scenario.partitions.push_back({from, from + draw.time(milliseconds(10), seconds(4))});
  }
  for (std::uint64_t left = draw.upto(2); left > 0; --left) {
    const microseconds ahead = draw.time(milliseconds(0), seconds(6)) - seconds(3);
    scenario.clock.push_back({draw.time(milliseconds(0), kFaultTime), ahead});
  }
  if (draw.chance(0.3)) scenario.lost_outcomes = 0.05;
  scenario.feedback.lost = draw.one_of({0.0, 0.2});
  scenario.feedback.twice = draw.one_of({0.0, 0.3});
}

void add_faults(Draw& draw, Scenario& scenario) {
  if (draw.chance(0.15)) return;
  for (std::uint64_t left = draw.upto(3); left > 0; --left)
    scenario.crashes.push_back(draw.time(milliseconds(0), kFaultTime));
  for (std::uint64_t left = draw.upto(3); left > 0; --left) scenario.boundary_crashes.insert(1 + draw.upto(120));
  for (std::uint64_t left = draw.upto(3); left > 0; --left) {
    const microseconds from = draw.time(milliseconds(0), kFaultTime);
    scenario.disk.push_back(
        {from, from + draw.time(milliseconds(10), seconds(8)),
         draw.one_of({DiskTrouble::Kind::kFull, DiskTrouble::Kind::kSlow, DiskTrouble::Kind::kLosesAnswers})});
  }
  add_network_faults(draw, scenario);
}

}  // namespace

const char* to_string(Habit habit) {
  switch (habit) {
    case Habit::kSteady: return "steady";
    case Habit::kNeverReady: return "never ready";
    case Habit::kCrashLoop: return "crash loop";
    case Habit::kFlaky: return "flaky";
    case Habit::kDiesServing: return "dies serving";
    case Habit::kUrlLostLater: return "url, lost later";
  }
  return "steady";
}

const char* to_string(OperatorOrder::Kind kind) {
  switch (kind) {
    case Kind::kStart: return "start";
    case Kind::kPause: return "pause";
    case Kind::kResume: return "resume";
    case Kind::kPromote: return "promote";
    case Kind::kRollBack: return "rollback";
    case Kind::kReturnTo: return "rollback to";
    case Kind::kApprove: return "approve";
  }
  return "start";
}

Scenario random_scenario(std::uint64_t seed) {
  Draw draw(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.guardrails = guardrails_with(draw.chance(0.5), draw.chance(0.3), draw.chance(0.3));
  VersionScript first;
  first.version = "1.0.0";
  first.start_time = draw.time(milliseconds(5), milliseconds(400));
  first.error_ratio = draw.one_of({0.0, 0.01});
  scenario.versions.push_back(first);
  for (int minor = 1; minor <= 3; ++minor)
    scenario.versions.push_back(random_version(draw, "1." + std::to_string(minor) + ".0"));
  OperatorOrder deploy;
  deploy.version = "1.0.0";
  deploy.plan.ready_timeout = seconds(5);
  scenario.orders.push_back(deploy);
  if (draw.chance(0.5)) add_dependents(draw, scenario);
  const bool labelled = std::any_of(scenario.guardrails.begin(), scenario.guardrails.end(),
                                    [](const auto& spec) { return spec.name == "right"; });
  if (labelled) scenario.feedback.positives = 0.5;
  scenario.feedback.after = seconds(2);
  add_orders(draw, scenario);
  add_faults(draw, scenario);
  scenario.calm_from = kFaultTime + seconds(8);
  if (scenario.endpoints.size() > 1) scenario.settle_time *= 3;  // Its requests are fewer.
  scenario.requests_per_second = draw.one_of({5U, 20U, 40U});
  return scenario;
}

Scenario breach_scenario() {
  Scenario scenario;
  scenario.seed = 1;
  scenario.guardrails = guardrails::default_guardrails();
  scenario.versions = {{"1.0.0", Habit::kSteady, milliseconds(50), seconds(5), 0.0, milliseconds(10)},
                       {"1.1.0", Habit::kSteady, milliseconds(50), seconds(5), 0.7, milliseconds(10)}};
  rollout::Plan plan;
  plan.steps = {{Step::Kind::kShadow, traffic::kWhole, milliseconds(100), 2},
                {Step::Kind::kCanary, 100'000, milliseconds(500), 2},
                {Step::Kind::kCanary, 500'000, milliseconds(60'000), 1'000}};
  plan.holdback_ppm = 50'000;
  plan.watch = seconds(60);
  scenario.orders = {{seconds(0), Kind::kStart, "1.0.0", rollout::blue_green_plan()},
                     {seconds(2), Kind::kStart, "1.1.0", plan}};
  scenario.longest_downtime = milliseconds(100);
  scenario.calm_from = seconds(3);
  return scenario;
}

Scenario standby_scenario() {
  Scenario scenario = breach_scenario();
  scenario.seed = 2;
  scenario.versions[1].error_ratio = 0;
  rollout::Plan& plan = scenario.orders[1].plan;
  plan.steps = {{Step::Kind::kCanary, 100'000, milliseconds(300), 1},
                {Step::Kind::kCanary, 500'000, milliseconds(300), 1}};
  plan.watch = milliseconds(500);
  scenario.orders.push_back({seconds(7), Kind::kRollBack, "", {}});
  scenario.calm_from = seconds(8);
  return scenario;
}

Scenario cascade_scenario() {
  Scenario scenario = breach_scenario();
  scenario.seed = 3;
  scenario.endpoints.emplace_back("triage");
  VersionScript one = scenario.versions.front();
  scenario.versions[1].error_ratio = 0;
  one.endpoint = "triage";
  one.version = "2.0.0";
  scenario.versions.push_back(one);
  one.version = "2.1.0";
  one.needs = ">=1.1";
  scenario.versions.push_back(one);
  rollout::Plan plan = rollout::blue_green_plan();
  plan.watch = milliseconds(300);
  scenario.orders.clear();
  for (const char* version : {"1.0.0", "2.0.0", "1.1.0", "2.1.0"}) {
    OperatorOrder order;
    order.at = seconds(2) * static_cast<int>(scenario.orders.size());
    order.version = version;
    order.endpoint = version[0] == '1' ? kEndpoint : "triage";
    order.plan = plan;
    scenario.orders.push_back(order);
  }
  OperatorOrder back;
  back.at = seconds(9);
  back.kind = Kind::kRollBack;
  scenario.orders.push_back(back);
  scenario.calm_from = seconds(10);
  return scenario;
}

Scenario stand_in_scenario() {
  Scenario scenario = breach_scenario();
  scenario.seed = 4;
  VersionScript bad = scenario.versions[1];
  bad.version = "1.2.0";
  scenario.versions.push_back(bad);
  VersionScript& dies = scenario.versions[1];
  dies.error_ratio = 0;
  dies.habit = Habit::kDiesServing;
  dies.lifetime = milliseconds(3'400);
  scenario.versions[2].error_ratio = 0;
  OperatorOrder release = scenario.orders[1];
  scenario.orders[1].plan = rollout::blue_green_plan();
  scenario.orders[1].plan.watch = milliseconds(300);
  release.at = seconds(5);
  release.version = "1.2.0";
  release.plan.steps.erase(release.plan.steps.begin());
  scenario.orders.push_back(release);
  scenario.orders.push_back({seconds(6), Kind::kRollBack, "", {}});
  scenario.calm_from = seconds(7);
  return scenario;
}

}  // namespace backstay::sim
