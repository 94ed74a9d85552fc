#include "services/check_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace backstay::services {

namespace {

/// The first few users of a blob; the rest as a number.
struct Users {
  std::vector<std::string> names;
  std::uint64_t more = 0;
  bool required = false;

  void add(const BlobReference& reference) {
    constexpr std::size_t kNamed = 3;
    if (names.size() < kNamed) {
      names.push_back(reference.used_by);
    } else {
      ++more;
    }
    required = required || reference.required;
  }
  std::string str() const {
    return fmt::format("{}{}", fmt::join(names, "; "), more > 0 ? fmt::format(" and {} more", more) : "");
  }
};

bool has(const BlobStore* store, const Digest& sha256) {
  return store != nullptr && store->size(sha256).has_value();
}

class Check {
 public:
  Check(Registry registry, RecordCheck& records, BlobUpkeep& upkeep, const CheckStoreOptions& options)
      : registry_(registry), records_(records), upkeep_(upkeep), options_(options) {}

  Result<StoreCheck> run(const OnProgress& progress) {
    TRY_DO(check_records());
    TRY_DO(registry_.versions.referenced_blobs([&](const BlobReference& r) { users_[r.sha256].add(r); }));
    out_.referenced_blobs = users_.size();
    std::vector<BlobProblem> found;
    const OnUpkeep on_progress = [&](const UpkeepProgress& state) {
      out_.checked_bytes = state.done_bytes;
      if (progress) progress({state.name, state.done_bytes, state.total_bytes});
    };
    TRY_DO(upkeep_.check(options_.other, on_progress, [&](const BlobProblem& problem) { found.push_back(problem); }));
    for (const BlobProblem& problem : found) TRY_DO(judge(problem));
    for (const auto& [sha256, users] : users_) TRY_DO(look_for(sha256, users));
    TRY(const StoreUsage usage, upkeep_.usage());
    out_.unreferenced_blobs = usage.blobs - std::min(usage.blobs, present_);
    return std::move(out_);
  }

 private:
  /// Before the blobs: which of them are needed is told by records that are right. A copy repairs all of them or none.
  Result<void> check_records() {
    TRY(std::vector<RecordProblem> found, records_.check_records());
    if (!options_.other_records.empty()) {
      TRY(const std::uint64_t lost, records_.missing_beside(options_.other_records));
      if (lost > 0)
        found.push_back({"audit", "", fmt::format("{} has {} more of its entries.", options_.other_records, lost)});
    }
    if (found.empty()) return {};
    bool repaired = false;
    std::string why;
    if (options_.repair && !options_.other_records.empty()) {
      const auto done = records_.repair_records(options_.other_records, options_.actor.name);
      repaired = done.has_value();
      if (!done) why = " Not repaired: " + done.error().message;
    }
    for (const RecordProblem& problem : found)
      out_.problems.push_back(
          {"record", fmt::format("{} {}", problem.table, problem.row), problem.what + why, repaired, repaired});
    return {};
  }

  Result<void> judge(const BlobProblem& problem) {
    StoreProblem& out = out_.problems.emplace_back();
    out.kind = to_string(problem.kind);
    out.what = problem.path;
    out.where = problem.where;
    if (problem.blob) {
      const auto users = users_.find(*problem.blob);
      out.what =
          fmt::format("{} (blob {})", users == users_.end() ? "no version" : users->second.str(), problem.blob->hex());
      out.where = fmt::format("{}: {}", problem.path, problem.where);
    }
    out.repairable = problem.kind == BlobProblem::Kind::kMode || (problem.blob && has(options_.other, *problem.blob));
    if (!options_.repair) return {};
    TRY(out.repaired, upkeep_.repair(problem, options_.other));
    out.repairable = out.repairable || out.repaired;
    return {};
  }

  Result<void> look_for(const Digest& sha256, const Users& users) {
    const auto there = registry_.blobs.size(sha256);
    if (there || there.error().code == ErrorCode::kIntegrity) {  // A damaged one was told of above.
      ++present_;
      return {};
    }
    if (there.error().code != ErrorCode::kNotFound) return Unexpected(there.error());
    if (!users.required) return {};
    StoreProblem& out = out_.problems.emplace_back();
    out.kind = "missing";
    out.what = fmt::format("{} (blob {})", users.str(), sha256.hex());
    out.where = "It is not in the store.";
    out.repairable = has(options_.other, sha256);
    if (!options_.repair || !out.repairable) return {};
    TRY(const std::uint64_t bytes, options_.other->size(sha256));
    TRY(const std::unique_ptr<BlobWriter> writer, registry_.blobs.begin(bytes));
    auto read = options_.other->read(sha256, [&](std::span<const std::byte> piece) { return writer->write(piece); });
    if (!read && read.error().code == ErrorCode::kIntegrity) {
      out.repairable = false;
      return {};
    }
    if (!read) return Unexpected(std::move(read).error());
    TRY_DO(writer->commit());
    out.repaired = true;
    ++present_;
    return {};
  }

  Registry registry_;
  RecordCheck& records_;
  BlobUpkeep& upkeep_;
  const CheckStoreOptions& options_;
  std::map<Digest, Users> users_;
  std::uint64_t present_ = 0;
  StoreCheck out_;
};

}  // namespace

Result<StoreCheck> check_store(Registry registry, RecordCheck& records, BlobUpkeep& upkeep,
                               const CheckStoreOptions& options, const OnProgress& progress) {
  return Check(registry, records, upkeep, options).run(progress);
}

}  // namespace backstay::services
