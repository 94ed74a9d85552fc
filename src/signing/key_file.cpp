#include "signing/key_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/descriptor.hpp"
#include "base/random.hpp"

namespace backstay::signing {

namespace fs = std::filesystem;

namespace {

Unexpected failed(int why, const std::string& what) {
  return Unexpected(error_from_errno(why, what));
}

Result<void> sync_folder(const fs::path& folder) {
  const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || fsync(opened.get()) != 0) return failed(errno, "cannot sync " + folder.string());
  return {};
}

/// Appears whole or not at all; kConflict when there is something already.
Result<void> write_new(const fs::path& path, const std::string& text, mode_t mode) {
  const fs::path temporary = path.string() + fmt::format(".{:016x}", secure_random());
  int why = 0;
  {
    const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(file.get()) != 0)
      why = errno;
  }
  // link() and not rename(): what is there stays.
  if (why == 0 && link(temporary.c_str(), path.c_str()) != 0) why = errno;
  unlink(temporary.c_str());
  if (why == EEXIST)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} exists already.", path.string()),
                      "A key is never overwritten: name another file.");
  if (why != 0) return failed(why, "cannot write " + path.string());
  return sync_folder(fs::absolute(path).parent_path());
}

}  // namespace

Result<void> write_key_pair(const fs::path& path, const PrivateKey& key) {
  const fs::path beside = path.string() + ".pub";
  TRY_DO(write_new(path, key.pem(), 0600));
  if (auto written = write_new(beside, key.public_key().pem(), 0644); !written) {
    unlink(path.c_str());  // Ours, and new: nobody has used it.
    return written;
  }
  return {};
}

Result<PrivateKey> read_private_key(const fs::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0) return failed(errno, "cannot read the key " + path.string());
  if (!S_ISREG(info.st_mode))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a file.", path.string()),
                      "Name the private key's file.");
  if ((info.st_mode & 077) != 0)
    return Unexpected(ErrorCode::kPermissionDenied,
                      fmt::format("The private key {} is open to others (mode {:04o}).", path.string(),
                                  static_cast<unsigned>(info.st_mode & 07777)),
                      fmt::format("Run: chmod 600 {}; and make a new key if others may have read it.", path.string()));
  std::array<char, 65536> text;
  const ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) return failed(errno, "cannot read the key " + path.string());
  auto key = PrivateKey::from_pem({text.data(), static_cast<std::size_t>(size)});
  OPENSSL_cleanse(text.data(), text.size());
  if (!key) return Unexpected(std::move(key).error().within(path.string()));
  return key;
}

Result<PrivateKey> read_or_make_key(const fs::path& path) {
  if (mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
    return failed(errno, "cannot make " + path.parent_path().string());
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(path, ignored))) {
    TRY(const PrivateKey fresh, PrivateKey::generate(KeyType::kEd25519));
    const auto written = write_new(path, fresh.pem(), 0600);
    if (!written && written.error().code != ErrorCode::kConflict) return Unexpected(written.error());
  }
  return read_private_key(path);
}

}  // namespace backstay::signing
