#include "services/file_patterns.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "services/local_files.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxMatches = 10'000;
constexpr std::size_t kMaxVisited = 1'000'000;
constexpr int kMaxDepth = 64;

bool has_wildcard(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos;
}

class Matcher {
 public:
  explicit Matcher(const fs::path& base) : base_(base) {}

  /// `at` is the path so far, as it would be written; `rest` what is still to be matched.
  Result<void> match(const std::string& at, const std::vector<std::string>& rest, std::size_t index, int depth) {
    if (depth > kMaxDepth) return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is nested too deep.", at));
    const std::string& part = rest[index];
    const bool last = index + 1 == rest.size();
    if (part == "**") {
      if (!last) TRY_DO(match(at, rest, index + 1, depth));
      TRY(const auto entries, list(at));
      for (const auto& [name, folder] : entries) {
        if (name.front() == '.') continue;
        if (folder) TRY_DO(match(join(at, name), rest, index, depth + 1));
        if (last && !folder) TRY_DO(keep(join(at, name)));
      }
      return {};
    }
    TRY(const auto entries, list(at));
    for (const auto& [name, folder] : entries) {
      if (fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
      if (last && !folder) TRY_DO(keep(join(at, name)));
      if (!last && folder) TRY_DO(match(join(at, name), rest, index + 1, depth + 1));
    }
    return {};
  }

  std::vector<std::string> matched;

  static std::string join(const std::string& at, const std::string& name) {
    return at.empty() || at.back() == '/' ? at + name : at + "/" + name;
  }

 private:
  /// Names in a folder and whether each is a folder (links to folders are not followed).
  Result<std::vector<std::pair<std::string, bool>>> list(const std::string& at) {
    std::vector<std::pair<std::string, bool>> out;
    std::error_code failure;
    const fs::path folder = base_ / at;
    for (fs::directory_iterator entry(folder.empty() ? "." : folder, failure), end; !failure && entry != end;
         entry.increment(failure)) {
      if (++visited_ > kMaxVisited)
        return Unexpected(ErrorCode::kResourceExhausted, "The pattern looks at more than a million files.",
                          "Name the folder more closely.");
      std::error_code ignored;
      out.emplace_back(entry->path().filename().string(),
                       entry->symlink_status(ignored).type() == fs::file_type::directory);
    }
    if (failure == std::errc::no_such_file_or_directory) return out;
    if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read the folder " + folder.string()));
    return out;
  }
  Result<void> keep(const std::string& path) {
    if (matched.size() >= kMaxMatches)
      return Unexpected(ErrorCode::kResourceExhausted, fmt::format("More than {} files are matched.", kMaxMatches),
                        "Pack them into fewer files, or name a part of them.");
    matched.push_back(path);
    return {};
  }

  fs::path base_;
  std::size_t visited_ = 0;
};

Result<std::vector<MatchedFile>> below(const fs::path& base, const std::string& pattern) {
  // find_files wants a name that stays in the version; what counts here is what comes after it.
  TRY(const std::vector<FoundFile> found, find_files(base, {{pattern, "x"}}));
  std::vector<MatchedFile> out;
  for (const FoundFile& file : found) {
    if (file.name == "x") {
      out.push_back({pattern, fs::path(pattern).filename().string()});
    } else {
      out.push_back({Matcher::join(pattern, file.name.substr(2)), file.name.substr(2)});
    }
  }
  return out;
}

}  // namespace

Result<std::vector<MatchedFile>> match_files(const fs::path& base, const std::string& pattern) {
  std::vector<MatchedFile> out;
  if (!has_wildcard(pattern)) {
    TRY(out, below(base, pattern));
  } else {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(pattern).relative_path())
      if (!part.empty()) parts.push_back(part.string());
    std::string fixed = pattern.front() == '/' ? "/" : "";
    std::size_t first = 0;
    while (!has_wildcard(parts[first])) fixed = Matcher::join(fixed, parts[first++]);
    Matcher matcher(base);
    TRY_DO(matcher.match(fixed, parts, first, 0));
    const std::size_t skip = fixed.empty() || fixed.back() == '/' ? fixed.size() : fixed.size() + 1;
    for (const std::string& path : matcher.matched) out.push_back({path, path.substr(skip)});
    if (out.empty())
      return Unexpected(ErrorCode::kNotFound, fmt::format("No file matches {}.", pattern),
                        "Patterns are relative to the folder of the version's YAML file.");
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  out.erase(std::unique(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path == b.path; }),
            out.end());
  return out;
}

}  // namespace backstay::services
