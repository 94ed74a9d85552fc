#include <fmt/format.h>

#include <cstring>
#include <string>

#include "sim/guardrail_study.hpp"
#include "sim/release_rules.hpp"

namespace {

using namespace backstay;

constexpr const char* kUsage =
    "usage: backstay-guardrail-study [false|delay|late|covariate|peers] [--runs N] [--seed N]\n"
    "\n"
    "Prints the tables of docs/statistics.md; all of them without a word. Exit 1: a claim does not hold.\n"
    "  false   how often a good version is taken back (100,000 releases of each kind)\n"
    "  delay   outcomes to detect against the information bound (4,000 runs)\n"
    "  late    what restarts do for a version that breaks late (500 runs)\n"
    "  covariate  what a covariate does for means (1,000 runs)\n"
    "  peers   other systems' rules on the same streams (1,000 hours of each kind)\n";

struct Arguments {
  std::string only;
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::uint64_t runs_or(std::uint64_t usual) const { return runs == 0 ? usual : runs; }
};

bool read_arguments(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if ((word == "--runs" || word == "--seed") && i + 1 < argc) {
      const std::string text = argv[++i];
      if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) return false;
      (word == "--runs" ? out.runs : out.seed) = std::stoull(text);
    } else if (word == "false" || word == "delay" || word == "late" || word == "covariate" || word == "peers") {
      out.only = word;
    } else {
      return false;
    }
  }
  return true;
}

bool print_false_alarms(const Arguments& a) {
  bool fine = true;
  fmt::print("| test | a good version | releases | taken back | limit |\n|---|---|---|---|---|\n");
  for (const sim::NullScenario& scenario : sim::null_scenarios()) {
    const sim::FalseAlarms seen = sim::count_false_alarms(scenario, a.runs_or(100'000), a.seed);
    const bool holds = seen.within(scenario.alpha, 3);
    fine &= holds;
    fmt::print("| {} | {} | {} | {:.2f}% | {:g}%{} |\n", scenario.test, scenario.name, seen.runs, seen.ratio() * 100,
               scenario.alpha * 100, holds ? "" : " MISSED");
    std::fflush(stdout);
  }
  return fine;
}

void print_delays(const Arguments& a) {
  fmt::print(
      "| test | bad rate | share | bound | oracle | without restarts | guardrail |\n|---|---|---|---|---|---|---|\n");
  for (const sim::DelayCase& item : sim::delay_cases()) {
    const sim::Delay d = sim::measure_delay(item, a.runs_or(4'000), a.seed);
    fmt::print("| {} | {:g} -> {:g} | {} | {:.0f} | {:.2f} | {:.2f} | {:.2f} |\n", item.test, item.stable,
               item.candidate, item.pi == 0 ? "all" : fmt::format("{:g}%", item.pi * 100), d.bound, d.oracle / d.bound,
               d.plain / d.bound, d.restarts / d.bound);
    std::fflush(stdout);
  }
}

void print_late_breaks(const Arguments& a) {
  fmt::print("| objective -> broken | healthy before | without restarts | guardrail |\n|---|---|---|---|\n");
  for (const double broken : {0.10, 0.20, 0.50}) {
    for (const std::uint64_t healthy : {0U, 1'000U, 10'000U, 100'000U}) {
      const sim::LateBreak late = sim::measure_late_break(0.05, broken, healthy, a.runs_or(500), a.seed);
      fmt::print("| 0.05 -> {:g} | {} | {:.0f} | {:.0f} |\n", broken, healthy, late.plain, late.restarts);
      std::fflush(stdout);
    }
  }
}

void print_covariates(const Arguments& a) {
  using guardrails::TestKind;
  fmt::print("| test | explained | without it | with it | of that |\n|---|---|---|---|---|\n");
  for (const TestKind test : {TestKind::kMeanVsStable, TestKind::kValueVsStable}) {
    for (const double explained : {0.0, 0.25, 0.5, 0.75, 0.9}) {
      const double without = sim::measure_covariate(test, explained, false, a.runs_or(1'000), a.seed);
      const double with = sim::measure_covariate(test, explained, true, a.runs_or(1'000), a.seed);
      fmt::print("| {} | {:g}% | {:.0f} | {:.0f} | {:.0f}% |\n", guardrails::to_string(test), explained * 100, without,
                 with, with / without * 100);
      std::fflush(stdout);
    }
  }
}

void print_peers(const Arguments& a) {
  fmt::print(
      "| stream | rule | taken back | of which too early | candidate requests (median) | bad of them |\n"
      "|---|---|---|---|---|---|\n");
  for (const sim::ReleaseStream& stream : sim::release_streams()) {
    for (const sim::RuleResult& r : sim::compare_rules(stream, a.runs_or(1'000), a.seed)) {
      const bool never = stream.times <= 1;
      fmt::print("| {} | {} | {:.1f}% | {} | {} | {} |\n", stream.name, r.rule, r.rolled_back * 100,
                 never ? "all" : fmt::format("{:.1f}%", r.too_early * 100),
                 never ? "" : fmt::format("{:.0f}", r.median_requests),
                 never ? "" : fmt::format("{:.0f}", r.median_bad));
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!read_arguments(argc, argv, arguments)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  const auto wanted = [&](const char* word) { return arguments.only.empty() || arguments.only == word; };
  bool fine = true;
  if (wanted("false")) fine = print_false_alarms(arguments);
  if (wanted("delay")) print_delays(arguments);
  if (wanted("late")) print_late_breaks(arguments);
  if (wanted("covariate")) print_covariates(arguments);
  if (wanted("peers")) print_peers(arguments);
  return fine ? 0 : 1;
}
