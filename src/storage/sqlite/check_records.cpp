#include "storage/sqlite/check_records.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/row_seal.hpp"
#include "storage/sqlite/schema.hpp"
#include "wire/manifest_json.hpp"
#include "wire/rollout_json.hpp"

/// The checks behind backstay fsck: whoever edits the file with another program is found, whichever row it was.
namespace backstay {

using sqlite::Database;
using sqlite::RowSeal;
using sqlite::RowSealer;
using sqlite::Statement;

namespace {

constexpr std::size_t kMaxProblems = 1000;

class Checker {
 public:
  explicit Checker(const Database& database) : database_(database) {}

  Result<std::vector<RecordProblem>> run() {
    TRY_DO(check_file());
    TRY_DO(check_schema());
    TRY_DO(check_audit());
    TRY_DO(check_versions());
    TRY_DO(check_against_audit("scorecards", "scorecard.add", "'' AS reason", "r.scorecard"));
    TRY_DO(check_against_audit("verdicts", "gate.verdict",
                               "'Gate ''' || r.gate || ''' says ' || r.verdict || '.' AS reason", "r.evidence"));
    TRY_DO(check_current("stages",
                         "SELECT v.model || '@' || v.version, s.stage, (SELECT h.stage FROM stage_history h "
                         "WHERE h.version_id = v.id ORDER BY h.id DESC LIMIT 1) FROM versions v LEFT JOIN "
                         "stages s ON s.version_id = v.id"));
    TRY_DO(check_current("aliases",
                         "SELECT h.model || '@' || h.name, COALESCE(a.version_id, ''), COALESCE(h.version_id, '') FROM "
                         "alias_history h LEFT JOIN aliases a ON a.model = h.model AND a.name = h.name WHERE h.id = "
                         "(SELECT MAX(o.id) FROM alias_history o WHERE o.model = h.model AND o.name = h.name)"));
    TRY_DO(check_current("aliases",
                         "SELECT a.model || '@' || a.name, 'there', '' FROM aliases a WHERE NOT EXISTS "
                         "(SELECT 1 FROM alias_history h WHERE h.model = a.model AND h.name = a.name)"));
    TRY_DO(check_current(
        "infrastructure",
        "SELECT COALESCE(i.name, h.name), COALESCE(i.kind || ' ' || i.version || ' ' || i.schema_sha256 || ' ' || "
        "i.removed, ''), h.kind || ' ' || h.version || ' ' || h.schema_sha256 || ' ' || h.removed FROM "
        "infrastructure_history h LEFT JOIN infrastructure i ON i.name = h.name WHERE h.id = (SELECT MAX(o.id) FROM "
        "infrastructure_history o WHERE o.name = h.name)"));
    TRY_DO(check_rollouts());
    TRY_DO(check_endpoints());
    TRY_DO(check_answers());
    TRY_DO(sqlite::check_search_index(database_, [this](RecordProblem problem) {
      report(std::move(problem.table), std::move(problem.row), std::move(problem.what));
    }));
    return std::move(problems_);
  }

 private:
  void report(std::string table, std::string row, std::string what) {
    if (problems_.size() < kMaxProblems) problems_.push_back({std::move(table), std::move(row), std::move(what)});
  }

  Result<void> check_file() {
    Statement pages = database_.prepare("PRAGMA integrity_check(100)");
    while (true) {
      TRY(const bool more, pages.step());
      if (!more) break;
      if (pages.text(0) != "ok")
        report("registry.db", "", fmt::format("SQLite finds the file damaged: {}.", pages.text(0)));
    }
    Statement keys = database_.prepare("PRAGMA foreign_key_check");
    while (true) {
      TRY(const bool more, keys.step());
      if (!more) return {};
      report(keys.text(0), fmt::format("row {}", keys.integer(1)),
             fmt::format("What it refers to in {} is missing.", keys.text(2)));
    }
  }

