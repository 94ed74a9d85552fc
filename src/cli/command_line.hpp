#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ports/blob_upkeep.hpp"
#include "ports/gate_exceptions.hpp"
#include "ports/live_windows.hpp"
#include "ports/machine.hpp"
#include "ports/notifications.hpp"
#include "ports/programs.hpp"
#include "ports/record_check.hpp"
#include "ports/recordings.hpp"
#include "ports/signature_store.hpp"
#include "ports/version_search.hpp"
#include "ports/work_tree.hpp"
#include "services/prove_audit.hpp"
#include "services/records.hpp"
#include "services/registry.hpp"

namespace backstay::services {
struct EvaluationPorts;
}  // namespace backstay::services

namespace backstay::cli {

/// A registry that was opened for one command.
class OpenRegistry {
 public:
  virtual ~OpenRegistry() = default;
  virtual services::Registry registry() = 0;
  virtual services::Records records() = 0;
  virtual SignatureStore& signatures() = 0;
  /// Signs for the audit log; its key is made when it is first asked for.
  virtual Result<services::LogSigner> log_signer() = 0;
  virtual BlobUpkeep& blob_upkeep() = 0;
  virtual RecordCheck& record_check() = 0;
  virtual RecordingStore& recordings() = 0;
  virtual NotificationStore& notifications() = 0;
  virtual bool server_runs() = 0;
  virtual LiveWindowStore& live_windows() = 0;
  /// The blobs of another data directory, or of a folder of blobs, to read from.
  virtual Result<std::unique_ptr<BlobStore>> open_other(const std::filesystem::path& path) = 0;
  virtual VersionSearch& search() = 0;
  virtual GateExceptionStore& gate_exceptions() = 0;
  /// Runs versions for evaluations and keeps their answers; must not outlive this.
  virtual services::EvaluationPorts evaluation() = 0;
};

/// What becomes of a data directory without a registry.
enum class IfMissing {
  kRefuse,  ///< kNotFound: a slip in the path must not look like a registry without versions.
  kMake,
};

/// What the commands need from the program around them.
struct Program {
  std::string version;
  std::function<Result<std::unique_ptr<OpenRegistry>>(const std::filesystem::path& data_dir, IfMissing)> open_registry;
  /// Runs until it is told to stop.
  std::function<Result<void>(const std::filesystem::path& config)> serve;
  /// Sends a message to a notification target of a configuration now.
  std::function<Result<void>(const std::filesystem::path& config, const std::string& target)> test_notification;
  WorkTree& work_tree;
  Machine& machine;
  Programs& programs;
};

/// Runs one command; the result is the process's exit status (cli/exit_code.hpp).
int run(int argc, char** argv, const Program& program);

}  // namespace backstay::cli
