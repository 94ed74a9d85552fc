#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.hpp"

namespace backstay {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset() { Descriptor().swap(*this); }

 private:
  void swap(Descriptor& other) { std::swap(fd_, other.fd_); }
  int fd_ = -1;
};

/// Writes every byte, however many calls that takes; what fails is told as "cannot write <what>: ...".
Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& what);

}  // namespace backstay