  Result<void> check_schema() {
    TRY(const Database fresh, Database::open(":memory:"));
    TRY_DO(sqlite::migrate(fresh));
    TRY(const auto wanted, sqlite::schema_objects(fresh));
    TRY(const auto found, sqlite::schema_objects(database_));
    for (const auto& [name, definition] : wanted) {
      const auto here = found.find(name);
      if (here == found.end()) {
        report("schema", name, "It is missing; without its triggers a table can be changed.");
      } else if (here->second != definition) {
        report("schema", name, "Its definition was changed.");
      }
    }
    for (const auto& [name, definition] : found)
      if (!name.starts_with("table sqlite_") && !name.starts_with("index sqlite_") && wanted.count(name) == 0)
        report("schema", name, "Backstay did not make it.");
    return {};
  }

  /// The chain, the tree, and the rows that came with each entry.
  Result<void> check_audit() {
    Statement select = database_.prepare("SELECT * FROM audit ORDER BY sequence");
    std::optional<audit::Entry> before;
    audit::CompactRange tree;
    RowSealer sealer(database_);
    while (true) {
      TRY(const bool more, select.step());
      if (!more) return {};
      std::vector<audit::Entry> one{sqlite::read_audit_row(select)};
      if (auto right = audit::verify(one, before ? &*before : nullptr); !right)
        report("audit", fmt::format("entry {}", one[0].sequence), right.error().message);
      TRY(const std::vector<Digest> completed, tree.append(audit::leaf_hash(audit::leaf_bytes(one[0]))));
      TRY_DO(check_tree(one[0].sequence, completed));
      TRY(const RowSeal found, sealer.of(one[0].sequence));
      TRY_DO(check_seal(one[0], found));
      before = std::move(one[0]);
    }
  }

  Result<void> check_tree(std::uint64_t sequence, const std::vector<Digest>& completed) {
    std::string wanted;
    for (const Digest& node : completed) wanted.append(node.bytes.begin(), node.bytes.end());
    Statement select = database_.prepare("SELECT nodes FROM audit_tree WHERE sequence = ?");
    TRY(const bool there, select.bind(sequence).step());
    if (!there || select.blob(0) != wanted)
      report("audit_tree", fmt::format("entry {}", sequence), "Its hashes do not follow from the entries.");
    return {};
  }

  Result<void> check_seal(const audit::Entry& entry, const RowSeal& found) {
    RowSeal sealed;
    Statement members = database_.prepare(
        "SELECT key, value FROM json_each(CASE WHEN json_valid(?1) THEN ?1 ELSE '{}' END, '$.rows_sha256')");
    members.bind(entry.draft.evidence);
    while (true) {
      TRY(const bool more, members.step());
      if (!more) break;
      const auto digest = Digest::from_hex(members.text(1));
      sealed[members.text(0)] = digest ? *digest : Digest{};
    }
    const std::string row = fmt::format("{} (entry {})", entry.draft.subject, entry.sequence);
    for (const auto& [table, digest] : sealed) {
      const auto rows = found.find(table);
      if (rows == found.end()) {
        report(table, row, "What came with the audit entry is missing.");
      } else if (rows->second != digest) {
        report(table, row, "It is not what the audit entry sealed.");
      }
    }
    // The first release sealed nothing, and its stages name their entries.
    const bool before_seals = sealed.empty() && found.size() == 1 && found.begin()->first == "stage_history";
    for (const auto& [table, digest] : found)
      if (sealed.count(table) == 0 && !before_seals) report(table, row, "No audit entry tells of it.");
    return {};
  }

  Result<void> check_versions() {
    std::map<std::string, std::string> audited;  // Subject -> evidence.
    Statement entries = database_.prepare("SELECT subject, evidence FROM audit WHERE action = 'version.register'");
    while (true) {
      TRY(const bool more, entries.step());
      if (!more) break;
      audited[entries.text(0)] = entries.text(1);
    }
    Statement select = database_.prepare("SELECT id, model || '@' || version, identity, manifest FROM versions");
    while (true) {
      TRY(const bool more, select.step());
      if (!more) break;
      const std::string name = select.text(1);
      const Digest identity = select.digest(2);
      const std::string manifest = select.text(3);
      if (sha256(manifest) != identity)
        report("versions", name, "Its manifest is not what was registered: its SHA-256 is another one.");
      const auto entry = audited.find(name);
      if (entry == audited.end()) {
        report("versions", name, "No audit entry tells that it was registered.");
      } else if (entry->second.find(identity.hex()) == std::string::npos) {
        report("versions", name, "The audit log names another manifest.");
      }
      if (entry != audited.end()) audited.erase(entry);
      TRY_DO(check_manifest(select.integer(0), name, manifest));
    }
    for (const auto& [name, evidence] : audited)
      report("versions", name, "It was registered, as the audit log tells, and is missing.");
    return {};
  }

