#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "domain/scan/bytes.hpp"

namespace backstay::scan {

enum class Packing : std::uint8_t { kDeflate, kZlib, kGzip, kBzip2, kXz, kLzmaAlone, kZipLzma };

/// Decompresses a source from front to back in constant memory; streams that follow one another are one, as Python's
/// modules read them. What is damaged ends the bytes and is told.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  /// Fills `out` as far as there is something; fewer bytes only at the end. Fails when the source can't be read.
  virtual Result<std::size_t> read(std::span<std::byte> out) = 0;
  virtual bool damaged() const = 0;
  /// Bytes of the source that were used.
  virtual std::uint64_t consumed() const = 0;

  /// `packed` must outlive it.
  static std::unique_ptr<Unpacker> open(Packing packing, const ByteSource& packed);
};

/// Unpacked bytes: in memory while they are few, then in a file that has no name. Not thread-safe.
class Spool : public ByteSource {
 public:
  Spool() = default;
  ~Spool() override;
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  Result<void> append(std::span<const std::byte> data);
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::string memory_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

/// A file of this machine. Links are not followed, and only regular files are opened.
class FileSource : public ByteSource {
 public:
  static Result<std::unique_ptr<FileSource>> open(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  FileSource(int file, std::uint64_t size) : file_(file), size_(size) {}
  int file_;
  std::uint64_t size_;
};

}  // namespace backstay::scan
