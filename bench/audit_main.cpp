#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "storage/sqlite/sqlite_ledger.hpp"

/// bench-audit FOLDER KIND BATCH CALLS: durable writes of the audit log, one call after the other. KIND is "batch"
/// (append_batch of BATCH entries), "loaded" (the same while another thread registers versions and reads the log),
/// "append" (one entry a call) or "version" (add_version, which has an entry of its own). Prints the time of each call
/// in nanoseconds, one a line. Every call is on disk when it returns.

namespace {

using namespace backstay;

audit::Draft draft(std::uint64_t number) {
  return {"backstay", "prediction.batch", fmt::format("endpoint diagnosis-{}", number % 16),
          "1.1.0 answered; the label came later",
          fmt::format("{{\"digest\":\"{:064x}\",\"requests\":{}}}", number * 0x9e3779b97f4a7c15, number)};
}

/// One call, without what its caller does to make its arguments.
Result<nanoseconds> call(SqliteLedger& ledger, const std::string& kind, std::uint64_t number, std::size_t batch) {
  std::vector<audit::Draft> drafts;
  for (std::size_t i = 0; i < batch; ++i) drafts.push_back(draft(number * batch + i));
  const std::string name = fmt::format("m@1.{}.0", number);
  TRY(registry::VersionRef ref, registry::VersionRef::parse(name));
  const VersionStore::NewVersion version{ref, fmt::format("{{\"n\":{}}}", number), true, "alice"};

  const Monotonic before = system_clock().monotonic();
  if (kind == "batch" || kind == "loaded") {
    TRY_DO(ledger.append_batch(drafts));
  } else if (kind == "append") {
    TRY_DO(ledger.append(drafts[0]));
  } else {
    TRY_DO(ledger.add_version(version, {"alice", "version.register", name, "why", "{}"}));
  }
  return std::chrono::duration_cast<nanoseconds>(system_clock().monotonic() - before);
}

/// What a busy server does beside: a version is registered, somebody reads the newest entries; again and again.
void be_busy(SqliteLedger& ledger, const std::atomic<bool>& done) {
  for (std::uint64_t i = ledger.versions("m").value().size(); !done; ++i) {
    const auto size = ledger.size();
    if (!call(ledger, "version", i, 1) || !size || !ledger.read(*size > 100 ? *size - 100 : 1, 100)) std::abort();
  }
}

std::uint64_t number_from(const char* text) {
  std::uint64_t number = 0;
  std::from_chars(text, text + std::char_traits<char>::length(text), number);
  return number;
}

Result<void> run(const std::filesystem::path& folder, const std::string& kind, std::size_t batch, std::uint64_t calls) {
  TRY(const auto ledger, SqliteLedger::open(folder / "registry.db"));
  TRY(const std::uint64_t there, ledger->size());
  std::atomic<bool> done{false};
  std::thread other;
  if (kind == "loaded") other = std::thread([&] { be_busy(*ledger, done); });
  for (std::uint64_t i = 0; i < calls; ++i) {
    const auto took = call(*ledger, kind, there + i, batch);
    if (!took) {
      fmt::print(stderr, "error: {}\n", took.error().message);
      std::exit(1);
    }
    fmt::print("{}\n", took->count());
  }
  done = true;
  if (other.joinable()) other.join();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: bench-audit FOLDER batch|loaded|append|version BATCH CALLS\n");
    return 2;
  }
  if (const auto done = run(argv[1], argv[2], number_from(argv[3]), number_from(argv[4])); !done) {
    fmt::print(stderr, "error: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
