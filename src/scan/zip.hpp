#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scan/visit.hpp"

/// Zip archives as they are, not as they should be (APPNOTE.TXT 6.3). A file can be told of in two places, its local
/// header and the central directory, and unpackers believe one or the other: here both are read.
namespace backstay::scan {

struct ZipEntry {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t unpacked = 0;
  std::uint64_t header_at = 0;  ///< Of the local header, from the start of the bytes.
  std::uint64_t data_at = 0;
  std::uint32_t attributes = 0;  ///< From the central directory: the mode, in the upper half.

  static constexpr std::uint16_t kEncrypted = 1;
  static constexpr std::uint16_t kSizesFollow = 8;
};

struct ZipDirectory {
  bool found = false;
  std::uint64_t begin = 0;  ///< Of the central directory.
  std::uint64_t end = 0;
  std::uint64_t count = 0;
  std::uint64_t shift = 0;  ///< Bytes before the archive, by which its offsets are off.
  bool ends_file = false;   ///< Nothing follows it.
  int ends = 0;             ///< How many ends of a directory there are in the last 64 KiB.
};

Result<ZipDirectory> find_zip_directory(const ByteSource& bytes);
/// The local header at an offset; false when there is none
/// (`any_magic`: what lies there is taken for one).
Result<bool> read_local_header(const ByteSource& bytes, std::uint64_t offset, ZipEntry& out, bool any_magic = false);
/// The directory's next entry, from `at` on, which is moved behind it; false when there is none.
Result<bool> read_directory_entry(const ByteSource& bytes, const ZipDirectory& directory, std::uint64_t& at,
                                  ZipEntry& out);

}  // namespace backstay::scan