  Result<void> check_answers() {
    Statement select = database_.prepare(
        "SELECT key, request, status, content_type, body, sha256 FROM answers WHERE sha256 IS NOT NULL");
    while (true) {
      TRY(const bool more, select.step());
      if (!more) return {};
      const StoredAnswer answer{select.digest(1), static_cast<int>(select.integer(2)), select.text(3), select.text(4)};
      if (select.digest(5) != sqlite::answer_seal(select.text(0), answer))
        report("answers", select.text(0), "It is not what a request with this idempotency key was answered.");
    }
  }

  /// What versions are found by follows from their manifests.
  Result<void> check_manifest(std::int64_t id, const std::string& name, const std::string& json) {
    const auto manifest = wire::manifest_from_json("the manifest", json);
    if (!manifest) {
      report("versions", name, "Its manifest can't be read: " + manifest.error().message);
      return {};
    }
    if (manifest->ref.str() != name)
      report("versions", name, fmt::format("Its manifest is that of {}.", manifest->ref.str()));
    std::map<std::string, int> rows;
    for (const registry::DataSet& set : manifest->data)
      for (const registry::DataSlice& slice : set.slices)
        ++rows[fmt::format("slice {}/{} {}", set.name, slice.name, slice.sha256.hex())];
    for (const registry::VersionRef& parent : manifest->parents) ++rows["parent " + parent.str()];
    if (!manifest->code.commit.empty()) ++rows["commit " + manifest->code.commit];
    Statement select = database_.prepare(
        "SELECT 'slice ' || data_set || '/' || slice || ' ' || lower(hex(sha256)) FROM version_data WHERE version_id = "
        "?1 UNION ALL SELECT 'parent ' || model || '@' || version FROM version_parents WHERE version_id = ?1 UNION ALL "
        "SELECT 'commit ' || commit_id FROM version_code WHERE version_id = ?1");
    select.bind(id);
    while (true) {
      TRY(const bool more, select.step());
      if (!more) break;
      --rows[select.text(0)];
    }
    for (const auto& [row, difference] : rows)
      if (difference != 0)
        report("lineage", name,
               fmt::format("It {} the {}, which its manifest {}.", difference > 0 ? "is not found by" : "is found by",
                           row, difference > 0 ? "names" : "does not name"));
    return {};
  }

  /// Rows from before there were seals: each came with one audit entry of `action`, which says the same.
  Result<void> check_against_audit(const char* table, const char* action, const char* reason, const char* content) {
    using Key = std::tuple<std::string, std::string, std::string>;  // Version, reason, content.
    const std::string reason_used(reason);
    const bool with_reason = reason_used.find("''") != 0;
    std::map<Key, int> open;
    Statement entries = database_.prepare(
        "SELECT subject, reason, evidence FROM audit WHERE action = ? AND (NOT json_valid(evidence) OR "
        "json_extract(evidence, '$.rows_sha256') IS NULL)");
    entries.bind(action);
    while (true) {
      TRY(const bool more, entries.step());
      if (!more) break;
      ++open[{entries.text(0), with_reason ? entries.text(1) : "", entries.text(2)}];
    }
    Statement rows =
        database_.prepare(fmt::format("SELECT v.model || '@' || v.version, {}, {} FROM {} r JOIN versions v ON v.id = "
                                      "r.version_id WHERE r.audit_sequence IS NULL",
                                      reason, content, table));
    while (true) {
      TRY(const bool more, rows.step());
      if (!more) break;
      --open[{rows.text(0), rows.text(1), rows.text(2)}];
    }
    for (const auto& [key, difference] : open) {
      if (difference > 0)
        report(
            table, std::get<0>(key),
            fmt::format("What the audit log tells of it is missing or was changed: {}.", shortened(std::get<2>(key))));
      if (difference < 0)
        report(table, std::get<0>(key), fmt::format("No audit entry tells of it: {}.", shortened(std::get<2>(key))));
    }
    return {};
  }

