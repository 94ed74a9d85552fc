#include <fmt/format.h>

#include "monitor/control_loop.hpp"
#include "services/look_back.hpp"
#include "wire/rollout_json.hpp"

/// The control loop's work when the server was started again: evidence of before, and what it had decided.
namespace backstay::monitor {

void Monitor::Loop::restore_guardrails(const std::string& name) {
  WatchedEndpoint& endpoint = find(name);
  const rollout::State* state = driver_.active(name);
  std::optional<std::vector<guardrails::Evidence>> crossed;
  if (state != nullptr && ports_.recordings != nullptr)
    crossed = endpoint.restore(*state, *ports_.recordings, ports_.clock.monotonic(), ports_.clock.now());
  if (!crossed) return reset_guardrails(name);
  if (!endpoint.trouble.empty()) stand_still(name, endpoint.trouble);
  for (const guardrails::Evidence& evidence : *crossed)
    inbox_.post([this, name, id = state->id, evidence] { breached_before(name, id, evidence); });
}

void Monitor::Loop::breached_before(const std::string& name, const std::string& rollout,
                                    const guardrails::Evidence& evidence) {
  const rollout::State* state = driver_.active(name);
  if (state == nullptr || state->id != rollout) return;  // Another guardrail was first.
  const auto act = [this, name, rollout, evidence] {
    const rollout::State* still = driver_.active(name);
    if (still == nullptr || still->id != rollout) return;
    WatchedEndpoint& endpoint = find(name);
    endpoint.now = ports_.clock.monotonic();
    breached(endpoint, evidence);
  };
  // A rollback that was done would have ended the rollout.
  if (evidence.action == guardrails::Action::kRollBack) return act();
  // The same evidence gives the same text.
  const std::string done = rollout::with_versions(*state, wire::to_json(evidence));
  commit_thread_.post([this, act, done, id = rollout] {
    const auto look = [&](const audit::Entry& entry) {
      const bool began = entry.draft.action == "rollout.start" || entry.draft.action == "rollout.revert";
      if (began && entry.draft.evidence.find(fmt::format(R"("rollout":"{}")", id)) != std::string::npos)
        return services::Look::kStop;
      return entry.draft.evidence == done ? services::Look::kFound : services::Look::kGoOn;
    };
    const Result<bool> known = services::look_back(ports_.audit, look);
    if (!known || !*known) inbox_.post(act);
  });
}

// What a step requires and nobody measures could never be shown, and would be held against the candidate.
void Monitor::Loop::stand_still(const std::string& name, const std::string& trouble) {
  inbox_.post([this, name, trouble] {
    if (driver_.active(name) != nullptr)
      driver_.handle(name, rollout::Pause{rollout::kSelf, "The guardrails are others than when it began: " + trouble});
  });
}

}  // namespace backstay::monitor
