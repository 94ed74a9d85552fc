#include <fmt/format.h>

#include <csignal>

#include "app/data_directory.hpp"
#include "app/run_model.hpp"
#include "app/server.hpp"
#include "capture/git_work_tree.hpp"
#include "capture/linux_machine.hpp"
#include "capture/system_programs.hpp"
#include "cli/command_line.hpp"
#include "services/evaluate_version.hpp"
#include "services/lineage.hpp"
#include "storage/journals/local_journals.hpp"

namespace {

using namespace backstay;

class OpenedDirectory : public cli::OpenRegistry {
 public:
  explicit OpenedDirectory(app::DataDirectory directory)
      : directory_(std::move(directory)), journals_(directory_.root() / "evaluations") {}
  services::Registry registry() override { return {directory_.ledger(), directory_.blobs()}; }
  services::Records records() override { return services::records_of(directory_.ledger()); }
  SignatureStore& signatures() override { return directory_.ledger(); }
  Result<services::LogSigner> log_signer() override {
    TRY(signing::PrivateKey key, directory_.audit_key());
    return services::LogSigner{std::move(key)};
  }
  RecordCheck& record_check() override { return directory_.ledger(); }
  NotificationStore& notifications() override { return directory_.ledger(); }
  bool server_runs() override { return directory_.server_runs(); }
  LiveWindowStore& live_windows() override { return directory_.live_windows(); }
  RecordingStore& recordings() override { return directory_.recordings(); }
  BlobUpkeep& blob_upkeep() override { return directory_.blob_upkeep(); }
  Result<std::unique_ptr<BlobStore>> open_other(const std::filesystem::path& path) override {
    std::error_code failure;
    const bool is_data_dir = std::filesystem::is_directory(path / "blobs", failure);
    TRY(auto store, LocalBlobStore::open_to_read(is_data_dir ? path / "blobs" : path));
    return std::unique_ptr<BlobStore>(std::move(store));
  }
  VersionSearch& search() override { return directory_.ledger(); }
  GateExceptionStore& gate_exceptions() override { return directory_.ledger(); }
  services::EvaluationPorts evaluation() override {
    return {registry(), journals_,
            [this](const registry::VersionRef& version, const evaluation::BackendChoice& backend) {
              return app::run_model(registry(), version, backend, directory_.root(), "evaluations/logs");
            },
            [this](const registry::VersionRef& version) -> Result<void> {
              TRY(const std::optional<Quarantine> quarantine, services::quarantine_of(records(), version));
              if (!quarantine) return {};
              return Unexpected(ErrorCode::kFailedPrecondition,
                                fmt::format("{} is in quarantine: {}", version.str(), quarantine->reason),
                                "Name another version, or lift it with backstay quarantine lift.");
            }};
  }

 private:
  app::DataDirectory directory_;
  LocalJournals journals_;
};

Result<std::unique_ptr<cli::OpenRegistry>> open_registry(const std::filesystem::path& data_dir,
                                                         cli::IfMissing missing) {
  std::error_code failure;
  if (missing == cli::IfMissing::kRefuse && !std::filesystem::exists(data_dir / "registry.db", failure) && !failure)
    return Unexpected(ErrorCode::kNotFound,
                      fmt::format("There is no registry in {}.", std::filesystem::absolute(data_dir).string()),
                      "Check --data-dir and BACKSTAY_DATA_DIR. The first backstay register, or serve, makes one.");
  TRY(app::DataDirectory directory, app::DataDirectory::open(data_dir));
  return std::unique_ptr<cli::OpenRegistry>(std::make_unique<OpenedDirectory>(std::move(directory)));
}

}  // namespace

int main(int argc, char** argv) {
  // A limit on file sizes is an error of the write, as a full disk is; not the end of the program.
  signal(SIGXFSZ, SIG_IGN);
  capture::GitWorkTree work_tree;
  capture::LinuxMachine machine;
  capture::SystemPrograms programs;
  return cli::run(argc, argv,
                  {BACKSTAY_VERSION, open_registry, app::serve, app::test_notification, work_tree, machine, programs});
}
