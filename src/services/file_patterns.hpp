#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay::services {

struct MatchedFile {
  std::string path;  ///< As it would be written in version.yaml: relative to the base, or absolute.
  std::string name;  ///< Without the part of the pattern that is fixed: "site-a.csv" for data/*.csv.
};

/// The regular files that a file, a folder (all below it) or a pattern stands for, sorted by path. *, ? and [abc] match
/// within a folder's name, ** any folders; a name with a leading dot is matched only by a pattern with one. Links are
/// refused when they are matched. kNotFound when nothing is.
Result<std::vector<MatchedFile>> match_files(const std::filesystem::path& base, const std::string& pattern);

}  // namespace backstay::services
