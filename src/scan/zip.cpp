#include "scan/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <set>

namespace backstay::scan {

using namespace std::string_view_literals;

namespace {

constexpr std::uint16_t kStored = 0;
constexpr std::uint64_t kCheckedBytes = 16U << 20;  // Larger members are skipped over, not read, to check their sums.

bool is_torch_archive(const std::set<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name.ends_with("/data.pkl") && names.contains(name.substr(0, name.size() - 8) + "version");
  });
}

class ZipScan {
 public:
  ZipScan(Visit& visit, const ByteSource& bytes, const Place& place)
      : visit_(visit),
        bytes_(bytes),
        place_(place),
        has_file_([this](const std::string& n) { return names_.contains(n); }) {}

  Result<void> run() {
    TRY(directory_, find_zip_directory(bytes_));
    if (!directory_.found) suspicious("The archive has no directory that can be read; unpackers may still find files.");
    if (directory_.ends > 1) suspicious("There are several directories: unpackers would see different files.");
    if (directory_.shift > 0) suspicious("Other bytes lie before the archive: unpackers would see different files.");
    TRY_DO(read_directory());
    if (overlap()) return {};
    for (const ZipEntry& entry : entries_) TRY_DO(look_at(entry));
    return find_hidden();
  }

 private:
  void suspicious(std::string why, std::uint64_t at = 0) {
    visit_.add(place_, Verdict::kSuspicious, "archive", std::move(why), at);
  }

  Result<void> read_directory() {
    std::uint64_t at = directory_.begin;
    ZipEntry entry;
    while (directory_.found) {
      TRY(const bool more, read_directory_entry(bytes_, directory_, at, entry));
      if (!more) break;
      name_bytes_ += entry.name.size();
      if (entries_.size() >= visit_.limits().entries || name_bytes_ > visit_.limits().text_bytes) {
        visit_.add(place_, Verdict::kDangerous, "limit", "The archive has more members than are looked at.");
        break;
      }
      entry.header_at += directory_.shift;
      if (!names_.insert(entry.name).second)
        suspicious("A member is there twice: unpackers differ in which they take.", at);
      entries_.push_back(entry);
    }
    if (directory_.found && entries_.size() != directory_.count && entries_.size() < visit_.limits().entries)
      suspicious(fmt::format("The directory counts {} members and has {}.", directory_.count, entries_.size()));
    torch_ = place_.torch || is_torch_archive(names_);
    return {};
  }

  void check_name(const ZipEntry& entry, const Place& member) {
    if (const std::string why = path_danger(entry.name); !why.empty())
      visit_.add(member, Verdict::kDangerous, "path",
                 fmt::format("The member {}: unpacking it would write elsewhere.", why), entry.header_at);
    constexpr std::uint32_t kTypeMask = 0170000;
    constexpr std::uint32_t kLink = 0120000;
    if (((entry.attributes >> 16) & kTypeMask) == kLink)
      visit_.add(member, Verdict::kSuspicious, "path", "The member is a symbolic link.", entry.header_at);
  }

  Place member_of(const ZipEntry& entry) {
    Place member = place_.member(entry.name);
    member.name = entry.name;
    member.torch = torch_;
    member.has_file = &has_file_;
    return member;
  }

  Result<void> look_at(const ZipEntry& entry) {
    const Place member = member_of(entry);
    check_name(entry, member);
    ZipEntry local;
    TRY(bool there, read_local_header(bytes_, entry.header_at, local));
    if (!there) {
      TRY(there, read_local_header(bytes_, entry.header_at, local, true));
      visit_.add(member, Verdict::kSuspicious, "archive", "The directory names a member that isn't there.",
                 entry.header_at);
      if (!there) return {};
    }
    const bool sizes_follow = (local.flags & ZipEntry::kSizesFollow) != 0;
    std::vector<std::string> differ;
    if (local.name != entry.name) differ.emplace_back("name");
    if (local.method != entry.method) differ.emplace_back("method");
    if ((local.flags ^ entry.flags) & ZipEntry::kEncrypted) differ.emplace_back("encryption");
    if (!sizes_follow && local.packed != entry.packed) differ.emplace_back("size");
    if (!sizes_follow && local.unpacked != entry.unpacked) differ.emplace_back("unpacked size");
    if (!sizes_follow && local.crc != entry.crc) differ.emplace_back("checksum");
    if (!differ.empty())
      visit_.add(
          member, Verdict::kSuspicious, "archive",
          fmt::format("Its two headers differ in {}: unpackers would see different content.", fmt::join(differ, ", ")),
          entry.header_at);
    if (local.name != entry.name) check_name(local, member_of(local));
    if (((local.flags | entry.flags) & ZipEntry::kEncrypted) != 0)
      visit_.add(member, Verdict::kSuspicious, "unscannable",
                 "It says that it is encrypted; what unpackers that don't look at that would see was looked at.",
                 entry.header_at);
    ZipEntry one = entry;
    one.data_at = local.data_at;
    TRY_DO(look_inside(one, member));
    covered_.emplace_back(one.header_at, one.data_at + one.packed);
    if (local.method == entry.method && (sizes_follow || local.packed == entry.packed)) return {};
    one.method = local.method;
    if (!sizes_follow) one.packed = local.packed;
    return look_inside(one, member);
  }

