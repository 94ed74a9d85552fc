#include "storage/memory/memory_ledger.hpp"

namespace backstay {

void MemoryLedger::insert_scan(Held& held, StoredScan scan) {
  scan.id = next_id_++;
  scan.at = clock_.now();
  held.scans.insert(held.scans.begin(), std::move(scan));
}

Result<StoredScan> MemoryLedger::add_scan(const registry::VersionRef& ref, const StoredScan& scan,
                                          const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  insert_scan(*held, scan);
  append_locked(draft);
  return held->scans.front();
}

Result<std::vector<StoredScan>> MemoryLedger::scans(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->scans;
}

Result<ScanException> MemoryLedger::add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                                       const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  ScanException stored = exception;
  stored.id = next_id_++;
  stored.at = clock_.now();
  held->scan_exceptions.insert(held->scan_exceptions.begin(), stored);
  append_locked(draft);
  return stored;
}

Result<std::vector<ScanException>> MemoryLedger::scan_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->scan_exceptions;
}

Result<GateException> MemoryLedger::add_gate_exception(const registry::VersionRef& ref, const GateException& exception,
                                                       const audit::Draft& draft) {
  const std::lock_guard lock(mutex_);
  TRY(Held * held, find(ref));
  GateException stored = exception;
  stored.id = next_id_++;
  stored.at = clock_.now();
  held->gate_exceptions.insert(held->gate_exceptions.begin(), stored);
  append_locked(draft);
  return stored;
}

Result<std::vector<GateException>> MemoryLedger::gate_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(mutex_);
  TRY(const Held* held, find(ref));
  return held->gate_exceptions;
}

}  // namespace backstay
