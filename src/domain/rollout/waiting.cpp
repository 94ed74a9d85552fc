#include <fmt/format.h>

#include <algorithm>

#include "domain/rollout/progress.hpp"

/// What a rollout waits for, in words.
namespace backstay::rollout {

namespace {

std::string time_left(Timestamp since, milliseconds whole, Timestamp now) {
  const auto rest = whole - std::chrono::duration_cast<milliseconds>(now - since);
  return backstay::to_string(milliseconds(std::max<std::int64_t>(rest.count() / 1000 * 1000, 0)));
}

/// Empty: what the step requires holds.
std::string proof_text(const State& state, Timestamp now) {
  if (state.phase == Phase::kWarming) return "";
  const Proof& proof = state.plan.proof_of(index_of(state));
  if (proof.holds(state.shown)) return "";
  std::string text = describe(proof, state.shown, true);
  text.front() = static_cast<char>(text.front() - 'a' + 'A');
  if (is_timed(state, proof, now))
    text += fmt::format("; {} left", time_left(evidence_since(state), proof.within, now));
  return text + ".";
}

}  // namespace

std::string percent(std::uint32_t ppm) {
  return fmt::format("{:g}%", static_cast<double>(ppm) / 10'000.0);
}

std::string step_text(const State& state, std::size_t index) {
  if (index >= state.plan.steps.size()) return "the promotion of " + state.candidate;
  const Step& step = state.plan.steps[index];
  return step.kind == Step::Kind::kShadow
             ? fmt::format("a copy of {} of the requests to {}", percent(step.ppm), state.candidate)
             : fmt::format("{} of the requests to {}", percent(step.ppm), state.candidate);
}

std::string waiting_for(const State& state, Timestamp now) {
  if (is_final(state.phase)) return "";
  if (state.paused) return "It is paused: backstay rollout resume.";
  if (!state.candidate_ready) return fmt::format("{} is not ready yet.", state.candidate);
  std::string text;
  if (state.phase == Phase::kWatching) {
    if (now - state.phase_since < state.plan.watch)
      text = fmt::format("The watch: {} left.", time_left(state.phase_since, state.plan.watch, now));
  } else if (state.phase == Phase::kStepping) {
    const Step& step = state.plan.steps[state.step_index];
    if (now - state.phase_since < step.min_duration) {
      text = fmt::format("Time in this step: {} left.", time_left(state.phase_since, step.min_duration, now));
    } else if (state.samples < step.min_samples) {
      text = fmt::format("Outcomes of the candidate: {} of {}.", state.samples, step.min_samples);
    }
  }
  const std::string proof = proof_text(state, now);
  if (!text.empty() && !proof.empty()) text += " ";
  if (!(text += proof).empty()) return text;
  const std::optional<std::string> closed = state.plan.calendar.closed(now);
  if (state.phase == Phase::kWatching) return closed.value_or("");
  const std::size_t index = next_index(state);
  if (lacks_approval(state, index))
    return fmt::format("An approval: {}. backstay rollout approve", step_text(state, index));
  return closed.value_or("");
}

}  // namespace backstay::rollout
