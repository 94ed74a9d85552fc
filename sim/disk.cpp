#include "sim/disk.hpp"

#include <algorithm>

#include "services/commit_rollout.hpp"
#include "sim/world.hpp"

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
  Result<void> stored;

 private:
  RolloutStore& store_;
};

}  // namespace

Disk::Disk(const Scenario& scenario, Timeline& timeline, Random& random, Trace& trace, Boundary& boundary)
    : scenario_(scenario), timeline_(timeline), random_(random), trace_(trace), boundary_(boundary), ledger_(timeline) {
  for (const VersionScript& script : scenario.versions) {
    const std::string ref = std::string(kModel) + "@" + script.version;
    static_cast<void>(ledger_.add_version({registry::VersionRef::parse(ref).value(), ref, true, "ann"},
                                          {"ann", "version.register", ref, "for the run", "{}"}));
  }
}

void Disk::submit(const Timeline::Owner& owner, rollout::Transition transition, const std::string& model,
                  services::CommitQueue::Done done) {
  if (scenario_.sabotage == Sabotage::kLosesAuditEntries && transition.state.revision > 1) transition.notes.clear();
  const Commit commit{std::move(transition), model};
  under_way_ = commit;
  if (scenario_.sabotage == Sabotage::kAnswersBeforeCommit)
    timeline_.after(microseconds(0), owner, [done] { done({}); });
  timeline_.after(write_time(), owner, [this, owner, commit, done = std::move(done)] {
    boundary_.pass("before a commit");
    under_way_.reset();
    const Result<void> result = write(commit);
    boundary_.pass("after a commit");
    if (scenario_.sabotage == Sabotage::kAnswersBeforeCommit) return;
    timeline_.after(microseconds(random_.below(2'000)), owner, [this, done, result] {
      boundary_.pass("before a commit's answer");
      if (!result && scenario_.sabotage == Sabotage::kNeverRetriesCommits) return;
      done(result);
      boundary_.pass("after a commit's answer");
    });
  });
}

void Disk::cut_off() {
  if (!under_way_) return;
  const Commit commit = *std::exchange(under_way_, {});
  if (random_.unit() >= scenario_.torn_commit_holds) return;
  trace_.line("the commit that was under way holds");
  static_cast<void>(write(commit));
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
  Result<void> result;
  Result<void> stored;
  if (full()) {
    stored = result = Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
  } else if (in_trouble(DiskTrouble::Kind::kLosesAnswers)) {
    LosesAnswers store(ledger_);
    const bool looks = scenario_.sabotage != Sabotage::kBelievesLostAnswers;
    result = looks ? services::commit_rollout(store, commit.transition, commit.model)
                   : store.commit(commit.transition, commit.model);
    stored = store.stored;
  } else {
    stored = result = services::commit_rollout(ledger_, commit.transition, commit.model);
  }
  trace_.line("commit {} revision {} ({}{}): {}", state.id, state.revision, rollout::to_string(state.phase),
              state.paused ? ", paused" : "", result ? "durable" : result.error().message);
  if (stored && on_commit_) on_commit_(commit.transition);
  return result;
}

}  // namespace backstay::sim
