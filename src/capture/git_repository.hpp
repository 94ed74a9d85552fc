#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

/// Where a git repository keeps its things, read without running git: a repository is hostile until looked at, and git
/// runs commands that a repository's own configuration names.
namespace backstay::capture {

struct GitRepository {
  std::filesystem::path root;    ///< Top of the work tree.
  std::filesystem::path folder;  ///< Its own .git folder (index, HEAD).
  std::filesystem::path common;  ///< Shared by linked work trees (objects, refs, config); often the same.
};

/// The repository around `start`; nothing when there is none. Follows "gitdir:" files of linked work trees.
Result<std::optional<GitRepository>> find_git_repository(const std::filesystem::path& start);

/// The commit that HEAD names (40 or 64 hex digits); empty before the first commit.
Result<std::string> head_commit(const GitRepository& repository);

/// A remote's address as it may be recorded: no user information in http(s) addresses, no password in others, no query.
std::string without_credentials(std::string_view url);

}  // namespace backstay::capture
