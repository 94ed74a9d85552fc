#include "storage/memory/memory_ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/manifest_json.hpp"

namespace backstay {

const audit::Entry& MemoryLedger::append_locked(const audit::Draft& draft) {
  audit_.push_back(audit::link(audit_.empty() ? nullptr : &audit_.back(), clock_.now(), draft));
  return audit_.back();
}

Result<const MemoryLedger::Held*> MemoryLedger::find(const registry::VersionRef& ref) const {
  for (const Held& held : versions_) {
    if (held.version.ref == ref) return &held;
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no version {}.", ref.str()));
}

Result<MemoryLedger::Held*> MemoryLedger::find(const registry::VersionRef& ref) {
  TRY(const Held* held, std::as_const(*this).find(ref));
  return const_cast<Held*>(held);
}

Result<VersionStore::Registered> MemoryLedger::add_version(const NewVersion& version, const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  const Digest identity = sha256(version.manifest_json);
  if (auto held = find(version.ref)) {
    if ((*held)->version.identity == identity) return Registered{(*held)->version, false};
    return Unexpected(ErrorCode::kConflict,
                      fmt::format("{} is registered already with other content (registered {}, now {}).",
                                  version.ref.str(), (*held)->version.identity.hex(), identity.hex()));
  }
  const auto ordinal = 1 + std::count_if(versions_.begin(), versions_.end(),
                                         [&](const Held& held) { return held.version.ref.model == version.ref.model; });
  Held held;
  held.version = {version.ref,  static_cast<std::uint64_t>(ordinal),
                  identity,     version.manifest_json,
                  "Staging",    version.complete,
                  clock_.now(), version.actor};
  if (version.scan) insert_scan(held, *version.scan);
  versions_.push_back(held);
  append_locked(draft);
  return Registered{held.version, true};
}

Result<void> MemoryLedger::referenced_blobs(const std::function<void(const BlobReference&)>& each) const {
  const std::lock_guard lock(mutex_);
  for (const Held& held : versions_) {
    const std::string name = held.version.ref.str();
    TRY(const registry::Manifest manifest,
        wire::manifest_from_json("the stored manifest of " + name, held.version.manifest_json));
    for (const registry::BlobOfVersion& blob : registry::blobs_of(manifest))
      each({blob.sha256, name + ": " + blob.what, blob.required});
  }
  return {};
}

Result<StoredVersion> MemoryLedger::version(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->version;
}

Result<std::vector<StoredVersion>> MemoryLedger::versions(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  std::vector<StoredVersion> found;
  for (auto held = versions_.rbegin(); held != versions_.rend(); ++held) {
    if (model.empty() || held->version.ref.model == model) found.push_back(held->version);
  }
  return found;
}

Result<std::optional<registry::SemanticVersion>> MemoryLedger::greatest(
    const std::string& model, const std::optional<registry::SemanticVersion>& most) const {
  const std::lock_guard lock(mutex_);
  std::optional<registry::SemanticVersion> found;
  for (const Held& held : versions_) {
    const registry::SemanticVersion& number = held.version.ref.version;
    if (held.version.ref.model == model && (!most || number <= *most) && (!found || *found < number)) found = number;
  }
  return found;
}

Result<registry::StoredScorecard> MemoryLedger::add_scorecard(const registry::VersionRef& ref,
                                                              const registry::Scorecard& scorecard,
                                                              const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  held->scorecards.push_back({next_id_++, scorecard, clock_.now(), append_locked(draft).sequence});
  return held->scorecards.back();
}

Result<std::vector<registry::StoredScorecard>> MemoryLedger::scorecards(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->scorecards;
}

Result<StoredVerdict> MemoryLedger::add_verdict(const registry::VersionRef& ref, const StoredVerdict& verdict,
                                                const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  StoredVerdict stored = verdict;
  stored.id = next_id_++;
  stored.at = clock_.now();
  stored.sequence = append_locked(draft).sequence;
  held->verdicts.insert(held->verdicts.begin(), stored);
  return stored;
}

Result<std::vector<StoredVerdict>> MemoryLedger::verdicts(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->verdicts;
}

Result<StoredSignature> MemoryLedger::add_signature(const registry::VersionRef& ref, const StoredSignature& signature,
                                                    const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  StoredSignature stored = signature;
  stored.id = next_id_++;
  stored.at = clock_.now();
  held->signatures.insert(held->signatures.begin(), stored);
  append_locked(draft);
  return stored;
}

Result<std::vector<StoredSignature>> MemoryLedger::signatures(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->signatures;
}

Result<void> MemoryLedger::commit(const rollout::Transition& transition, const std::string& model,
                                  std::optional<std::uint64_t> log_size) {
  const std::lock_guard lock(mutex_);
  const rollout::State& state = transition.state;
  std::vector<rollout::State>& history = rollouts_[state.endpoint];
  const auto known =
      std::find_if(history.begin(), history.end(), [&](const rollout::State& old) { return old.id == state.id; });
  if (known != history.end() && *known == state) return {};
  const std::uint64_t stored = known == history.end() ? 0 : known->revision;
  if (stored + 1 != state.revision)
    return Unexpected(ErrorCode::kConflict, fmt::format("Rollout {} is at revision {}; revision {} does not follow.",
                                                        state.id, stored, state.revision));
  if (known == history.end()) {
    for (const rollout::State& other : history) {
      if (!rollout::is_final(other.phase))
        return Unexpected(ErrorCode::kConflict,
                          fmt::format("Endpoint '{}' has a rollout under way: {}.", state.endpoint, other.id));
    }
  }
  if (log_size && *log_size != audit_.size())
    return Unexpected(ErrorCode::kConflict, fmt::format("The registry changed while {} was checked.", state.id),
                      "Try again.");
  std::vector<std::pair<Held*, std::string>> moves;
  for (const rollout::StageMove& move : transition.stage_moves) {
    const bool serves_elsewhere = std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& each) {
      return each.first != state.endpoint && each.second.model == model && each.second.stable == move.version;
    });
    if (serves_elsewhere && move.stage == "Archived") continue;
    TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(move.version));
    TRY(Held * held, find(registry::VersionRef{model, std::move(version)}));
    moves.emplace_back(held, move.stage);
  }
  for (auto& [held, stage] : moves) held->version.stage = stage;
  if (known == history.end()) {
    history.push_back(state);
  } else {
    *known = state;
  }
  for (const rollout::Note& note : transition.notes)
    append_locked({note.actor, note.action, "endpoint " + state.endpoint, note.reason, note.evidence});
  models_[state.endpoint] = model;
  if (!transition.notes.empty()) record_traffic(state, model);
  if (state.phase == rollout::Phase::kDone) endpoints_[state.endpoint] = endpoint_after(state, model);
  return {};
}