  Result<void> look_inside(const ZipEntry& entry, const Place& member, std::uint64_t* consumed = nullptr) {
    if (entry.name.ends_with('/') && entry.packed == 0) return {};
    const SliceSource packed(bytes_, entry.data_at, entry.packed);
    if (packed.size() < entry.packed)
      visit_.add(member, Verdict::kSuspicious, "broken", "The member goes on beyond the end of the file.",
                 entry.data_at);
    if (entry.method == kStored) {
      TRY_DO(check_sum(entry, packed, member));
      return visit_.look(packed, member);
    }
    Packing packing{};
    switch (entry.method) {
      case 8: packing = Packing::kDeflate; break;
      case 12: packing = Packing::kBzip2; break;
      case 14: packing = Packing::kZipLzma; break;
      default:
        visit_.add(member, Verdict::kSuspicious, "unscannable",
                   fmt::format("It is packed by method {}, which isn't looked into.", entry.method), entry.header_at);
        return {};
    }
    TRY_DO(check_packed_sum(packing, entry, packed, member));
    return visit_.look_packed(packing, packed, member, consumed);
  }

  Result<void> check_sum(const ZipEntry& entry, const ByteSource& content, const Place& member) {
    if (content.size() > kCheckedBytes) return {};
    TRY(const std::string text, read_piece(content, 0, static_cast<std::size_t>(content.size())));
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
    if (crc != entry.crc) wrong_sum(entry, member);
    return {};
  }

  Result<void> check_packed_sum(Packing packing, const ZipEntry& entry, const ByteSource& packed, const Place& member) {
    if (entry.unpacked > kCheckedBytes) return {};
    const auto unpacker = Unpacker::open(packing, packed);
    std::vector<std::byte> piece(64 * 1024);
    uLong crc = 0;
    std::uint64_t size = 0;
    while (size <= entry.unpacked) {
      TRY(const std::size_t got, unpacker->read(piece));
      if (got == 0) break;
      crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), got);
      size += got;
    }
    if (size != entry.unpacked) {
      visit_.add(member, Verdict::kSuspicious, "archive", "It unpacks to another size than its header says.",
                 entry.header_at);
    } else if (crc != entry.crc) {
      wrong_sum(entry, member);
    }
    return {};
  }

  void wrong_sum(const ZipEntry& entry, const Place& member) {
    visit_.add(member, Verdict::kSuspicious, "archive",
               "Its checksum is wrong: unpackers that check it stop, others go on.", entry.header_at);
  }

  /// Files that only a local header tells of, between what the directory knows.
  Result<void> find_hidden() {
    std::sort(covered_.begin(), covered_.end());
    std::uint64_t at = 0;
    const std::uint64_t end = directory_.found ? directory_.begin : bytes_.size();
    const std::vector<std::pair<std::uint64_t, std::uint64_t>> known = covered_;
    for (const auto& [from, to] : known) {
      if (from > at) TRY_DO(search(at, from));
      at = std::max(at, to);
    }
    if (end > at) TRY_DO(search(at, end));
    return {};
  }

  Result<void> search(std::uint64_t from, std::uint64_t to) {
    constexpr std::size_t kPiece = 64 * 1024;
    std::uint64_t at = from;
    while (at + 30 <= to && hidden_ < visit_.limits().entries) {
      TRY(const std::string piece,
          read_piece(bytes_, at, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, to - at))));
      const std::size_t found = piece.find("PK\x03\x04"sv);
      if (found == std::string::npos) {
        if (piece.size() < kPiece) return {};
        at += piece.size() - 3;
        continue;
      }
      at += found;
      ZipEntry entry;
      TRY(const bool there, read_local_header(bytes_, at, entry));
      if (!there || entry.data_at > to) {
        at += 4;
        continue;
      }
      ++hidden_;
      const std::uint64_t room = to - entry.data_at;
      if ((entry.flags & ZipEntry::kSizesFollow) != 0 || entry.packed > room) entry.packed = room;
      const Place member = member_of(entry);
      visit_.add(member, Verdict::kSuspicious, "archive", "The archive's directory doesn't name this member.", at);
      check_name(entry, member);
      std::uint64_t used = entry.packed;
      TRY_DO(look_inside(entry, member, &used));
      at = entry.data_at + std::max<std::uint64_t>(std::min(used, entry.packed), 1);
    }
    return {};
  }

  /// Members that share bytes unpack to any size (D. Fifield, "A better zip bomb", 2019): they aren't looked into.
  bool overlap() {
    constexpr std::uint64_t kHeader = 30;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const ZipEntry& entry : entries_)
      ranges.emplace_back(entry.header_at, entry.header_at + kHeader + entry.name.size() + entry.packed);
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t end = 0;
    for (const auto& [from, to] : ranges) {
      if (from < end || to < from) {
        visit_.add(place_, Verdict::kDangerous, "bomb", "Members of the archive lie within one another.", from);
        return true;
      }
      end = to;
    }
    return false;
  }

  Visit& visit_;
  const ByteSource& bytes_;
  const Place& place_;
  HasFile has_file_;
  ZipDirectory directory_;
  std::vector<ZipEntry> entries_;
  std::set<std::string> names_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> covered_;
  std::uint64_t name_bytes_ = 0;
  std::uint64_t hidden_ = 0;
  bool torch_ = false;
};

}  // namespace

Result<void> scan_zip(Visit& visit, const ByteSource& bytes, const Place& place) {
  return ZipScan(visit, bytes, place).run();
}

}  // namespace backstay::scan
