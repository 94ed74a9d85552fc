#include "monitor/little_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domain/guardrails/guardrail.hpp"

namespace backstay::monitor {

namespace {

using guardrails::GuardrailSpec;
using guardrails::TestKind;
using rollout::Step;

constexpr double kWhole = 1e6;
constexpr std::uint64_t kMany = 10'000;

bool needs_pairs(const GuardrailSpec& spec) {
  return is_paired(chosen_test(spec)) || spec.signal.kind == guardrails::Signal::Kind::kAgreement;
}

/// How many of the candidate's requests the guardrail may see at most, while its window is open.
double outcomes_of(const GuardrailSpec& spec, const rollout::Plan& plan, double requests_per_second) {
  double out = 0;
  double left = spec.window ? std::chrono::duration<double>(*spec.window).count() : HUGE_VAL;
  const auto add = [&](double share, milliseconds lasts) {
    const double time = std::min(left, std::chrono::duration<double>(lasts).count());
    left -= time;
    out += requests_per_second * share * time;
  };
  for (const Step& step : plan.steps) {
    const bool shadow = step.kind == Step::Kind::kShadow;
    if (shadow != needs_pairs(spec)) continue;
    const double share = step.ppm / kWhole;
    // A step lasts until it has its samples.
    const milliseconds for_samples(static_cast<std::int64_t>(1e3 * static_cast<double>(step.min_samples) /
                                                             std::max(requests_per_second * share, 1e-9)));
    add(share, std::max(step.min_duration, for_samples));
  }
  if (!needs_pairs(spec)) add(1 - plan.holdback_ppm / kWhole, plan.watch);
  return out;
}

/// The fewest with which it can act at all: when every one is bad.
std::uint64_t fewest_outcomes(const GuardrailSpec& spec, double share) {
  const TestKind test = chosen_test(spec);
  if (is_attributed(spec.signal.kind) || (test != TestKind::kRate && test != TestKind::kRateVsStable))
    return spec.min_samples;
  guardrails::Guardrail guardrail(spec, spec.alpha);
  guardrails::Measurement bad;
  bad.candidate = true;
  bad.assignment_probability = share;
  bad.value = std::nan("");
  std::uint64_t count = 0;
  while (++count < kMany && !guardrail.observe(bad)) {
  }
  return std::max(count, spec.min_samples);
}

/// Without a holdback the watch has nothing to compare the candidate with; empty: it has, or nobody compares.
std::string alone_in_the_watch(const std::vector<GuardrailSpec>& specs, const rollout::Plan& plan) {
  const bool compares = std::any_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) {
    return step.kind == Step::Kind::kCanary && step.ppm < kWhole;
  });
  if (compares || plan.holdback_ppm > 0 || plan.watch <= milliseconds{0}) return "";
  std::string names;
  for (const GuardrailSpec& spec : specs) {
    if (spec.objective.kind != guardrails::Objective::Kind::kRelativeToStable || needs_pairs(spec)) continue;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", spec.name);
  }
  if (names.empty()) return "";
  return fmt::format(
      "Nothing is left with stable in this plan, so {} can compare nothing and will not act. Hold some back "
      "(holdback: 5%), or give a guardrail an objective of its own, like {{at_most: 1%}}.",
      names);
}

}  // namespace

std::vector<std::string> little_traffic(const std::vector<GuardrailSpec>& specs, const rollout::Plan& plan,
                                        double requests_per_second) {
  std::vector<std::string> out;
  if (const std::string alone = alone_in_the_watch(specs, plan); !alone.empty()) out.push_back(alone);
  if (plan.steps.empty()) return out;
  if (!(requests_per_second > 0)) {
    out.emplace_back(
        "Whether there is enough traffic for the guardrails to decide anything is not known: the server has seen next "
        "to none since it was started. backstay guardrail simulate tells how much it takes.");
    return out;
  }
  for (const GuardrailSpec& spec : specs) {
    const double expected = outcomes_of(spec, plan, requests_per_second);
    if (expected == 0 && needs_pairs(spec)) continue;  // The plan has no shadow step.
    const std::uint64_t needed = fewest_outcomes(spec, plan.steps.front().ppm / kWhole);
    if (expected >= static_cast<double>(needed)) continue;
    out.push_back(fmt::format(
        "'{}' will hardly decide anything: it needs at least {} outcomes of the candidate, and at {:.3g} requests/s "
        "this plan gives it about {:.0f}{}. Give it more time or weight; backstay guardrail simulate tells how much.",
        spec.name, needed, requests_per_second, std::floor(expected), spec.window ? " within its window" : ""));
  }
  return out;
}

}  // namespace backstay::monitor
