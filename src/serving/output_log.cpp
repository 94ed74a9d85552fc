#include "serving/output_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace backstay::serving {

namespace {

constexpr std::uint64_t kMaxBytes = 8 * 1024 * 1024;
constexpr std::size_t kMaxLine = 500;

}  // namespace

OutputLog::OutputLog(std::filesystem::path path) : path_(std::move(path)) {
  open_file();
}

void OutputLog::open_file() {
  file_ = Descriptor(open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info {};
  size_ = file_ && fstat(file_.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void OutputLog::append(std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      if (!line_.empty()) last_line_ = line_;
      line_.clear();
    } else if (line_.size() < kMaxLine) {
      line_ += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  if (size_ + text.size() > kMaxBytes) {
    std::error_code ignored;
    std::filesystem::rename(path_, path_.string() + ".1", ignored);
    open_file();
  }
  if (file_ && write(file_.get(), text.data(), text.size()) > 0) size_ += text.size();
}

}  // namespace backstay::serving
