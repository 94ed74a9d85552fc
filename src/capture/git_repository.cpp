#include "capture/git_repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace backstay::capture {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxSmallFile = 4096;
constexpr std::size_t kMaxPackedRefs = 64 * 1024 * 1024;
constexpr int kMaxSymbolicRefs = 5;

/// The first line of a small file; nothing when it can't be read.
std::optional<std::string> first_line(const fs::path& path) {
  std::error_code failure;
  if (!fs::is_regular_file(path, failure)) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxSmallFile, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

bool is_hash(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// A ref's name from a file: it must stay inside the repository.
bool is_safe_ref(std::string_view name) {
  return name.starts_with("refs/") && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '\\'; });
}

std::string packed_ref(const fs::path& file, const std::string& name) {
  std::ifstream in(file, std::ios::binary);
  std::size_t total = 0;
  for (std::string line; std::getline(in, line) && (total += line.size()) < kMaxPackedRefs;) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos || line.compare(space + 1, std::string::npos, name) != 0) continue;
    const std::string hash = line.substr(0, space);
    return is_hash(hash) ? hash : "";
  }
  return "";
}

fs::path resolved(const fs::path& base, const std::string& text) {
  return (fs::path(text).is_absolute() ? fs::path(text) : base / text).lexically_normal();
}

}  // namespace

Result<std::optional<GitRepository>> find_git_repository(const fs::path& start) {
  std::error_code failure;
  fs::path at = fs::canonical(start.empty() ? fs::path(".") : start, failure);
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot look at " + start.string()));
  while (true) {
    const fs::path dot = at / ".git";
    GitRepository found{at, dot, dot};
    if (const auto line = first_line(dot); line && line->starts_with("gitdir: "))
      found.folder = found.common = resolved(at, line->substr(8));
    if (fs::is_regular_file(found.folder / "HEAD", failure)) {
      if (const auto common = first_line(found.folder / "commondir")) found.common = resolved(found.folder, *common);
      if (fs::is_directory(found.common / "objects", failure)) return std::optional<GitRepository>(found);
    }
    if (at == at.root_path()) return std::optional<GitRepository>();
    at = at.parent_path();
  }
}

Result<std::string> head_commit(const GitRepository& repository) {
  const auto unreadable = [&](const std::string& what) {
    return Unexpected(ErrorCode::kUnsupported,
                      fmt::format("The git repository {} has {}.", repository.root.string(), what),
                      "Write the commit into version.yaml (code: {commit: ...}), or use --no-git.");
  };
  auto text = first_line(repository.folder / "HEAD");
  for (int depth = 0; text && depth < kMaxSymbolicRefs; ++depth) {
    if (is_hash(*text)) return *text;
    if (!text->starts_with("ref: ")) break;
    const std::string name = text->substr(5);
    if (!is_safe_ref(name)) break;
    text = first_line(repository.folder / name);
    if (!text) text = first_line(repository.common / name);
    if (!text) return packed_ref(repository.common / "packed-refs", name);
  }
  return unreadable("a HEAD that is not understood");
}

std::string without_credentials(std::string_view url) {
  std::string text(url);
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;  // git@host:path, or a folder: no place for a password.
  const std::size_t start = scheme + 3;
  text.resize(std::min(text.find_first_of("?#", start), text.size()));
  const std::size_t end = std::min(text.find('/', start), text.size());
  const std::size_t at = text.rfind('@', end);
  if (at == std::string::npos || at < start || at >= end) return text;
  const bool http = text.starts_with("http");
  const std::size_t colon = text.find(':', start);
  if (http) return text.erase(start, at + 1 - start);
  if (colon < at) return text.erase(colon, at - colon);
  return text;
}

}  // namespace backstay::capture
