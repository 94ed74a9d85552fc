#include "services/find_rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace backstay::services {

Result<rollout::State> find_rollout(const RolloutStore& store, const std::string& name) {
  // An endpoint may be called like another one's rollout: the endpoint's own name goes first.
  TRY(const std::vector<rollout::State> latest, store.rollouts(name, 1));
  if (!latest.empty()) return latest.front();
  const std::string endpoint = name.substr(0, name.rfind('-'));
  TRY(const std::vector<rollout::State> all, store.rollouts(endpoint, std::numeric_limits<std::int32_t>::max()));
  const auto found = std::find_if(all.begin(), all.end(), [&](const rollout::State& s) { return s.id == name; });
  if (found != all.end()) return *found;
  if (!all.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no rollout '{}'.", name),
                      fmt::format("The latest of {} is {}.", endpoint, all.front().id));
  TRY(const std::vector<EndpointRecord> endpoints, store.endpoints());
  std::string known;
  for (const EndpointRecord& record : endpoints) known += (known.empty() ? "" : ", ") + record.endpoint;
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no rollout or endpoint '{}'.", name),
                    known.empty() ? "Nothing was released yet: backstay rollout start ENDPOINT MODEL@VERSION"
                                  : fmt::format("The endpoints are: {}.", known));
}

Result<std::vector<audit::Entry>> entries_of(const AuditLog& log, const rollout::State& rollout) {
  constexpr std::size_t kPage = 4096;
  std::vector<audit::Entry> out;
  const std::string subject = "endpoint " + rollout.endpoint;
  // Entries name their rollout; those of before they did are known by their time, which the clock may have been set
  // since.
  const std::string named = fmt::format(R"("rollout":"{}")", rollout.id);
  const auto is_its_own = [&](const audit::Entry& entry) {
    if (entry.draft.evidence.find(R"("rollout":")") == std::string::npos) return entry.at >= rollout.started_at;
    return entry.draft.evidence.find(named) != std::string::npos;
  };
  for (std::uint64_t from = 1;;) {
    TRY(const std::vector<audit::Entry> page, log.read(from, kPage));
    for (const audit::Entry& entry : page) {
      if (entry.draft.subject != subject) continue;
      const bool begins = entry.draft.action == "rollout.start" || entry.draft.action == "rollout.revert";
      if (begins && !out.empty()) return out;
      if (begins ? is_its_own(entry) : !out.empty()) out.push_back(entry);
    }
    if (page.size() < kPage) return out;
    from += page.size();
  }
}

}  // namespace backstay::services
