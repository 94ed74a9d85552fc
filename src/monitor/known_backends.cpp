#include "monitor/known_backends.hpp"

#include <fmt/format.h>

namespace backstay::monitor {

std::optional<gateway::Address> address_of(const BackendStatus& status) {
  if (status.state != BackendState::kReady) return std::nullopt;
  auto address = gateway::Address::parse(fmt::format("{}:{}", status.host, status.port));
  return address ? std::optional(*address) : std::nullopt;
}

void KnownBackends::take(const BackendStatus& status) {
  if (status.state == BackendState::kStopped) return forget(status.endpoint, status.version);
  statuses_.insert_or_assign(std::pair(status.endpoint, status.version), status);
}

void KnownBackends::forget_failure(const std::string& endpoint, const std::string& version) {
  const BackendStatus* known = find(endpoint, version);
  if (known != nullptr && known->state == BackendState::kFailed) forget(endpoint, version);
}

bool KnownBackends::ready(const std::string& endpoint, const std::string& version) const {
  const BackendStatus* known = find(endpoint, version);
  return known != nullptr && known->state == BackendState::kReady;
}

bool KnownBackends::down(const std::string& endpoint, const std::string& version) const {
  const BackendStatus* known = find(endpoint, version);
  if (known == nullptr) return false;
  const bool again = known->state == BackendState::kStarting && known->restarts > 0;
  return again || known->state == BackendState::kUnhealthy || known->state == BackendState::kBackingOff ||
         known->state == BackendState::kFailed;
}

bool KnownBackends::failed(const std::string& endpoint, const std::string& version) const {
  const BackendStatus* known = find(endpoint, version);
  return known != nullptr && known->state == BackendState::kFailed;
}

bool KnownBackends::settled(const std::string& endpoint, const std::string& version) const {
  const BackendStatus* known = find(endpoint, version);
  return known != nullptr && (known->state == BackendState::kReady || known->state == BackendState::kFailed);
}

std::vector<BackendStatus> KnownBackends::of(const std::string& endpoint) const {
  std::vector<BackendStatus> out;
  for (const auto& [key, status] : statuses_) {
    if (key.first == endpoint) out.push_back(status);
  }
  return out;
}

std::optional<rollout::Event> KnownBackends::news_of_candidate(const rollout::State& state) const {
  const BackendStatus* known = find(state.endpoint, state.candidate);
  if (known == nullptr) return std::nullopt;
  if (known->state == BackendState::kReady && !state.candidate_ready) return rollout::CandidateReady{};
  if (known->state != BackendState::kFailed) return std::nullopt;
  return rollout::CandidateFailed{
      fmt::format("The backend of {} could not be kept running. {}", state.candidate, known->detail)};
}

const BackendStatus* KnownBackends::find(const std::string& endpoint, const std::string& version) const {
  const auto known = statuses_.find({endpoint, version});
  return known == statuses_.end() ? nullptr : &known->second;
}

}  // namespace backstay::monitor
