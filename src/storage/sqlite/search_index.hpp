#pragma once

#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"
#include "ports/ledger.hpp"
#include "storage/sqlite/database.hpp"

/// What searching looks at, kept beside what was recorded and written in the same transactions: one narrow row per
/// version (search_versions), the facts of its manifest (attributes), its newest metrics (metrics) and verdicts
/// (newest_verdicts), the words of its changelog (changelogs, FTS5). Triggers follow stages and verdicts.
namespace backstay::sqlite {

/// A migration: makes the tables and fills them from what is there.
Result<void> create_search_index(const Database& database);

/// The tables alone, in `index`, with what follows from the records of another database, damaged ones, too.
Result<void> fill_search_index(const Database& records, const Database& index);
/// As if it were made now, whatever became of it. Within a transaction, with foreign keys off.
Result<void> rebuild_search_index(const Database& database);

/// For a version that was inserted just now, before its first stage is.
/// `manifest` is null when what is stored is none; of that, there is nothing more to find.
Result<void> index_version(const Database& database, std::int64_t id, const StoredVersion& version,
                           const registry::Manifest* manifest);
/// Newer measurements take the place of older ones.
Result<void> index_scorecard(const Database& database, std::int64_t version, const registry::Scorecard& scorecard);

}  // namespace backstay::sqlite
