#include "sim/disk.hpp"

#include <algorithm>
#include <utility>

#include "services/check_rollout.hpp"
#include "services/commit_rollout.hpp"
#include "wire/manifest_json.hpp"

namespace backstay::sim {

namespace {

/// Stores, and says that it failed.
class LosesAnswers : public RolloutStore {
 public:
  explicit LosesAnswers(RolloutStore& store) : store_(store) {}
  Result<void> commit(const rollout::Transition& transition, const std::string& model,
                      std::optional<std::uint64_t> log_size = {}) override {
    stored = store_.commit(transition, model, log_size);
    return Unexpected(ErrorCode::kUnavailable, "The answer was lost.");
  }
  Result<std::vector<rollout::State>> active_rollouts() const override { return store_.active_rollouts(); }
  Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const override {
    return store_.rollouts(endpoint, limit);
  }
  Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const override {
    return store_.endpoint(name);
  }
  Result<std::vector<EndpointRecord>> endpoints() const override { return store_.endpoints(); }
  Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const override {
    return store_.next_rollout_number(endpoint);
  }
  Result<void> stored = Unexpected(ErrorCode::kUnavailable, "Nothing was to be stored.");

 private:
  RolloutStore& store_;
};

}  // namespace

Disk::Disk(const Scenario& scenario, Timeline& timeline, Random& random, Trace& trace, Boundary& boundary)
    : scenario_(scenario), timeline_(timeline), random_(random), trace_(trace), boundary_(boundary), ledger_(timeline) {
  for (const VersionScript& script : scenario.versions) add(script);
}

/// Registered, scanned and passed by its gate.
void Disk::add(const VersionScript& script) {
  registry::Manifest manifest;
  manifest.ref = registry::VersionRef::parse(script.endpoint + "@" + script.version).value();
  if (!script.needs.empty()) {
    registry::Dependency needed;
    needed.name = scenario_.versions.front().endpoint;
    needed.kind = "model";
    needed.direction = "upstream";
    needed.version = script.needs;
    manifest.dependencies.push_back(needed);
  }
  const std::string ref = manifest.ref.str();
  static_cast<void>(ledger_.add_version({manifest.ref, wire::to_canonical_json(manifest), true, "ann"},
                                        {"ann", "version.register", ref, "for the run", "{}"}));
  static_cast<void>(ledger_.add_scan(manifest.ref, {}, {"ann", "version.scan", ref, "", "{}"}));
  StoredVerdict verdict;
  verdict.gate = "production";
  verdict.verdict = "PASS";
  static_cast<void>(ledger_.add_verdict(manifest.ref, verdict, {"ann", "gate.verdict", ref, "", "{}"}));
}

void Disk::submit(const Timeline::Owner& owner, rollout::Transition transition, const std::string& model,
                  services::CommitQueue::Done done) {
  if (scenario_.sabotage == Sabotage::kLosesAuditEntries && transition.state.revision > 1) transition.notes.clear();
  if (scenario_.sabotage == Sabotage::kAnswersBeforeCommit)
    timeline_.after(microseconds(0), owner, [done] { done({}); });
  push({owner, Commit{std::move(transition), model, std::move(done)}, {}});
}

void Disk::post(const Timeline::Owner& owner, std::function<void()> task) {
  push({owner, {}, std::move(task)});
}

void Disk::push(Work work) {
  queue_.push_back(std::move(work));
  if (queue_.size() == 1) begin_next();
}

void Disk::begin_next() {
  timeline_.after(write_time(), queue_.front().owner, [this] { do_next(); });
}

void Disk::do_next() {
  if (queue_.front().commit) boundary_.pass("before a commit");
  const Work work = std::move(queue_.front());
  queue_.pop_front();
  if (work.commit) {
    commit(work.owner, *work.commit);
  } else {
    work.task();
  }
  if (!queue_.empty()) begin_next();
}

void Disk::commit(const Timeline::Owner& owner, const Commit& commit) {
  const Result<void> result = write(commit);
  boundary_.pass("after a commit");
  if (scenario_.sabotage == Sabotage::kAnswersBeforeCommit) return;
  timeline_.after(microseconds(random_.below(2'000)), owner, [this, done = commit.done, result] {
    boundary_.pass("before a commit's answer");
    if (!result && scenario_.sabotage == Sabotage::kNeverRetriesCommits) return;
    done(result);
    boundary_.pass("after a commit's answer");
  });
}

void Disk::cut_off() {
  const std::deque<Work> gone = std::exchange(queue_, {});
  if (gone.empty() || !gone.front().commit) return;
  if (random_.unit() >= scenario_.torn_commit_holds) return;
  trace_.line("the commit that was under way holds");
  static_cast<void>(write(*gone.front().commit));
}

Result<audit::Entry> Disk::Log::append(const audit::Draft& draft) {
  if (disk_.full()) return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
  disk_.trace_.line("log: {} of {}: {}", draft.action, draft.subject, draft.reason);
  return disk_.ledger_.append(draft);
}

Result<audit::Entry> Disk::Log::append_batch(const std::vector<audit::Draft>& drafts) {
  if (disk_.full()) return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
  return disk_.ledger_.append_batch(drafts);
}

bool Disk::in_trouble(DiskTrouble::Kind kind) const {
  return std::any_of(scenario_.disk.begin(), scenario_.disk.end(), [&](const DiskTrouble& trouble) {
    return trouble.kind == kind && trouble.from <= timeline_.elapsed() && timeline_.elapsed() < trouble.until;
  });
}

microseconds Disk::write_time() {
  if (in_trouble(DiskTrouble::Kind::kSlow)) return milliseconds(200) + microseconds(random_.below(2'000'000));
  return microseconds(200 + random_.below(8'000));
}

Result<void> Disk::write(const Commit& commit) {
  const rollout::State& state = commit.transition.state;
  const services::StartCheck check{ledger_, [this](const rollout::State& started, const std::string& model) {
                                     if (scenario_.sabotage == Sabotage::kStoresUnchecked) return Result<void>();
                                     return services::check_start(records(), started, model, {}, timeline_.now());
                                   }};
  Result<void> result;
  Result<void> stored;
  if (full()) {
    stored = result = Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
  } else if (in_trouble(DiskTrouble::Kind::kLosesAnswers)) {
    LosesAnswers store(ledger_);
    const bool looks = scenario_.sabotage != Sabotage::kBelievesLostAnswers;
    result = looks ? services::commit_rollout(store, commit.transition, commit.model, &check)
                   : store.commit(commit.transition, commit.model);
    stored = store.stored;
  } else {
    stored = result = services::commit_rollout(ledger_, commit.transition, commit.model, &check);
  }
  trace_.line("commit {} revision {} ({}{}): {}", state.id, state.revision, rollout::to_string(state.phase),
              state.paused ? ", paused" : "", result ? "durable" : result.error().message);
  if (stored && on_commit_) on_commit_(commit.transition);
  return result;
}

}  // namespace backstay::sim