  static std::string shortened(const std::string& text) {
    return text.size() <= 120 ? text : text.substr(0, 120) + "...";
  }

  /// Rows of (name, what is current, what the history says last).
  Result<void> check_current(const char* table, const char* sql) {
    Statement select = database_.prepare(sql);
    while (true) {
      TRY(const bool more, select.step());
      if (!more) return {};
      if (select.text(1) != select.text(2))
        report(table, select.text(0),
               fmt::format("It says '{}', its history says '{}'.", select.text(1), select.text(2)));
    }
  }

  Result<void> check_rollouts() {
    Statement select = database_.prepare(
        "SELECT r.id, r.endpoint, r.revision, r.final, r.state, (SELECT COUNT(*) FROM audit a WHERE a.subject = "
        "'endpoint ' || r.endpoint) FROM rollouts r");
    while (true) {
      TRY(const bool more, select.step());
      if (!more) return {};
      const std::string id = select.text(0);
      const auto state = wire::rollout_from_json(select.text(4));
      if (!state) {
        report("rollouts", id, "Its state can't be read: " + state.error().message);
        continue;
      }
      const bool same = state->id == id && state->endpoint == select.text(1) &&
                        state->revision == static_cast<std::uint64_t>(select.integer(2)) &&
                        rollout::is_final(state->phase) == (select.integer(3) != 0);
      if (!same) report("rollouts", id, "Its columns and its state say different things.");
      if (select.integer(5) == 0) report("rollouts", id, "No audit entry tells of it.");
    }
  }

  /// An endpoint serves what its newest finished rollout left.
  Result<void> check_endpoints() {
    Statement select = database_.prepare(
        "SELECT e.name, e.model, e.stable, e.standby, COALESCE((SELECT r.state FROM rollouts r WHERE r.endpoint = "
        "e.name "
        "AND json_extract(r.state, '$.phase') = 'done' ORDER BY r.number DESC LIMIT 1), '') FROM endpoints e");
    while (true) {
      TRY(const bool more, select.step());
      if (!more) return {};
      const auto state = wire::rollout_from_json(select.text(4));
      const EndpointRecord found{select.text(0), select.text(1), select.text(2), select.text(3)};
      if (!state) {
        report("endpoints", found.endpoint, "No finished rollout tells what it serves.");
        continue;
      }
      const EndpointRecord wanted = endpoint_after(*state, found.model);
      if (found.stable != wanted.stable || found.standby != wanted.standby)
        report("endpoints", found.endpoint,
               fmt::format("It serves '{}' with standby '{}'; its newest finished rollout left '{}' and '{}'.",
                           found.stable, found.standby, wanted.stable, wanted.standby));
    }
  }

  const Database& database_;
  std::vector<RecordProblem> problems_;
};

}  // namespace

namespace sqlite {

Result<std::map<std::string, std::string>> schema_objects(const Database& database) {
  Statement select = database.prepare("SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_schema");
  std::map<std::string, std::string> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out[select.text(0)] = select.text(1);
  }
}

Result<std::vector<RecordProblem>> check_records(const Database& database) {
  return Checker(database).run();
}

}  // namespace sqlite

Result<std::vector<RecordProblem>> SqliteLedger::check_records() const {
  // A copy is checked: a check takes long, and whoever reads keeps a server from storing its decisions.
  TRY(const Database copy, [&]() -> Result<Database> {
    const std::lock_guard lock(impl_->mutex);
    return impl_->database.copy();
  }());
  return sqlite::check_records(copy);
}

}  // namespace backstay
