#include "monitor/error_alarms.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "domain/guardrails/guardrail.hpp"

namespace backstay::monitor {

ErrorAlarms::ErrorAlarms(const std::vector<guardrails::GuardrailSpec>& specs) {
  for (const guardrails::GuardrailSpec& spec : specs) {
    const bool judges = spec.signal.kind == guardrails::Signal::Kind::kFeedback &&
                        spec.objective.kind != guardrails::Objective::Kind::kRelativeToStable;
    const double allowed = judges ? guardrails::allowed_bad(spec) : 0;
    rules_.push_back(allowed > 0 && allowed < 1 ? std::optional(Rule{spec.name, allowed}) : std::nullopt);
  }
}

std::string ErrorAlarms::Alarm::evidence(const std::string& version) const {
  const nlohmann::json out{
      {"guardrail", guardrail}, {"version", version}, {"errors", errors}, {"labels", labels}, {"allowed", allowed}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ErrorAlarms::Version& ErrorAlarms::version_of(const std::string& name) {
  if (const auto found = versions_.find(name); found != versions_.end()) return found->second;
  if (versions_.size() >= kMaxVersions)
    versions_.erase(std::min_element(versions_.begin(), versions_.end(),
                                     [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  Version& out = versions_[name];
  for (const auto& rule : rules_)
    out.rules.push_back(rule ? std::optional(Watched{drift::ErrorDetector(rule->allowed, kRunLength)}) : std::nullopt);
  return out;
}

std::optional<ErrorAlarms::Alarm> ErrorAlarms::observe(std::size_t index, const std::string& name, bool right) {
  if (!rules_[index]) return std::nullopt;
  Version& version = version_of(name);
  version.last = ++observed_;
  Watched& watched = *version.rules[index];
  watched.recent[watched.labels++ % kRecent] = !right;
  if (!watched.detector.observe(!right) || watched.told) return std::nullopt;
  watched.told = true;
  Alarm alarm{rules_[index]->name, 0, 0, rules_[index]->allowed};
  explain(watched, alarm);
  return alarm;
}

// Since when: the greatest ratio of likelihoods of this share of errors and of the allowed one.
void ErrorAlarms::explain(const Watched& watched, Alarm& alarm) {
  double best = 0;
  std::uint64_t errors = 0;
  for (std::uint64_t labels = 1; labels <= std::min<std::uint64_t>(watched.labels, kRecent); ++labels) {
    errors += watched.recent[(watched.labels - labels) % kRecent] ? 1 : 0;
    const double share = static_cast<double>(errors) / static_cast<double>(labels);
    if (share <= alarm.allowed) continue;
    const double right = share < 1 ? (1 - share) * std::log((1 - share) / (1 - alarm.allowed)) : 0;
    const double ratio = static_cast<double>(labels) * (share * std::log(share / alarm.allowed) + right);
    if (ratio <= best) continue;
    best = ratio;
    alarm.errors = errors;
    alarm.labels = labels;
  }
}

}  // namespace backstay::monitor
