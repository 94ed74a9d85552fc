#pragma once

#include <mutex>

#include "base/fair_mutex.hpp"
#include "base/time.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

namespace backstay {

/// What the parts of the ledger share: one connection does every read and write, one call at a time. Each port's
/// methods are in a file of their own.
struct SqliteLedger::Impl {
  sqlite::Database database;
  const Clock& clock;
  FairMutex mutex;  ///< A call may take milliseconds; nobody is to wait for more than those before him.
  SearchTuning search_tuning{};
};

}  // namespace backstay
