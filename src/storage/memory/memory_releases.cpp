#include <fmt/format.h>

#include <algorithm>

#include "storage/memory/memory_ledger.hpp"
#include "wire/manifest_json.hpp"

/// Stages, aliases, infrastructure and lineage in memory.
namespace backstay {

using lineage::Subject;

Result<void> MemoryLedger::move_stage(const registry::VersionRef& ref, const std::string& expected,
                                      const std::string& stage, const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  if (held->version.stage != expected)
    return Unexpected(ErrorCode::kConflict,
                      fmt::format("{} is in stage {}, not {}.", ref.str(), held->version.stage, expected));
  held->version.stage = stage;
  append_locked(draft);
  return {};
}

Result<void> MemoryLedger::set_alias(const std::string& model, const std::string& name,
                                     const std::optional<registry::SemanticVersion>& version,
                                     const std::optional<registry::SemanticVersion>& expected,
                                     const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  const auto known = aliases_.find({model, name});
  const auto now = known == aliases_.end() ? std::nullopt : std::optional(known->second.ref.version);
  if (now != expected)
    return Unexpected(ErrorCode::kConflict, fmt::format("The alias '{}' of {} is not where it was.", name, model));
  if (version) TRY_DO(find({model, *version}));
  const audit::Entry& entry = append_locked(draft);
  if (version) {
    aliases_[{model, name}] = {name, {model, *version}, entry.at, draft.actor};
  } else {
    aliases_.erase({model, name});
  }
  return {};
}

Result<std::vector<Alias>> MemoryLedger::aliases(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  std::vector<Alias> found;
  for (const auto& [key, alias] : aliases_)
    if (key.first == model) found.push_back(alias);
  return found;
}

Result<std::vector<audit::Entry>> MemoryLedger::history(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  std::vector<audit::Entry> found;
  for (const audit::Entry& entry : audit_) {
    const std::string& subject = entry.draft.subject;
    const bool of_endpoint = std::any_of(models_.begin(), models_.end(), [&](const auto& known) {
      return known.second == model && subject == "endpoint " + known.first;
    });
    if (subject.starts_with(model + "@") || of_endpoint) found.push_back(entry);
  }
  return found;
}

Result<void> MemoryLedger::declare(const std::vector<registry::Infrastructure>& items, const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  infrastructure_ = registry::with_changes(std::move(infrastructure_), items);
  append_locked(draft);
  return {};
}

Result<std::vector<registry::Infrastructure>> MemoryLedger::infrastructure() const {
  const std::lock_guard lock(mutex_);
  return infrastructure_;
}

Result<std::uint32_t> MemoryLedger::serving_number(const std::string& endpoint, const registry::VersionRef& ref) {
  const std::lock_guard lock(mutex_);
  TRY_DO(find(ref));
  const auto known = std::find_if(servings_.begin(), servings_.end(), [&](const Serving& serving) {
    return serving.endpoint == endpoint && serving.ref == ref;
  });
  if (known != servings_.end()) return static_cast<std::uint32_t>(known - servings_.begin() + 1);
  servings_.push_back({endpoint, ref});
  append_locked({"backstay", "serving.number", ref.str(),
                 fmt::format("Predictions of endpoint {} carry the number {}.", endpoint, servings_.size()), "{}"});
  return static_cast<std::uint32_t>(servings_.size());
}

Result<Serving> MemoryLedger::serving(std::uint32_t number) const {
  const std::lock_guard lock(mutex_);
  if (number > 0 && number <= servings_.size()) return servings_[number - 1];
  return Unexpected(ErrorCode::kNotFound, "No version of this registry answered that prediction.");
}

namespace {

registry::Manifest manifest_or_nothing(const StoredVersion& version) {
  auto manifest = wire::manifest_from_json("a stored manifest", version.manifest_json);
  return manifest ? *std::move(manifest) : registry::Manifest{};
}

void add_once(const Subject& subject, std::vector<Subject>& out) {
  if (std::find(out.begin(), out.end(), subject) == out.end()) out.push_back(subject);
}

}  // namespace

Result<std::vector<registry::VersionRef>> MemoryLedger::made_from(const Subject& subject) const {
  const std::lock_guard lock(mutex_);
  if (subject.kind == Subject::Kind::kVersion) {
    TRY(registry::VersionRef ref, registry::VersionRef::parse(subject.text));
    TRY_DO(find(ref));
    return std::vector{std::move(ref)};
  }
  std::vector<registry::VersionRef> found;
  for (const Held& held : versions_)
    if (lineage::concerns(subject, manifest_or_nothing(held.version))) found.push_back(held.version.ref);
  return found;
}

Result<std::vector<Subject>> MemoryLedger::find_subjects(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  std::vector<Subject> slices;
  std::vector<Subject> others;
  const std::string digits = text.starts_with("sha256:") ? text.substr(7) : text;
  const auto begins = [&](const std::string& whole) { return digits.size() >= 7 && whole.starts_with(digits); };
  for (const Held& held : versions_) {
    const registry::Manifest manifest = manifest_or_nothing(held.version);
    for (const registry::DataSet& set : manifest.data) {
      if (set.name == text) add_once({Subject::Kind::kDataSet, text}, others);
      for (const registry::DataSlice& slice : set.slices) {
        const std::string name = set.name + "/" + slice.name;
        if (slice.name == text || name == text) add_once({Subject::Kind::kSlice, name}, slices);
        if (begins(slice.sha256.hex())) add_once({Subject::Kind::kSliceDigest, slice.sha256.hex()}, others);
      }
    }
    if (begins(manifest.code.commit)) add_once({Subject::Kind::kCommit, manifest.code.commit}, others);
  }
  slices.insert(slices.end(), others.begin(), others.end());
  return slices;
}

Result<std::vector<registry::VersionRef>> MemoryLedger::children(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  std::vector<registry::VersionRef> found;
  for (const Held& held : versions_) {
    const std::vector<registry::VersionRef> parents = manifest_or_nothing(held.version).parents;
    if (std::find(parents.begin(), parents.end(), ref) != parents.end()) found.push_back(held.version.ref);
  }
  return found;
}

void MemoryLedger::record_traffic(const rollout::State& state, const std::string& model) {
  const traffic::Split split = rollout::split_of(state);
  const auto last = std::find_if(traffic_.rbegin(), traffic_.rend(),
                                 [&](const Traffic& known) { return known.endpoint == state.endpoint; });
  if (last == traffic_.rend() ? split.arms.empty() : last->split == split) return;
  traffic_.push_back({state.endpoint, model, state.id, split, audit_.back().at});
}

Result<std::vector<TrafficWindow>> MemoryLedger::traffic(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  std::vector<TrafficWindow> found;
  const std::string version = ref.version.str();
  for (auto at = traffic_.begin(); at != traffic_.end(); ++at) {
    if (at->model != ref.model) continue;
    const auto next =
        std::find_if(at + 1, traffic_.end(), [&](const Traffic& later) { return later.endpoint == at->endpoint; });
    const auto until = next == traffic_.end() ? std::nullopt : std::optional(next->from);
    for (const traffic::Share& share : at->split.arms)
      if (share.version == version && share.ppm > 0)
        found.push_back({at->endpoint, ref, share.role, share.ppm, at->rollout, at->from, until});
    if (at->split.shadow == version)
      found.push_back({at->endpoint, ref, traffic::Role::kShadow, at->split.shadow_ppm, at->rollout, at->from, until});
  }
  return found;
}

Result<void> MemoryLedger::quarantine(const Subject& subject, bool block, const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  const auto last = std::find_if(quarantines_.rbegin(), quarantines_.rend(),
                                 [&](const Blocked& known) { return known.quarantine.subject == subject; });
  if ((last != quarantines_.rend() && last->blocked) == block)
    return Unexpected(ErrorCode::kConflict, fmt::format("The {} is {} quarantine.", lineage::describe(subject),
                                                        block ? "already in" : "not in"));
  const audit::Entry& entry = append_locked(draft);
  if (!block) {
    last->blocked = false;
  } else {
    quarantines_.push_back({{subject, draft.reason, draft.actor, entry.at}, true});
  }
  return {};
}

Result<std::vector<Quarantine>> MemoryLedger::quarantines() const {
  const std::lock_guard lock(mutex_);
  std::vector<Quarantine> found;
  for (const Blocked& known : quarantines_)
    if (known.blocked) found.push_back(known.quarantine);
  return found;
}

}  // namespace backstay
