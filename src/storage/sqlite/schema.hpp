#pragma once

#include "base/result.hpp"
#include "storage/sqlite/database.hpp"

namespace backstay::sqlite {

/// Brings a new or older database to this program's schema, one migration after the other, in one transaction. A
/// database from a newer program is kUnsupported, a database of another program kIntegrity; neither is touched.
Result<void> migrate(const Database& database);

}  // namespace backstay::sqlite
