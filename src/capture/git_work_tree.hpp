#pragma once

#include "ports/work_tree.hpp"

namespace backstay::capture {

/// Work trees of git, by the program `git`, which is never let near the repository's own configuration: it is given a
/// repository folder of our own, made for the moment, that borrows the objects and a copy of the index. So neither
/// hooks, filters, fsmonitor, external diffs nor remotes that a hostile repository names are run, and no question of
/// ownership (safe.directory) comes up. The price: large files under git-lfs that were changed are taken as they are.
/// Without the program the commit is still found; only diff() fails, with kNotFound.
class GitWorkTree : public WorkTree {
 public:
  Result<std::optional<CodeState>> find(const std::filesystem::path& folder) override;
  Result<void> diff(CodeState& state, const std::vector<std::filesystem::path>& not_code, const Sink& diff) override;
};

}  // namespace backstay::capture
