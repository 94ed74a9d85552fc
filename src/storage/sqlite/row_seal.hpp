#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/sqlite/database.hpp"

/// Every row of an append-only table names the audit entry that it came with, and the entry's evidence holds, for each
/// such table, a SHA-256 over the rows that came with it: the log's hashes vouch for the rows, too. Rows of registries
/// from before there were seals name no entry, or one without a seal.
namespace backstay::sqlite {

struct SealedTable {
  const char* name;
  const char* columns;  ///< What is hashed, in this order, for ever: a column that is added later is not among them.
};
inline constexpr SealedTable kSealedTables[] = {
    {"versions", "id, model, version, ordinal, identity, manifest, complete, registered_at, registered_by"},
    {"stage_history", "id, version_id, stage"},
    {"scorecards", "id, version_id, scorecard, at"},
    {"verdicts", "id, version_id, gate, gate_digest, verdict, evidence, at, decided_by"},
    {"alias_history", "id, model, name, version_id"},
    {"infrastructure_history", "id, name, kind, version, schema_sha256, removed"},
    {"servings", "number, endpoint, version_id"},
    {"traffic", "id, endpoint, model, version, role, share_ppm, rollout"},
    {"quarantines", "id, kind, subject, blocked"},
    {"signatures", "id, version_id, bundle, signer, at, signed_by"},
    {"scans", "id, version_id, scanner, verdict, findings, at, scanned_by"},
    {"scan_exceptions", "id, version_id, identity, findings, reason, signed_by, at, expires"},
    {"gate_exceptions", "id, version_id, gate_sha256, envelope, reason, signed_by, at, expires"},
    {"signed_scan_exceptions", "id, version_id, findings, envelope, reason, signed_by, at, expires"},
};

/// Table -> SHA-256 over its rows: the table's name, and each value's type, length and bytes.
using RowSeal = std::map<std::string, Digest>;

/// Computes seals, with statements that are prepared once. Must not outlive the database.
class RowSealer {
 public:
  explicit RowSealer(const Database& database);
  /// Of the rows that came with one entry; empty: none did.
  Result<RowSeal> of(std::uint64_t audit_sequence);

 private:
  std::vector<Statement> rows_;  ///< In the order of kSealedTables.
};

/// `evidence` with the seal as its member "rows_sha256". What is no JSON object becomes the member "evidence".
std::string with_seal(const std::string& evidence, const RowSeal& seal);

}  // namespace backstay::sqlite
