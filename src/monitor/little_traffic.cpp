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

}  // namespace

std::vector<std::string> little_traffic(const std::vector<GuardrailSpec>& specs, const rollout::Plan& plan,
                                        double requests_per_second) {
  std::vector<std::string> out;
  if (!(requests_per_second > 0) || plan.steps.empty()) return out;
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
