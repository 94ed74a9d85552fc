#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/shrink.hpp"
#include "sim/simulation.hpp"
#include "sim/story.hpp"

namespace {

constexpr const char* kUsage =
    "usage: backstay-sim [--seed N] [--runs N] [--trace]\n"
    "       backstay-sim --story FILE [--seed N] [--trace]\n"
    "       backstay-sim --scenario NAME [--crash K].. [--torn-holds] [--trace]\n"
    "\n"
    "Runs simulated rollouts with the faults that each seed draws, and checks every promise after each event.\n"
    "  --seed N         the first seed (default 1)\n"
    "  --runs N         how many seeds, one after another (default 1)\n"
    "  --story FILE     a scenario of sim/scenarios, with each of its seeds\n"
    "  --scenario NAME  breach, standby, cascade or stand-in, without faults\n"
    "  --crash K        ends the server at the scenario's boundary K; again for more\n"
    "  --torn-holds     what is being written when the server ends is durable (default: it is lost)\n"
    "  --trace          print what happened, not only what broke\n"
    "\n"
    "A seed alone is fine: backstay-sim 42 prints the trace of that run.\n";

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t runs = 1;
  std::string scenario;
  std::string story;
  bool one_seed = false;  ///< Of the story.
  std::set<std::uint64_t> crashes;
  bool torn_holds = false;
  bool trace = false;
};

const std::map<std::string, backstay::sim::Scenario (*)()>& scenarios() {
  using namespace backstay::sim;
  static const std::map<std::string, Scenario (*)()> all{{"breach", breach_scenario},
                                                         {"standby", standby_scenario},
                                                         {"cascade", cascade_scenario},
                                                         {"stand-in", stand_in_scenario}};
  return all;
}

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
      out.one_seed = true;
    } else if (words[i] == "--story" && more) {
      out.story = words[++i];
    } else if (words[i] == "--runs" && more) {
      if (!read_number(words[++i], out.runs)) return false;
    } else if (words[i] == "--scenario" && more) {
      out.scenario = words[++i];
      if (!scenarios().contains(out.scenario)) return false;
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
  sim::Scenario scenario = scenarios().at(arguments.scenario)();
  scenario.boundary_crashes = arguments.crashes;
  scenario.torn_commit_holds = arguments.torn_holds ? 1 : 0;
  const sim::Report report = sim::run(scenario, arguments.trace);
  fmt::print("{}{}; {} boundaries; {} is stable\n", report.trace, report.failure.empty() ? "fine" : report.failure,
             report.boundaries, report.stable.at(sim::kEndpoint));
  return report.failure.empty() ? 0 : 1;
}

int tell_story(const Arguments& arguments) {
  using namespace backstay;
  std::ifstream in(arguments.story, std::ios::binary);
  if (!in) {
    fmt::print(stderr, "{} can't be read.\n", arguments.story);
    return 3;
  }
  const auto story = sim::story_from(arguments.story, std::string(std::istreambuf_iterator<char>(in), {}));
  if (!story) {
    fmt::print(stderr, "{} {}\n", story.error().message, story.error().hint);
    return 2;
  }
  fmt::print("{}\n{}\n", story->title, story->text);
  int broken = 0;
  const std::uint64_t first = arguments.one_seed ? arguments.seed : 1;
  const std::uint64_t last = arguments.one_seed ? arguments.seed : story->seeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    sim::Scenario scenario = story->scenario;
    scenario.seed = seed;
    const sim::Report report = sim::run(scenario, arguments.trace);
    fmt::print("{}seed {}:", report.trace, seed);
    for (const sim::Ending& ending : report.endings)
      fmt::print(" {} {}{} at {:.0f}s after {} requests;", ending.version, ending.how,
                 ending.guardrail.empty() ? "" : " (" + ending.guardrail + ")",
                 std::chrono::duration<double>(ending.at).count(), ending.requests);
    const std::string wrong = sim::check(*story, report);
    fmt::print(" {}\n", wrong.empty() ? "as it should be" : wrong);
    broken += wrong.empty() ? 0 : 1;
  }
  return broken == 0 ? 0 : 1;
}

/// What broke, and the faults that it takes.
void tell_broken(std::uint64_t seed, const std::string& failure) {
  using namespace backstay;
  const sim::Scenario scenario = sim::random_scenario(seed);
  const std::vector<std::string> faults = sim::faults_of(scenario);
  const std::set<std::size_t> needed = sim::shrink(scenario);
  fmt::print("seed {}: {}\n  it takes {} of {} faults and orders:\n", seed, failure, needed.size(), faults.size());
  for (const std::size_t fault : needed) fmt::print("    {}\n", faults[fault]);
  fmt::print("  again with: ./dev sim {}\n", seed);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace backstay;
  Arguments arguments;
  if (!read_arguments({argv + 1, argv + argc}, arguments)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  if (!arguments.story.empty()) return tell_story(arguments);
  if (!arguments.scenario.empty()) return run_scenario(arguments);
  std::map<std::string, unsigned> counts;
  std::uint64_t broken = 0;
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.runs; ++seed) {
    const sim::Report report = sim::run(sim::random_scenario(seed), arguments.trace);
    fmt::print("{}", report.trace);
    for (const auto& [name, count] : report.counts) counts[name] += count;
    if (report.failure.empty()) continue;
    ++broken;
    tell_broken(seed, report.failure);
  }
  fmt::print("{} runs, {} broken;", arguments.runs, broken);
  for (const auto& [name, count] : counts) fmt::print(" {} {}", name, count);
  fmt::print("\n");
  return broken == 0 ? 0 : 1;
}
