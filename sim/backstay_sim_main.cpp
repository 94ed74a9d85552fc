#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/simulation.hpp"

namespace {

constexpr const char* kUsage =
    "usage: backstay-sim [--seed N] [--runs N] [--trace]\n"
    "       backstay-sim --scenario NAME [--crash K].. [--torn-holds] [--trace]\n"
    "\n"
    "Runs simulated rollouts with the faults that each seed draws, and checks every promise after each event.\n"
    "  --seed N         the first seed (default 1)\n"
    "  --runs N         how many seeds, one after another (default 1)\n"
    "  --scenario NAME  breach or standby, without faults\n"
    "  --crash K        ends the server at the scenario's boundary K; again for more\n"
    "  --torn-holds     what is being written when the server ends is durable (default: it is lost)\n"
    "  --trace          print what happened, not only what broke\n"
    "\n"
    "A seed alone is fine: backstay-sim 42 prints the trace of that run.\n";

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t runs = 1;
  std::string scenario;
  std::set<std::uint64_t> crashes;
  bool torn_holds = false;
  bool trace = false;
};

bool read_number(const std::string& text, std::uint64_t& out) {
  if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos) return false;
  out = std::stoull(text);
  return true;
}

bool read_arguments(const std::vector<std::string>& words, Arguments& out) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool more = i + 1 < words.size();
    std::uint64_t crash = 0;
    out.trace |= words[i] == "--trace";
    out.torn_holds |= words[i] == "--torn-holds";
    if (words[i] == "--trace" || words[i] == "--torn-holds") continue;
    if (words[i] == "--seed" && more) {
      if (!read_number(words[++i], out.seed)) return false;
    } else if (words[i] == "--runs" && more) {
      if (!read_number(words[++i], out.runs)) return false;
    } else if (words[i] == "--scenario" && more) {
      out.scenario = words[++i];
      if (out.scenario != "breach" && out.scenario != "standby") return false;
    } else if (words[i] == "--crash" && more) {
      if (!read_number(words[++i], crash)) return false;
      out.crashes.insert(crash);
    } else {
      if (!read_number(words[i], out.seed)) return false;
      out.trace = true;
    }
  }
  return true;
}

int run_scenario(const Arguments& arguments) {
  using namespace backstay;
  sim::Scenario scenario = arguments.scenario == "breach" ? sim::breach_scenario() : sim::standby_scenario();
  scenario.boundary_crashes = arguments.crashes;
  scenario.torn_commit_holds = arguments.torn_holds ? 1 : 0;
  const sim::Report report = sim::run(scenario, arguments.trace);
  fmt::print("{}{}; {} boundaries; {} is stable\n", report.trace, report.failure.empty() ? "fine" : report.failure,
             report.boundaries, report.stable);
  return report.failure.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace backstay;
  Arguments arguments;
  if (!read_arguments({argv + 1, argv + argc}, arguments)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  if (!arguments.scenario.empty()) return run_scenario(arguments);
  std::map<std::string, unsigned> counts;
  std::uint64_t broken = 0;
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.runs; ++seed) {
    const sim::Report report = sim::run(sim::random_scenario(seed), arguments.trace);
    fmt::print("{}", report.trace);
    for (const auto& [name, count] : report.counts) counts[name] += count;
    if (report.failure.empty()) continue;
    ++broken;
    fmt::print("seed {}: {}\n  again with: ./dev sim {}\n", seed, report.failure, seed);
  }
  fmt::print("{} runs, {} broken;", arguments.runs, broken);
  for (const auto& [name, count] : counts) fmt::print(" {} {}", name, count);
  fmt::print("\n");
  return broken == 0 ? 0 : 1;
}
