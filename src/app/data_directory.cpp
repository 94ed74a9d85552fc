#include "app/data_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "app/store_config.hpp"
#include "base/random.hpp"
#include "signing/key_file.hpp"

namespace backstay::app {

namespace fs = std::filesystem;

namespace {

Unexpected failed(const std::string& what) {
  return Unexpected(error_from_errno(errno, what));
}

Result<void> make_folder(const fs::path& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failed("cannot make " + path.string());
  return {};
}

/// Readable by the owner only; appears whole or not at all.
Result<void> write_private(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + fmt::format(".{:016x}", secure_random());
  const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written = file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file.get()) == 0 && rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return {};
  const int why = errno;
  unlink(temporary.c_str());
  return Unexpected(error_from_errno(why, "cannot write " + path.string()));
}

/// A lock of all of a file, for fcntl.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const fs::path& root) {
  DataDirectory directory;
  directory.root_ = fs::absolute(root).lexically_normal();
  std::error_code failure;
  fs::create_directories(directory.root_, failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot make " + directory.root_.string()));
  TRY_DO(make_folder(directory.root_ / "control", 0700));
  for (const char* name : {"serving", "environments", "logs"}) TRY_DO(make_folder(directory.root_ / name, 0755));
  TRY(const StoreConfig store, read_store_config(directory.root_));
  TRY(directory.blobs_, LocalBlobStore::open(directory.root_ / "blobs", {store.quota_bytes, nullptr}));
  TRY(directory.ledger_, SqliteLedger::open(directory.root_ / "registry.db"));
  directory.live_windows_ = std::make_unique<LocalLiveWindows>(directory.root_ / "live");
  directory.recordings_ = std::make_unique<LocalRecordings>(directory.root_ / "recordings");
  return directory;
}

Result<void> DataDirectory::lock_for_server() {
  const fs::path path = root_ / "control" / "lock";
  lock_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_) return failed("cannot open " + path.string());
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
    // Unlike flock's, this one can be asked for without taking it.
    struct flock whole = whole_file();
    if (fcntl(lock_.get(), F_OFD_SETLK, &whole) != 0) return failed("cannot lock " + path.string());
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root_ / "serving", ignored)) {
      // A version's folder has its name when it is complete, and begins with a dot before.
      if (entry.path().filename().string().starts_with('.')) fs::remove_all(entry.path(), ignored);
    }
    return {};
  }
  if (errno != EWOULDBLOCK) return failed("cannot lock " + path.string());
  return Unexpected(ErrorCode::kConflict, fmt::format("A server runs on {} already.", root_.string()),
                    "Stop it first, or give this one a data_dir of its own.");
}

bool DataDirectory::server_runs() const {
  const Descriptor lock(::open((root_ / "control" / "lock").c_str(), O_RDWR | O_CLOEXEC));
  struct flock whole = whole_file();
  return lock && fcntl(lock.get(), F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

Result<std::string> DataDirectory::control_token() const {
  const fs::path path = root_ / "control" / "token";
  std::string token;
  if (std::ifstream in(path); std::getline(in, token) && token.size() >= 32) return token;
  token =
      fmt::format("{:016x}{:016x}{:016x}{:016x}", secure_random(), secure_random(), secure_random(), secure_random());
  TRY_DO(write_private(path, token + "\n"));
  return token;
}

Result<signing::PrivateKey> DataDirectory::audit_key() const {
  return signing::read_or_make_key(root_ / "keys" / "audit.pem");
}

Result<void> DataDirectory::publish_address(const std::string& url) const {
  return write_private(root_ / "control" / "address", url + "\n");
}

void DataDirectory::withdraw_address() const {
  unlink((root_ / "control" / "address").c_str());
}

}  // namespace backstay::app