Result<std::vector<rollout::State>> MemoryLedger::active_rollouts() const {
  const std::lock_guard lock(mutex_);
  std::vector<rollout::State> found;
  for (const auto& [endpoint, history] : rollouts_) {
    for (const rollout::State& state : history) {
      if (!rollout::is_final(state.phase)) found.push_back(state);
    }
  }
  return found;
}

Result<std::vector<rollout::State>> MemoryLedger::rollouts(const std::string& endpoint, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto history = rollouts_.find(endpoint);
  std::vector<rollout::State> found;
  if (history == rollouts_.end()) return found;
  for (auto state = history->second.rbegin(); state != history->second.rend() && found.size() < limit; ++state)
    found.push_back(*state);
  return found;
}

Result<std::optional<EndpointRecord>> MemoryLedger::endpoint(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = endpoints_.find(name);
  if (found == endpoints_.end()) return std::optional<EndpointRecord>();
  return std::optional(found->second);
}

Result<std::vector<EndpointRecord>> MemoryLedger::endpoints() const {
  const std::lock_guard lock(mutex_);
  std::vector<EndpointRecord> found;
  for (const auto& [name, model] : models_) {
    const auto record = endpoints_.find(name);
    if (record != endpoints_.end()) {
      found.push_back(record->second);
    } else if (!rollout::is_final(rollouts_.at(name).back().phase)) {
      found.push_back({name, model, "", ""});
    }
  }
  return found;
}

Result<std::uint64_t> MemoryLedger::next_rollout_number(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto history = rollouts_.find(endpoint);
  return history == rollouts_.end() ? 1 : history->second.size() + 1;
}

Result<audit::Entry> MemoryLedger::append(const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  return append_locked(draft);
}

Result<audit::Entry> MemoryLedger::append_batch(const std::vector<audit::Draft>& drafts) {
  const std::lock_guard lock(mutex_);
  if (drafts.empty()) return Unexpected(ErrorCode::kInvalidArgument, "There is no entry to append.");
  for (const audit::Draft& draft : drafts) append_locked(draft);
  return audit_.back();
}

Result<Digest> MemoryLedger::tree_node(audit::NodeId node) const {
  const std::lock_guard lock(mutex_);
  while (edge_.size() < audit_.size()) {
    TRY(const std::vector<Digest> completed,
        edge_.append(audit::leaf_hash(audit::leaf_bytes(audit_[static_cast<std::size_t>(edge_.size())]))));
    if (nodes_.size() < completed.size()) nodes_.resize(completed.size());
    for (std::size_t level = 0; level < completed.size(); ++level) nodes_[level].push_back(completed[level]);
  }
  if (node.level >= nodes_.size() || node.index >= nodes_[node.level].size())
    return Unexpected(ErrorCode::kNotFound, "The audit log has no such node.");
  return nodes_[node.level][static_cast<std::size_t>(node.index)];
}

Result<std::uint64_t> MemoryLedger::size() const {
  const std::lock_guard lock(mutex_);
  return audit_.size();
}

Result<std::vector<audit::Entry>> MemoryLedger::read(std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<audit::Entry> found;
  for (const audit::Entry& entry : audit_) {
    if (entry.sequence >= from && found.size() < limit) found.push_back(entry);
  }
  return found;
}

Result<std::optional<StoredAnswer>> MemoryLedger::answer(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(key);
  if (found == answers_.end()) return std::optional<StoredAnswer>();
  return std::optional(found->second.second);
}

Result<void> MemoryLedger::remember(const std::string& key, const StoredAnswer& answer) {
  const std::lock_guard lock(mutex_);
  const Timestamp now = clock_.now();
  std::erase_if(answers_, [&](const auto& item) { return item.second.first < now - std::chrono::hours(24); });
  answers_.try_emplace(key, now, answer);
  return {};
}

}  // namespace backstay
