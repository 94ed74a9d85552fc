#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "storage/memory/memory_ledger.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

/// The adapters that every contract suite of the ledger's ports runs against.
namespace backstay {

struct InMemory {
  MemoryLedger ledger;
};
struct OnDisk {
  std::filesystem::path folder = [] {
    std::string name = std::filesystem::temp_directory_path() / "backstay-XXXXXX";
    return std::filesystem::path(mkdtemp(name.data()));
  }();
  std::unique_ptr<SqliteLedger> opened = SqliteLedger::open(folder / "registry.db").value();
  SqliteLedger& ledger = *opened;
  ~OnDisk() { std::filesystem::remove_all(folder); }
};

using ContractStores = ::testing::Types<InMemory, OnDisk>;

}  // namespace backstay
