#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "wire/manifest_json.hpp"

/// What versions were made from, where their traffic went, and what is blocked.
namespace backstay {

using lineage::Subject;
using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

constexpr std::size_t kMaxSubjects = 1000;
constexpr std::size_t kMinPrefix = 7;

traffic::Role role_from(const std::string& text) {
  for (const traffic::Role role : {traffic::Role::kCandidate, traffic::Role::kShadow, traffic::Role::kHoldback})
    if (text == traffic::to_string(role)) return role;
  return traffic::Role::kStable;
}

Result<registry::VersionRef> read_ref(const Statement& row, int model, int version) {
  TRY(registry::SemanticVersion number, registry::SemanticVersion::parse(row.text(version)));
  return registry::VersionRef{row.text(model), std::move(number)};
}

Result<std::vector<registry::VersionRef>> read_refs(Statement& select) {
  std::vector<registry::VersionRef> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(registry::VersionRef ref, read_ref(select, 0, 1));
    found.push_back(std::move(ref));
  }
}

bool is_hex(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Both names may hold a "/" themselves: every way to read "data set/slice".
std::vector<std::pair<std::string, std::string>> splits(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t at = text.find('/'); at != std::string::npos; at = text.find('/', at + 1))
    out.emplace_back(text.substr(0, at), text.substr(at + 1));
  return out;
}

/// Adds what the statement's first column names.
Result<void> add_subjects(Statement& select, Subject::Kind kind, std::vector<Subject>& out) {
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    if (out.size() >= kMaxSubjects)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("More than {} things are called that.", kMaxSubjects),
                        "Say more of its name.");
    out.push_back({kind, select.text(0)});
  }
}

/// Every digest or commit that starts with these digits lies between them and the same followed by "g".
Result<void> add_by_prefix(const Database& database, const std::string& text, std::vector<Subject>& out) {
  Statement commits = database.prepare(
      "SELECT DISTINCT commit_id FROM version_code WHERE commit_id >= ?1 AND commit_id < ?1 || 'g' ORDER BY 1");
  commits.bind(text);
  TRY_DO(add_subjects(commits, Subject::Kind::kCommit, out));
  if (text.size() > 64) return {};
  TRY(const Digest low, Digest::from_hex(text + std::string(64 - text.size(), '0')));
  TRY(const Digest high, Digest::from_hex(text + std::string(64 - text.size(), 'f')));
  Statement digests = database.prepare(
      "SELECT DISTINCT lower(hex(sha256)) FROM version_data WHERE sha256 >= ? AND sha256 <= ? ORDER BY 1");
  digests.bind(low, high);
  return add_subjects(digests, Subject::Kind::kSliceDigest, out);
}

}  // namespace

namespace sqlite {

Result<void> index_lineage(const Database& database, std::int64_t version_id, const std::string& manifest_json) {
  const auto manifest = wire::manifest_from_json("a stored manifest", manifest_json);
  if (!manifest) return {};  // Nothing to find it by; backstay fsck names it.
  return index_lineage(database, version_id, *manifest);
}

Result<void> index_lineage(const Database& database, std::int64_t version_id, const registry::Manifest& manifest) {
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      Statement insert = database.prepare("INSERT INTO version_data VALUES(?, ?, ?, ?)");
      TRY_DO(insert.bind(version_id, set.name, slice.name, slice.sha256).run());
    }
  }
  if (!manifest.code.commit.empty()) {
    Statement insert = database.prepare("INSERT INTO version_code VALUES(?, ?)");
    TRY_DO(insert.bind(version_id, manifest.code.commit).run());
  }
  for (const registry::VersionRef& parent : manifest.parents) {
    Statement insert = database.prepare("INSERT INTO version_parents VALUES(?, ?, ?)");
    TRY_DO(insert.bind(version_id, parent.model, parent.version.str()).run());
  }
  return {};
}

