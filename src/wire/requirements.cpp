#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "wire/lock_files.hpp"

namespace backstay::wire {

namespace {

constexpr std::string_view kBlanks = " \t\r\f\v";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

/// Lines with continuations joined and comments cut, as pip does it: a # at the beginning or after a blank.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> out;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!part.empty() && part.back() == '\r') part.remove_suffix(1);
    std::size_t comment = part.find('#');
    while (comment != std::string_view::npos && comment > 0 &&
           kBlanks.find(part[comment - 1]) == std::string_view::npos)
      comment = part.find('#', comment + 1);
    const bool commented = comment != std::string_view::npos;
    if (commented) part = part.substr(0, comment);
    if (!commented && part.ends_with('\\')) {
      line.append(part.substr(0, part.size() - 1)).push_back(' ');
      continue;
    }
    line.append(part);
    if (const std::string_view whole = trimmed(line); !whole.empty()) out.emplace_back(whole);
    line.clear();
  }
  if (const std::string_view whole = trimmed(line); !whole.empty()) out.emplace_back(whole);
  return out;
}

bool is_sha256(std::string_view text) {
  return text.size() >= 64 && text.substr(0, 64).find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool has_hash(std::string_view line) {
  for (const std::string_view mark : {"--hash=sha256:", "--hash sha256:", "#sha256=", "&sha256="})
    if (const std::size_t at = line.find(mark);
        at != std::string_view::npos && is_sha256(line.substr(at + mark.size())))
      return true;
  return false;
}

/// Options that name other files or things to install; all others do not change what is installed.
void read_option(std::string_view line, LockReport& out) {
  const std::size_t end = std::min(line.find_first_of(" \t="), line.size());
  const std::string_view option = line.substr(0, end);
  const std::string_view value = trimmed(line.substr(std::min(end + 1, line.size())));
  if (option == "-e" || option == "--editable") {
    out.finding(Pinning::kUnpinned, fmt::format("'{}' is editable", value));
  } else if (option == "-r" || option == "--requirement" || option == "-c" || option == "--constraint") {
    out.includes.insert(std::string(value));
  } else if (line.starts_with("-r") || line.starts_with("-c")) {
    out.includes.insert(std::string(trimmed(line.substr(2))));  // -rbase.txt
  }
}

/// The exact version of "==1.2" or "===1.2"; empty for ranges, wildcards and several conditions.
std::string exact_version(std::string_view condition) {
  condition = trimmed(condition);
  if (!condition.starts_with("==")) return "";
  const std::string_view version = trimmed(condition.substr(condition.starts_with("===") ? 3 : 2));
  if (version.empty() || version.find_first_of("*,<>=~ \t") != std::string_view::npos) return "";
  return std::string(version);
}

void read_entry(std::string_view line, LockReport& out) {
  const bool hashed = has_hash(line);
  std::string_view rest = line.substr(0, std::min(line.find(" --"), line.size()));
  const bool starts_with_name = std::isalnum(static_cast<unsigned char>(rest.front())) != 0;
  const std::size_t name_end = std::min(
      rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."), rest.size());
  const std::string_view name = rest.substr(0, name_end);
  rest = trimmed(rest.substr(name_end));
  if (rest.starts_with('[')) rest = trimmed(rest.substr(std::min(rest.find(']'), rest.size() - 1) + 1));
  if (!starts_with_name || rest.starts_with(':') || rest.starts_with('/') || rest.starts_with('+') ||
      name.find("..") == 0)
    return out.finding(Pinning::kUnpinned, fmt::format("'{}' is a path or an address", line));
  if (rest.starts_with('@')) {
    const std::string_view address = trimmed(rest.substr(1));
    const std::string_view scheme = address.substr(0, address.find("://"));
    if (scheme.find('+') != std::string_view::npos)
      return out.finding(Pinning::kUnpinned, fmt::format("{} comes from version control", name));
    if (!hashed) out.finding(Pinning::kUnpinned, fmt::format("{} is an address without a sha256 hash", name));
    return;
  }
  std::string_view condition = rest.substr(0, std::min(rest.find(';'), rest.size()));
  if (condition.starts_with('(') && trimmed(condition).ends_with(')'))
    condition = trimmed(condition).substr(1, trimmed(condition).size() - 2);
  const std::string version = exact_version(condition);
  if (version.empty()) return out.finding(Pinning::kUnpinned, fmt::format("{} has no exact version (==)", name));
  out.package(name, version);
  if (!hashed) out.finding(Pinning::kWeak, fmt::format("{} has no sha256 hash", name));
}

}  // namespace

LockReport read_requirements(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  LockReport out;
  for (const std::string& line : logical_lines(text)) {
    if (line.starts_with('-')) {
      read_option(line, out);
    } else {
      read_entry(line, out);
    }
  }
  return out;
}

}  // namespace backstay::wire
