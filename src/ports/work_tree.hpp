#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay {

/// The code that a version is made from, as its version control has it.
struct CodeState {
  std::string commit;                ///< Full hash of what is checked out.
  std::string repository;            ///< Where it can be cloned from, without credentials; empty: nowhere known.
  std::filesystem::path root;        ///< The work tree's top folder.
  std::vector<std::string> taken;    ///< Untracked files that are in the diff.
  std::vector<std::string> omitted;  ///< Untracked files that are not in the diff, each with why.
  std::vector<std::string> secrets;  ///< Untracked files that are not in the diff because they look like secrets.
};

/// Version control around a folder.
class WorkTree {
 public:
  virtual ~WorkTree() = default;
  using Sink = std::function<Result<void>(std::span<const std::byte>)>;

  /// The work tree that `folder` is in; nothing when it is in none, or when that work tree ignores the folder.
  virtual Result<std::optional<CodeState>> find(const std::filesystem::path& folder) = 0;

  /// Feeds `diff` everything that differs from `state.commit` as one patch (`git apply` restores it): tracked changes,
  /// and untracked files that are not ignored, not in `not_code` (files and folders that the version keeps in other
  /// ways) and do not look like secrets. Nothing is fed when nothing differs. Adds to state's lists of untracked files.
  virtual Result<void> diff(CodeState& state, const std::vector<std::filesystem::path>& not_code, const Sink& diff) = 0;
};

}  // namespace backstay
