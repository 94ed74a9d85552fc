#include "base/descriptor.hpp"

#include <unistd.h>

#include <cerrno>

namespace backstay {

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unexpected(error_from_errno(errno, "cannot write " + what));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace backstay
