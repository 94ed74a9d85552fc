#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace backstay::serving {

/// What a backend printed: kept in a file that never grows past 8 MiB (the part before goes to FILE.1), with the last
/// line at hand. Failing to write is not the backend's fault and is ignored.
class OutputLog {
 public:
  explicit OutputLog(std::filesystem::path path);
  void append(std::string_view text);
  const std::string& last_line() const { return last_line_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  void open_file();
  std::filesystem::path path_;
  Descriptor file_;
  std::uint64_t size_ = 0;
  std::string line_;
  std::string last_line_;
};

}  // namespace backstay::serving
