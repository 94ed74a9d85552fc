#include "domain/rollout/damping.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::rollout {

namespace {

/// The version that a rollout took traffic from for its own sake; empty: none.
std::string taken_back(const State& state) {
  if (state.revert) return state.phase == Phase::kDone && state.started_by != kSelf ? state.stable : "";
  if (state.phase != Phase::kRolledBack || !state.cause) return "";
  return state.cause->trigger != "not_ready" && state.cause->trigger != "dependency" ? state.candidate : "";
}

std::optional<Damping> wait(const std::vector<const State*>& ends, unsigned limit, const std::string& what,
                            Timestamp now, const DampingRule& rule) {
  if (ends.empty() || ends.size() < limit) return std::nullopt;
  const State& last = **std::max_element(
      ends.begin(), ends.end(), [](const State* a, const State* b) { return a->phase_since < b->phase_since; });
  const auto doublings = std::min<std::size_t>(ends.size() - limit, 10);
  const auto pause = std::min(rule.longest_wait, rule.first_wait * (1 << doublings));
  return Damping{std::min(last.phase_since, now) + pause,
                 fmt::format("{} was taken back {} times within {} hours, last in {}", what, ends.size(),
                             rule.within.count(), last.id)};
}

}  // namespace

std::optional<Damping> damped(const std::vector<State>& history, const std::string& candidate, Timestamp now,
                              const DampingRule& rule) {
  std::vector<const State*> all, own;
  for (const State& state : history) {
    const std::string version = taken_back(state);
    // What ended later than now ended before the clock was set back, nobody knows how long ago.
    if (version.empty() || std::chrono::abs(now - state.phase_since) > rule.within) continue;
    all.push_back(&state);
    if (version == candidate) own.push_back(&state);
  }
  std::optional<Damping> longest = wait(own, rule.of_version, candidate, now, rule);
  const std::optional<Damping> other = wait(all, rule.of_endpoint, "What was released here", now, rule);
  if (other && (!longest || other->until > longest->until)) longest = other;
  return longest && longest->until > now ? longest : std::nullopt;
}

}  // namespace backstay::rollout
