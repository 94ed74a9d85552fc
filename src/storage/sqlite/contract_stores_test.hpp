#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "base/temporary_folder.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

/// The adapters that every contract suite of the ledger's ports runs against.
namespace backstay {

struct InMemory {
  MemoryLedger ledger;
};
struct OnDisk {
  const TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  std::unique_ptr<SqliteLedger> opened = SqliteLedger::open(folder / "registry.db").value();
  SqliteLedger& ledger = *opened;
};

using ContractStores = ::testing::Types<InMemory, OnDisk>;

}  // namespace backstay
