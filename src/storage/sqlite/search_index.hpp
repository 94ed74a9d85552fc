#pragma once

#include "domain/registry/scorecard.hpp"
#include "ports/ledger.hpp"
#include "storage/sqlite/database.hpp"

/// What searching looks at, kept beside what was recorded and written in the same transactions: one narrow row per
/// version (search_versions), the facts of its manifest (attributes), its newest metrics (metrics) and verdicts
/// (newest_verdicts), the words of its changelog (changelogs, FTS5). Triggers follow stages and verdicts.
namespace backstay::sqlite {

/// A migration: makes the tables and fills them from what is there.
Result<void> create_search_index(const Database& database);

/// For a version that was inserted just now, before its first stage is.
Result<void> index_version(const Database& database, std::int64_t id, const StoredVersion& version);
/// Newer measurements take the place of older ones.
Result<void> index_scorecard(const Database& database, std::int64_t version, const registry::Scorecard& scorecard);

}  // namespace backstay::sqlite
