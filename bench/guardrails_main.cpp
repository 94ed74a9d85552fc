#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "domain/guardrails/draws.hpp"
#include "domain/guardrails/guardrail.hpp"

/// bench-guardrails WHAT OBSERVATIONS: processor nanoseconds per observation on one core. WHAT is `test/NAME`, the test
/// alone as the guardrail feeds it, or `guardrail/NAME`, the whole guardrail with its counts and the look at its limit
/// after each observation. Traffic of a healthy canary: 5% share, 1% bad, none of it breaches.

namespace {

using namespace backstay;
using guardrails::Guardrail;
using guardrails::GuardrailSpec;
using guardrails::Measurement;
using guardrails::Signal;
using guardrails::TestKind;

constexpr std::size_t kDistinct = 4096;  ///< Observations that are drawn; they stay in the cache.
constexpr double kNever = 1e-300;

std::uint64_t processor_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

GuardrailSpec spec_of(TestKind test) {
  GuardrailSpec spec = guardrails::default_guardrails()[test == TestKind::kLatencyVsStable ? 1 : 0];
  if (test == TestKind::kRate) spec.objective = {guardrails::Objective::Kind::kAtMost, 0.02};
  if (test == TestKind::kRate || test == TestKind::kRateVsStable || test == TestKind::kLatencyVsStable) return spec;
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/score";
  spec.test = test;
  if (test == TestKind::kMean) spec.objective = {guardrails::Objective::Kind::kAtLeast, 0.9};
  if (test == TestKind::kPairedRate)
    spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAbove, 0.01};
  return spec;
}

std::vector<Measurement> traffic(TestKind test) {
  Random random(1);
  std::vector<Measurement> out;
  for (std::size_t i = 0; i < kDistinct; ++i) {
    Measurement m;
    m.assignment_probability = 0.05;
    m.candidate = random.unit() < 0.05 || test == TestKind::kRate || test == TestKind::kMean || is_paired(test);
    m.value = random.unit() < 0.01 ? 1 : 0;
    if (test == TestKind::kLatencyVsStable) m.value = guardrails::draw_lognormal(random, 0.01, 0.5);
    if (test == TestKind::kMean) m.value = guardrails::draw_score(random, 0.95, 0.05);
    if (is_paired(test)) m.second = random.unit();
    if (is_paired(test) || test == TestKind::kMeanVsStable || test == TestKind::kValueVsStable ||
        test == TestKind::kRatioVsStable)
      m.value = random.unit();
    out.push_back(m);
  }
  return out;
}

/// What keeps the optimiser from leaving the work out.
double sink = 0;

template <class Feed>
double measure(const std::vector<Measurement>& all, std::uint64_t observations, Feed&& feed) {
  const std::uint64_t before = processor_nanoseconds();
  for (std::uint64_t done = 0; done < observations; done += kDistinct)
    for (const Measurement& m : all) feed(m);
  return static_cast<double>(processor_nanoseconds() - before) / static_cast<double>(observations);
}

double measure_guardrail(TestKind test, std::uint64_t observations) {
  Guardrail guardrail(spec_of(test), kNever);
  const double took = measure(traffic(test), observations, [&](const Measurement& m) { guardrail.observe(m); });
  sink += guardrail.log_e();
  return took;
}

double measure_test(TestKind test, std::uint64_t observations) {
  const std::vector<Measurement> all = traffic(test);
  const auto run = [&](auto tested, auto&& feed) {
    const double took = measure(all, observations, [&](const Measurement& m) { feed(tested, m); });
    sink += tested.log_e();
    return took;
  };
  using guardrails::kUsualRestarts;
  switch (test) {
    case TestKind::kRate:
      return run(guardrails::AbsoluteRateTest(0.02, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.value > 0.5); });
    case TestKind::kRateVsStable:
      return run(guardrails::RelativeRateTest(1, kUsualRestarts), [](auto& t, const Measurement& m) {
        if (m.value > 0.5) t.observe_bad(m.candidate, m.assignment_probability);
      });
    case TestKind::kPairedRate:
      return run(guardrails::PairedRateTest(1, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.value <= 0.01, m.second <= 0.01); });
    case TestKind::kMean:
      return run(guardrails::BoundedMeanTest(0.9, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.value); });
    case TestKind::kMeanVsStable:
      return run(guardrails::RelativeMeanTest(0, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.candidate, m.assignment_probability, m.value); });
    case TestKind::kPairedMean:
      return run(guardrails::PairedMeanTest(0, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.value, m.second); });
    case TestKind::kValueVsStable:
      return run(guardrails::RelativeValueTest(0, 0, guardrails::Better::kLower, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.candidate, m.value); });
    case TestKind::kRatioVsStable:
      return run(guardrails::RelativeRatioTest(1, guardrails::Better::kLower, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.candidate, m.value, m.second); });
    default:
      return run(guardrails::RelativeLatencyTest(1, 0, kUsualRestarts),
                 [](auto& t, const Measurement& m) { t.observe(m.candidate, m.assignment_probability, m.value); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  constexpr TestKind kTests[] = {TestKind::kRate,          TestKind::kRateVsStable,  TestKind::kPairedRate,
                                 TestKind::kMean,          TestKind::kMeanVsStable,  TestKind::kPairedMean,
                                 TestKind::kValueVsStable, TestKind::kRatioVsStable, TestKind::kLatencyVsStable};
  std::map<std::string, std::function<double(std::uint64_t)>> all;
  for (const TestKind test : kTests) {
    const std::string name = guardrails::to_string(test);
    all["test/" + name] = [test](std::uint64_t n) { return measure_test(test, n); };
    all["guardrail/" + name] = [test](std::uint64_t n) { return measure_guardrail(test, n); };
  }
  const std::string count = argc == 3 ? argv[2] : "";
  std::uint64_t observations = 0;
  std::from_chars(count.data(), count.data() + count.size(), observations);
  const auto found = argc == 3 ? all.find(argv[1]) : all.end();
  if (found == all.end() || observations < kDistinct) {
    fmt::print(stderr, "usage: bench-guardrails WHAT OBSERVATIONS (at least {})\nWHAT is one of:\n", kDistinct);
    for (const auto& [name, run] : all) fmt::print(stderr, "  {}\n", name);
    return 2;
  }
  observations -= observations % kDistinct;
  const double took = found->second(observations);
  fmt::print("{:.4f}\n", took);
  if (sink == 42.5) fmt::print(stderr, "\n");
  return 0;
}
