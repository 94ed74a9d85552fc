#include <algorithm>

#include "scan/zip.hpp"

namespace backstay::scan {

using namespace std::string_view_literals;

namespace {

constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kTailBytes = 65'535 + kEndBytes;
constexpr std::uint32_t kFull32 = 0xFFFFFFFF;

/// Sizes that don't fit into 32 bits are in extra field 1, in this order, each only if its place is full.
void read_zip64(std::string_view extra, ZipEntry& entry, bool with_offset) {
  while (extra.size() >= 4) {
    const std::uint64_t id = little(extra, 0, 2);
    const std::size_t size = std::min<std::size_t>(little(extra, 2, 2), extra.size() - 4);
    std::string_view body = extra.substr(4, size);
    extra.remove_prefix(4 + size);
    if (id != 1) continue;
    const auto take = [&](std::uint64_t& value) {
      if (value != kFull32 || body.size() < 8) return;
      value = little(body, 0, 8);
      body.remove_prefix(8);
    };
    take(entry.unpacked);
    take(entry.packed);
    if (with_offset) take(entry.header_at);
  }
}

Result<void> read_zip64_end(const ByteSource& bytes, std::uint64_t end_at, ZipDirectory& out, std::uint64_t& offset,
                            std::uint64_t& size) {
  constexpr std::uint64_t kLocator = 20;
  constexpr std::uint64_t kRecord = 56;
  if (end_at < kLocator) return {};
  TRY(const std::string locator, read_piece(bytes, end_at - kLocator, kLocator));
  if (locator.size() != kLocator || !std::string_view(locator).starts_with("PK\x06\x07"sv)) return {};
  // Where the locator says, and where Python looks: right before it.
  std::vector<std::uint64_t> places{little(locator, 8, 8)};
  if (end_at >= kLocator + kRecord) places.push_back(end_at - kLocator - kRecord);
  for (const std::uint64_t place : places) {
    TRY(const std::string record, read_piece(bytes, place, kRecord));
    if (record.size() != kRecord || !std::string_view(record).starts_with("PK\x06\x06"sv)) continue;
    out.count = little(record, 32, 8);
    size = little(record, 40, 8);
    offset = little(record, 48, 8);
    out.end = place;
    return {};
  }
  return {};
}

}  // namespace

Result<ZipDirectory> find_zip_directory(const ByteSource& bytes) {
  ZipDirectory out;
  const std::uint64_t tail_at = bytes.size() > kTailBytes ? bytes.size() - kTailBytes : 0;
  TRY(const std::string tail, read_piece(bytes, tail_at, kTailBytes));
  for (std::size_t at = tail.rfind("PK\x05\x06"); at != std::string::npos;
       at = at == 0 ? std::string::npos : tail.rfind("PK\x05\x06", at - 1)) {
    if (at + kEndBytes > tail.size()) continue;
    std::uint64_t size = little(tail, at + 12, 4);
    std::uint64_t offset = little(tail, at + 16, 4);
    ZipDirectory one;
    one.count = little(tail, at + 10, 2);
    one.end = tail_at + at;
    TRY_DO(read_zip64_end(bytes, tail_at + at, one, offset, size));
    if (size > one.end) continue;
    // As Python does: the directory ends where its end begins, and what its offset lacks lies before the archive.
    one.begin = one.end - size;
    if (offset > one.begin) continue;
    one.shift = one.begin - offset;
    TRY(const std::string first, read_piece(bytes, one.begin, 4));
    if (one.count > 0 && !std::string_view(first).starts_with("PK\x01\x02"sv)) continue;
    if (out.found) {
      // What lies in a member is that member's own end.
      if (one.end >= out.begin) ++out.ends;
      continue;
    }
    out = one;
    out.found = true;
    out.ends = 1;
    out.ends_file = tail_at + at + kEndBytes + little(tail, at + 20, 2) == bytes.size();
  }
  return out;
}

Result<bool> has_zip_directory(const ByteSource& bytes, bool at_the_very_end) {
  TRY(const ZipDirectory directory, find_zip_directory(bytes));
  return directory.found && directory.count > 0 && (directory.ends_file || !at_the_very_end);
}

Result<bool> read_local_header(const ByteSource& bytes, std::uint64_t offset, ZipEntry& out, bool any_magic) {
  constexpr std::size_t kHeader = 30;
  TRY(const std::string head, read_piece(bytes, offset, kHeader));
  if (head.size() < kHeader) return false;
  if (!any_magic && !std::string_view(head).starts_with("PK\x03\x04"sv)) return false;
  const std::size_t name = little(head, 26, 2);
  const std::size_t extra = little(head, 28, 2);
  TRY(const std::string rest, read_piece(bytes, offset + kHeader, name + extra));
  if (rest.size() < name + extra) return false;
  out = {};
  out.flags = static_cast<std::uint16_t>(little(head, 6, 2));
  out.method = static_cast<std::uint16_t>(little(head, 8, 2));
  out.crc = static_cast<std::uint32_t>(little(head, 14, 4));
  out.packed = little(head, 18, 4);
  out.unpacked = little(head, 22, 4);
  out.name = rest.substr(0, name);
  out.header_at = offset;
  out.data_at = offset + kHeader + name + extra;
  read_zip64(std::string_view(rest).substr(name), out, false);
  return true;
}

Result<bool> read_directory_entry(const ByteSource& bytes, const ZipDirectory& directory, std::uint64_t& at,
                                  ZipEntry& out) {
  constexpr std::size_t kHeader = 46;
  if (at + kHeader > directory.end) return false;
  TRY(const std::string head, read_piece(bytes, at, kHeader));
  if (head.size() < kHeader || !std::string_view(head).starts_with("PK\x01\x02"sv)) return false;
  const std::size_t name = little(head, 28, 2);
  const std::size_t extra = little(head, 30, 2);
  const std::size_t comment = little(head, 32, 2);
  TRY(const std::string rest, read_piece(bytes, at + kHeader, name + extra));
  if (rest.size() < name + extra) return false;
  out = {};
  out.flags = static_cast<std::uint16_t>(little(head, 8, 2));
  out.method = static_cast<std::uint16_t>(little(head, 10, 2));
  out.crc = static_cast<std::uint32_t>(little(head, 16, 4));
  out.packed = little(head, 20, 4);
  out.unpacked = little(head, 24, 4);
  out.attributes = static_cast<std::uint32_t>(little(head, 38, 4));
  out.header_at = little(head, 42, 4);
  out.name = rest.substr(0, name);
  read_zip64(std::string_view(rest).substr(name), out, true);
  at += kHeader + name + extra + comment;
  return true;
}

}  // namespace backstay::scan
