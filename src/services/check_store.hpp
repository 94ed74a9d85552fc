#pragma once

#include <string>
#include <vector>

#include "ports/blob_upkeep.hpp"
#include "ports/record_check.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Something that is not as it was recorded.
struct StoreProblem {
  /// "changed", "truncated", "missing_pack", "mode", "foreign"; "missing": a blob that is not there; "record": a row
  /// that the audit log tells otherwise of.
  std::string kind;
  std::string what;   ///< What is harmed: "m@1.0.0: artifact model.onnx", or the file when no version is.
  std::string where;  ///< Which bytes of which file.
  bool repairable = false;
  bool repaired = false;
};

struct StoreCheck {
  std::vector<StoreProblem> problems;
  std::uint64_t referenced_blobs = 0;    ///< That the ledger refers to.
  std::uint64_t unreferenced_blobs = 0;  ///< For the garbage collection; no problem.
  std::uint64_t checked_bytes = 0;
};

struct CheckStoreOptions {
  bool repair = false;               ///< Put right what can be.
  const BlobStore* other = nullptr;  ///< Where bytes may be taken from, and are compared with.
  std::string other_records;         ///< Where records may be taken from (RecordCheck::repair_records); may be empty.
  Actor actor;                       ///< For the audit entry of a repair of records.
};

/// Holds every record against the audit log, hashes all blobs, and sees that every blob that the ledger refers to is
/// there. Fails only when it can't look.
Result<StoreCheck> check_store(Registry registry, RecordCheck& records, BlobUpkeep& upkeep,
                               const CheckStoreOptions& options, const OnProgress& progress = {});

}  // namespace backstay::services
