#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "signing/key.hpp"
#include "storage/live_windows/local_live_windows.hpp"
#include "storage/local_blobs/local_blob_store.hpp"
#include "storage/recordings/local_recordings.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

namespace backstay::app {

/// Where everything durable is:
///
///     registry.db        versions, rollouts, audit log
///     predictions.db     which version answered what, until labels come; the server's alone
///     blobs/             content-addressed files
///     store.yaml         limits of the store (store_config.hpp); written by people
///     uploads/           blobs that clients are sending in parts (0700)
///     control/           address and token of the running server (0700)
///     keys/              the private key that signs the audit log's checkpoints (0700)
///     serving/           versions that are checked out for workers
///     environments/      locked virtual environments of the Python worker
///     logs/              what backends printed
///     evaluations/       answers of evaluations that are under way or were interrupted (0700), and their backends'
///                        logs
///     recordings/        what rollouts' guardrails were shown (0700)
///     live/              profiles of sampled requests, by endpoint (0700)
class DataDirectory {
 public:
  /// Makes what is not there.
  static Result<DataDirectory> open(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  SqliteLedger& ledger() const { return *ledger_; }
  BlobStore& blobs() const { return *blobs_; }
  BlobUpkeep& blob_upkeep() const { return *blobs_; }
  RecordingStore& recordings() const { return *recordings_; }
  LiveWindowStore& live_windows() const { return *live_windows_; }

  /// One server per data directory; kConflict when another one runs. Held until this object goes. Removes what a server
  /// that was killed had half checked out.
  Result<void> lock_for_server();
  /// Whether some process has that lock.
  bool server_runs() const;
  /// The secret that control clients show; made by the first server.
  Result<std::string> control_token() const;
  /// Signs the audit log's checkpoints; made by the first who asks.
  Result<signing::PrivateKey> audit_key() const;
  /// Tells control clients where the server is.
  Result<void> publish_address(const std::string& url) const;
  void withdraw_address() const;

 private:
  std::filesystem::path root_;
  std::unique_ptr<LocalBlobStore> blobs_;
  std::unique_ptr<SqliteLedger> ledger_;
  std::unique_ptr<LocalRecordings> recordings_;
  std::unique_ptr<LocalLiveWindows> live_windows_;
  Descriptor lock_;
};

}  // namespace backstay::app
