#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ports/record_check.hpp"
#include "storage/sqlite/database.hpp"

namespace backstay::sqlite {

/// See RecordCheck::check_records. Runs in the caller's transaction.
Result<std::vector<RecordProblem>> check_records(const Database& database);

using ReportProblem = std::function<void(RecordProblem)>;
/// The part of it that is about what searches look at (search_index.hpp): it follows from the records.
Result<void> check_search_index(const Database& database, const ReportProblem& report);

/// What a database that this program made has: "table versions" -> its definition.
Result<std::map<std::string, std::string>> schema_objects(const Database& database);

}  // namespace backstay::sqlite
