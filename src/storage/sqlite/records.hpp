#pragma once

#include "domain/audit/entry.hpp"
#include "domain/registry/manifest.hpp"
#include "domain/registry/semantic_version.hpp"
#include "ports/idempotency.hpp"
#include "ports/ledger.hpp"
#include "storage/sqlite/database.hpp"

/// Rows and the values they stand for. Every function runs in the caller's transaction.
namespace backstay::sqlite {

Result<audit::Entry> append_audit(const Database& database, Timestamp now, const audit::Draft& draft);
/// The sequence number of the entry that is appended next: rows that come with it name it.
Result<std::uint64_t> next_audit_sequence(const Database& database);
/// Appends the entry that the transaction's rows named, and seals them in its evidence (row_seal.hpp).
Result<audit::Entry> append_sealed(const Database& database, Timestamp now, audit::Draft draft);
audit::Entry read_audit_row(const Statement& row);

/// The row id of a version; kNotFound names it and what there is instead.
Result<std::int64_t> find_version(const Database& database, const registry::VersionRef& ref);
inline constexpr const char* kVersionColumns =
    "v.model, v.version, v.ordinal, v.identity, v.manifest, s.stage, v.complete, v.registered_at, v.registered_by "
    "FROM versions v JOIN stages s ON s.version_id = v.id";
Result<StoredVersion> read_version_row(const Statement& row);

/// What an idempotency key's row carries beside its answer, so that a changed one is found and not given again.
Digest answer_seal(const std::string& key, const StoredAnswer& answer);

/// The new row's id.
Result<std::int64_t> insert_scan(const Database& database, std::int64_t version_id, Timestamp now,
                                 const StoredScan& scan, std::uint64_t audit_sequence);

Result<void> move_stage(const Database& database, const registry::VersionRef& ref, const std::string& stage,
                        std::uint64_t audit_sequence);

/// Notes what a version was made from, so that it is found by it.
Result<void> index_lineage(const Database& database, std::int64_t version_id, const std::string& manifest_json);
Result<void> index_lineage(const Database& database, std::int64_t version_id, const registry::Manifest& manifest);
/// Notes where an endpoint's traffic goes from this audit entry on, unless it went there before.
Result<void> record_traffic(const Database& database, const rollout::State& state, const std::string& model,
                            std::uint64_t audit_sequence);

}  // namespace backstay::sqlite
