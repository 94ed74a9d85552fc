#include "sim/shrink.hpp"

#include <fmt/format.h>

#include "sim/simulation.hpp"

namespace backstay::sim {

namespace {

double in_seconds(microseconds time) {
  return static_cast<double>(time.count()) / 1e6;
}

const char* text(DiskTrouble::Kind kind) {
  switch (kind) {
    case DiskTrouble::Kind::kFull: return "is full";
    case DiskTrouble::Kind::kSlow: return "is slow";
    case DiskTrouble::Kind::kLosesAnswers: return "loses its answers";
  }
  return "";
}

/// Calls `each` with every fault's words and how it is taken out of a scenario, in one order. What is taken out of a
/// list is marked first, so that places don't change.
template <class Each>
void each_fault(const Scenario& scenario, Each&& each) {
  for (std::size_t i = 0; i < scenario.crashes.size(); ++i)
    each(fmt::format("crash at {:.3f}s", in_seconds(scenario.crashes[i])),
         [i](Scenario& s) { s.crashes[i] = microseconds(-1); });
  for (const std::uint64_t boundary : scenario.boundary_crashes)
    each(fmt::format("crash at boundary {}", boundary),
         [boundary](Scenario& s) { s.boundary_crashes.erase(boundary); });
  for (std::size_t i = 0; i < scenario.disk.size(); ++i) {
    const DiskTrouble& trouble = scenario.disk[i];
    each(fmt::format("the disk {} from {:.3f}s to {:.3f}s", text(trouble.kind), in_seconds(trouble.from),
                     in_seconds(trouble.until)),
         [i](Scenario& s) { s.disk[i].until = s.disk[i].from; });
  }
  for (std::size_t i = 0; i < scenario.partitions.size(); ++i)
    each(fmt::format("monitor and gateway are apart from {:.3f}s to {:.3f}s", in_seconds(scenario.partitions[i].from),
                     in_seconds(scenario.partitions[i].until)),
         [i](Scenario& s) { s.partitions[i].until = s.partitions[i].from; });
  for (std::size_t i = 0; i < scenario.clock.size(); ++i)
    each(fmt::format("the clock is set {:+.3f}s at {:.3f}s", in_seconds(scenario.clock[i].ahead),
                     in_seconds(scenario.clock[i].at)),
         [i](Scenario& s) { s.clock[i].ahead = microseconds(0); });
  if (scenario.lost_outcomes > 0)
    each(fmt::format("{:g}% of the outcomes are lost", scenario.lost_outcomes * 100),
         [](Scenario& s) { s.lost_outcomes = 0; });
  if (scenario.feedback.lost > 0)
    each(fmt::format("{:g}% of the feedback is lost", scenario.feedback.lost * 100),
         [](Scenario& s) { s.feedback.lost = 0; });
  if (scenario.feedback.twice > 0)
    each(fmt::format("{:g}% of the feedback comes twice", scenario.feedback.twice * 100),
         [](Scenario& s) { s.feedback.twice = 0; });
  for (std::size_t i = 1; i < scenario.orders.size(); ++i)
    each(fmt::format("order: {} {} at {:.3f}s", to_string(scenario.orders[i].kind), scenario.orders[i].version,
                     in_seconds(scenario.orders[i].at)),
         [i](Scenario& s) { s.orders[i].at = microseconds(-1); });
}

std::string promise_of(const std::string& failure) {
  return failure.substr(0, failure.find(':'));
}

}  // namespace

std::vector<std::string> faults_of(const Scenario& scenario) {
  std::vector<std::string> out;
  each_fault(scenario, [&](std::string words, auto&&) { out.push_back(std::move(words)); });
  return out;
}

Scenario with_faults(const Scenario& scenario, const std::set<std::size_t>& kept) {
  Scenario out = scenario;
  std::size_t number = 0;
  each_fault(scenario, [&](const std::string&, auto&& take_out) {
    if (!kept.contains(number++)) take_out(out);
  });
  std::erase(out.crashes, microseconds(-1));
  std::erase_if(out.orders, [](const OperatorOrder& order) { return order.at < microseconds(0); });
  return out;
}

std::set<std::size_t> shrink(const Scenario& scenario) {
  const std::string promise = promise_of(run(scenario).failure);
  std::set<std::size_t> kept;
  if (promise.empty()) return kept;
  for (std::size_t i = 0; i < faults_of(scenario).size(); ++i) kept.insert(i);
  bool smaller = true;
  while (smaller) {
    smaller = false;
    for (auto it = kept.begin(); it != kept.end();) {
      std::set<std::size_t> without = kept;
      without.erase(*it);
      if (promise_of(run(with_faults(scenario, without)).failure) != promise) {
        ++it;
        continue;
      }
      it = kept.erase(it);
      smaller = true;
    }
  }
  return kept;
}

}  // namespace backstay::sim
