#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace backstay::tables {

/// Bytes that can be read from any place.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `out` from `offset` on; an end that lies within is an error.
  virtual Result<void> read(std::uint64_t offset, std::span<char> out) = 0;
};

/// A regular file. Reading fails when its size or its time of change is not what it was at the beginning.
class FileSource : public ByteSource {
 public:
  using OnBytes = std::function<void(std::uint64_t)>;
  /// `name` is what errors call it; `on_bytes`, when there is one, is told how many bytes each reading gave.
  static Result<std::unique_ptr<FileSource>> open(const std::filesystem::path& path, const std::string& name,
                                                  OnBytes on_bytes = {});
  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, std::span<char> out) override;

 private:
  FileSource(Descriptor file, std::string name, OnBytes on_bytes)
      : file_(std::move(file)), name_(std::move(name)), on_bytes_(std::move(on_bytes)) {}

  Descriptor file_;
  std::string name_;
  OnBytes on_bytes_;
  std::uint64_t size_ = 0;
  std::int64_t changed_ = 0;  ///< Nanoseconds of the clock of the file system.
};

/// Bytes in memory, which the caller keeps.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read(std::uint64_t offset, std::span<char> out) override;

 private:
  std::string_view bytes_;
};

}  // namespace backstay::tables