Result<void> record_traffic(const Database& database, const rollout::State& state, const std::string& model,
                            std::uint64_t audit_sequence) {
  using Row = std::tuple<std::string, std::string, std::int64_t>;
  const traffic::Split split = rollout::split_of(state);
  std::vector<Row> rows;
  for (const traffic::Share& share : split.arms)
    if (share.ppm > 0) rows.emplace_back(share.version, traffic::to_string(share.role), share.ppm);
  if (!split.shadow.empty())
    rows.emplace_back(split.shadow, traffic::to_string(traffic::Role::kShadow), split.shadow_ppm);
  // So that what went before has an end.
  if (rows.empty()) rows.emplace_back("", traffic::to_string(traffic::Role::kStable), 0);

  Statement last = database.prepare(
      "SELECT version, role, share_ppm FROM traffic WHERE endpoint = ?1 AND audit_sequence = (SELECT "
      "MAX(audit_sequence) FROM traffic WHERE endpoint = ?1) ORDER BY id");
  last.bind(state.endpoint);
  std::vector<Row> before;
  while (true) {
    TRY(const bool more, last.step());
    if (!more) break;
    before.emplace_back(last.text(0), last.text(1), last.integer(2));
  }
  if (rows == before || (before.empty() && std::get<0>(rows[0]).empty())) return {};
  for (const auto& [version, role, ppm] : rows) {
    Statement insert = database.prepare(
        "INSERT INTO traffic(endpoint, model, version, role, share_ppm, rollout, audit_sequence) "
        "VALUES(?, ?, ?, ?, ?, ?, ?)");
    TRY_DO(insert.bind(state.endpoint, model, version, role, ppm, state.id, audit_sequence).run());
  }
  return {};
}

}  // namespace sqlite

Result<std::uint32_t> SqliteLedger::serving_number(const std::string& endpoint, const registry::VersionRef& ref) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(const std::int64_t id, sqlite::find_version(database, ref));
  const auto known = [&]() -> Result<std::uint32_t> {
    Statement select = database.prepare("SELECT number FROM servings WHERE endpoint = ? AND version_id = ?");
    select.bind(endpoint, id);
    TRY(const bool found, select.step());
    return found ? static_cast<std::uint32_t>(select.integer(0)) : 0U;
  };
  TRY(const std::uint32_t before, known());
  if (before != 0) return before;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(std::uint32_t number, known());  // Another process may have been first.
  if (number != 0) return number;
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  Statement insert = database.prepare("INSERT INTO servings(endpoint, version_id, audit_sequence) VALUES(?, ?, ?)");
  TRY_DO(insert.bind(endpoint, id, sequence).run());
  number = static_cast<std::uint32_t>(database.last_insert_id());
  TRY_DO(
      sqlite::append_sealed(database, impl_->clock.now(),
                            {"backstay", "serving.number", ref.str(),
                             fmt::format("Predictions of endpoint {} carry the number {}.", endpoint, number), "{}"}));
  TRY_DO(transaction.commit());
  return number;
}

Result<Serving> SqliteLedger::serving(std::uint32_t number) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT s.endpoint, v.model, v.version FROM servings s JOIN versions v ON v.id = s.version_id WHERE number = ?");
  select.bind(static_cast<std::int64_t>(number));
  TRY(const bool found, select.step());
  if (!found)
    return Unexpected(ErrorCode::kNotFound, "No version of this registry answered that prediction.",
                      "Check the id, and that --data-dir is the registry of the server that gave it.");
  TRY(registry::VersionRef ref, read_ref(select, 1, 2));
  return Serving{select.text(0), std::move(ref)};
}

Result<std::vector<registry::VersionRef>> SqliteLedger::made_from(const Subject& subject) const {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  const auto select = [&](const char* from_where) {
    return database.prepare(
        fmt::format("SELECT DISTINCT v.model, v.version FROM versions v {} ORDER BY v.id", from_where));
  };
  switch (subject.kind) {
    case Subject::Kind::kSlice: {
      std::vector<registry::VersionRef> refs;
      for (const auto& [set, slice] : splits(subject.text)) {
        Statement found = select("JOIN version_data d ON d.version_id = v.id WHERE d.data_set = ? AND d.slice = ?");
        found.bind(set, slice);
        TRY(const std::vector<registry::VersionRef> more, read_refs(found));
        refs.insert(refs.end(), more.begin(), more.end());
      }
      return refs;
    }
    case Subject::Kind::kSliceDigest: {
      TRY(const Digest digest, Digest::from_hex(subject.text));
      Statement found = select("JOIN version_data d ON d.version_id = v.id WHERE d.sha256 = ?");
      found.bind(digest);
      return read_refs(found);
    }
    case Subject::Kind::kDataSet: {
      Statement found = select("JOIN version_data d ON d.version_id = v.id WHERE d.data_set = ?");
      found.bind(subject.text);
      return read_refs(found);
    }
    case Subject::Kind::kCommit: {
      Statement found = select("JOIN version_code c ON c.version_id = v.id WHERE c.commit_id = ?");
      found.bind(subject.text);
      return read_refs(found);
    }
    case Subject::Kind::kVersion: break;
  }
  TRY(registry::VersionRef ref, registry::VersionRef::parse(subject.text));
  TRY_DO(sqlite::find_version(database, ref));
  return std::vector{std::move(ref)};
}

