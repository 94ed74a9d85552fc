#include <fmt/format.h>

#include <algorithm>

#include "scan/visit.hpp"

// POSIX ustar with GNU's and pax's long names: 512-byte headers, each followed by its file's bytes.
namespace backstay::scan {

namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::size_t kLongestName = 64 * 1024;

std::uint64_t number(std::string_view field) {
  std::uint64_t value = 0;
  if ((static_cast<std::uint8_t>(field[0]) & 0x80) != 0) {  // GNU: base 256.
    for (std::size_t i = field.size() - 8; i < field.size(); ++i)
      value = value << 8 | static_cast<std::uint8_t>(field[i]);
    return value;
  }
  for (const char c : field) {
    if (c >= '0' && c <= '7') value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::string text(std::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

/// "30 path=...\n": the value of `key`; empty when it isn't there.
std::string pax_value(std::string_view records, std::string_view key) {
  const std::string wanted = fmt::format(" {}=", key);
  const std::size_t at = records.rfind(wanted);
  if (at == std::string_view::npos) return "";
  const std::size_t begin = at + wanted.size();
  return std::string(records.substr(begin, records.find('\n', begin) - begin));
}

void check_member(Visit& visit, const Place& member, char type, const std::string& name, const std::string& link) {
  if (const std::string why = path_danger(name); !why.empty())
    visit.add(member, Verdict::kDangerous, "path",
              fmt::format("The member {}: unpacking it would write elsewhere.", why));
  if (type == '1' || type == '2') {
    const bool outside = !path_danger(link).empty();
    visit.add(member, outside ? Verdict::kDangerous : Verdict::kSuspicious, "path",
              outside ? "The member is a link out of the archive." : "The member is a link.");
  } else if (type == '3' || type == '4' || type == '6') {
    visit.add(member, Verdict::kDangerous, "path", "The member is a device.");
  } else if (type == 'S') {
    visit.add(member, Verdict::kSuspicious, "unscannable", "A sparse file isn't looked into.");
  }
}

}  // namespace

Result<void> scan_tar(Visit& visit, const ByteSource& bytes, const Place& place) {
  std::string long_name;
  std::string long_link;
  std::uint64_t count = 0;
  for (std::uint64_t at = 0; at + kBlock <= bytes.size();) {
    TRY(const std::string head, read_piece(bytes, at, kBlock));
    if (head.find_first_not_of('\0') == std::string::npos) {
      at += kBlock;
      continue;
    }
    if (head.substr(257, 5) != "ustar") {
      visit.add(place, Verdict::kSuspicious, "archive", "The tar archive holds something that is no member.", at);
      return {};
    }
    if (++count > visit.limits().entries) {
      visit.add(place, Verdict::kDangerous, "limit", "The archive has more members than are looked at.", at);
      return {};
    }
    const char type = head[156];
    const std::uint64_t size = number(std::string_view(head).substr(124, 12));
    const std::uint64_t data = at + kBlock;
    const SliceSource body(bytes, data, size);
    if (body.size() < size)
      visit.add(place, Verdict::kSuspicious, "broken", "A member goes on beyond the end of the file.", at);
    at = data + (body.size() + kBlock - 1) / kBlock * kBlock;
    if (type == 'L' || type == 'K' || type == 'x' || type == 'g') {
      TRY(const std::string content, read_piece(body, 0, kLongestName));
      if (type == 'L') long_name = text(content);
      if (type == 'K') long_link = text(content);
      if (type == 'x') {
        long_name = pax_value(content, "path");
        long_link = pax_value(content, "linkpath");
        if (!pax_value(content, "size").empty() || content.find("GNU.sparse") != std::string::npos)
          visit.add(place, Verdict::kSuspicious, "archive", "A member's size is told in two ways.", data);
      }
      continue;
    }
    const std::string prefix = text(std::string_view(head).substr(345, 155));
    const std::string short_name = text(std::string_view(head).substr(0, 100));
    std::string name = !long_name.empty() ? long_name
                       : prefix.empty()   ? short_name
                                          : fmt::format("{}/{}", prefix, short_name);
    const std::string link = !long_link.empty() ? long_link : text(std::string_view(head).substr(157, 100));
    long_name.clear();
    long_link.clear();
    Place member = place.member(name);
    check_member(visit, member, type, name, link);
    if (body.size() > 0 && (type == '0' || type == '\0' || type == '7')) TRY_DO(visit.look(body, member));
  }
  return {};
}

}  // namespace backstay::scan