Result<std::vector<Subject>> SqliteLedger::find_subjects(const std::string& text) const {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  std::vector<Subject> out;
  Statement slices =
      database.prepare("SELECT DISTINCT data_set || '/' || slice FROM version_data WHERE slice = ? ORDER BY 1");
  slices.bind(text);
  TRY_DO(add_subjects(slices, Subject::Kind::kSlice, out));
  for (const auto& [set, slice] : splits(text)) {
    Statement whole =
        database.prepare("SELECT DISTINCT data_set || '/' || slice FROM version_data WHERE data_set = ? AND slice = ?");
    whole.bind(set, slice);
    TRY_DO(add_subjects(whole, Subject::Kind::kSlice, out));
  }
  Statement sets = database.prepare("SELECT DISTINCT data_set FROM version_data WHERE data_set = ?");
  sets.bind(text);
  TRY_DO(add_subjects(sets, Subject::Kind::kDataSet, out));
  const std::string digits = text.starts_with("sha256:") ? text.substr(7) : text;
  if (digits.size() >= kMinPrefix && is_hex(digits)) TRY_DO(add_by_prefix(database, digits, out));
  return out;
}

Result<std::vector<registry::VersionRef>> SqliteLedger::children(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT DISTINCT v.model, v.version FROM version_parents p JOIN versions v ON v.id = p.version_id WHERE p.model "
      "= ? AND p.version = ? ORDER BY v.id");
  select.bind(ref.model, ref.version.str());
  return read_refs(select);
}

Result<std::vector<TrafficWindow>> SqliteLedger::traffic(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT t.endpoint, t.role, t.share_ppm, t.rollout, a.at, (SELECT e.at FROM traffic n JOIN audit e ON e.sequence "
      "= n.audit_sequence WHERE n.endpoint = t.endpoint AND n.audit_sequence > t.audit_sequence ORDER BY "
      "n.audit_sequence LIMIT 1) FROM traffic t JOIN audit a ON a.sequence = t.audit_sequence WHERE t.model = ? AND "
      "t.version = ? ORDER BY t.id");
  select.bind(ref.model, ref.version.str());
  std::vector<TrafficWindow> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TrafficWindow window{select.text(0),
                         ref,
                         role_from(select.text(1)),
                         static_cast<std::uint32_t>(select.integer(2)),
                         select.text(3),
                         select.timestamp(4),
                         std::nullopt};
    if (select.integer(5) != 0) window.until = select.timestamp(5);
    found.push_back(std::move(window));
  }
}

Result<void> SqliteLedger::quarantine(const Subject& subject, bool block, const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  const char* kind = lineage::to_string(subject.kind);
  TRY(Transaction transaction, Transaction::begin(database));
  Statement last =
      database.prepare("SELECT blocked FROM quarantines WHERE kind = ? AND subject = ? ORDER BY id DESC LIMIT 1");
  last.bind(kind, subject.text);
  TRY(const bool found, last.step());
  const bool blocked = found && last.integer(0) != 0;
  if (blocked == block)
    return Unexpected(
        ErrorCode::kConflict,
        fmt::format("The {} is {} quarantine.", lineage::describe(subject), blocked ? "already in" : "not in"),
        "See: backstay quarantine list");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  Statement insert =
      database.prepare("INSERT INTO quarantines(kind, subject, blocked, audit_sequence) VALUES(?, ?, ?, ?)");
  TRY_DO(insert.bind(kind, subject.text, block, sequence).run());
  TRY_DO(sqlite::append_sealed(database, impl_->clock.now(), draft));
  return transaction.commit();
}

Result<std::vector<Quarantine>> SqliteLedger::quarantines() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT q.kind, q.subject, a.reason, a.actor, a.at FROM quarantines q JOIN audit a ON a.sequence = "
      "q.audit_sequence WHERE q.blocked AND q.id = (SELECT MAX(id) FROM quarantines o WHERE o.kind = q.kind AND "
      "o.subject = q.subject) ORDER BY q.id");
  std::vector<Quarantine> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(const Subject::Kind kind, lineage::subject_kind(select.text(0)));
    found.push_back({{kind, select.text(1)}, select.text(2), select.text(3), select.timestamp(4)});
  }
}

}  // namespace backstay
