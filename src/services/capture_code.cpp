#include <fmt/format.h>

#include <algorithm>

#include "services/capture_version.hpp"
#include "services/file_patterns.hpp"
#include "services/keep_bytes.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kShortestCommit = 7;
constexpr std::size_t kNamesShown = 5;
constexpr std::size_t kSecretsShown = 50;

std::vector<fs::path> kept_elsewhere(const std::vector<fs::path>& not_code, const fs::path& folder,
                                     const wire::VersionSpec& spec) {
  std::vector<fs::path> out = not_code;
  for (const wire::LocalFile& file : spec.artifacts) out.push_back(folder / file.source);
  for (const wire::VersionSpec::SliceFile& slice : spec.slice_files) out.push_back(folder / slice.source);
  for (const wire::VersionSpec::SliceSet& set : spec.slice_sets) {
    for (const std::string& pattern : set.files)
      if (const auto matched = match_files(folder, pattern))
        for (const MatchedFile& file : *matched) out.push_back(folder / file.path);
  }
  return out;
}

/// Puts the diff into the blob store; nothing when there is none.
Result<std::string> store_diff(BlobStore* blobs, WorkTree& work_tree, CodeState& state,
                               const std::vector<fs::path>& not_code) {
  KeptBytes diff(blobs);
  TRY_DO(work_tree.diff(state, not_code, [&](std::span<const std::byte> piece) { return diff.write(piece); }));
  if (diff.empty()) return std::string();
  TRY(const BlobInfo blob, diff.finish());
  return blob.sha256.hex();
}

/// "a, b, c and 4 more".
std::string some_of(const std::vector<std::string>& names, std::size_t most) {
  const std::size_t shown = std::min(names.size(), most);
  const std::string list = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "));
  return names.size() > shown ? fmt::format("{} and {} more", list, names.size() - shown) : list;
}

/// Nobody should learn later what became of a file that was never committed.
void tell_untracked(const CodeState& state, std::vector<std::string>& warnings) {
  if (!state.taken.empty())
    warnings.push_back(fmt::format("{} untracked {} recorded with the uncommitted changes: {}.", state.taken.size(),
                                   state.taken.size() == 1 ? "file is" : "files are",
                                   some_of(state.taken, kNamesShown)));
  if (!state.secrets.empty())
    warnings.push_back(
        fmt::format("Untracked files that look like secrets are not recorded: {}. Have git ignore them; what is code "
                    "and holds none can be committed.",
                    some_of(state.secrets, kSecretsShown)));
  for (std::size_t i = 0; i < state.omitted.size(); ++i) {
    if (i == kNamesShown) {
      warnings.push_back(fmt::format("{} more untracked files are not recorded.", state.omitted.size() - i));
      break;
    }
    warnings.push_back(
        fmt::format("The untracked file {} is not recorded: commit it if it is code.", state.omitted[i]));
  }
}

}  // namespace

Result<void> capture_code(BlobStore* blobs, WorkTree& work_tree, const std::vector<fs::path>& not_code,
                          const fs::path& folder, wire::VersionSpec& spec, std::vector<std::string>& warnings) {
  registry::Code& code = spec.manifest.code;
  auto found = work_tree.find(folder);
  if (!found && !code.commit.empty()) {
    warnings.push_back(fmt::format("The work tree was not looked at: {}", found.error().message));
    return {};
  }
  TRY(std::optional<CodeState> state, std::move(found));
  if (!state) return {};
  if (state->commit.empty()) {
    warnings.push_back(fmt::format("The git repository {} has no commit yet.", state->root.string()));
    return {};
  }
  if (code.repository.empty()) code.repository = state->repository;
  const bool same = code.commit.size() >= kShortestCommit && state->commit.starts_with(code.commit);
  if (!code.commit.empty() && !same) {
    warnings.push_back(
        fmt::format("version.yaml says commit {}, but {} is checked out in {}: uncommitted changes are not recorded.",
                    code.commit, state->commit.substr(0, 12), state->root.string()));
    return {};
  }
  if (code.commit.empty()) code.commit = state->commit;
  if (!code.dirty_diff_sha256.empty()) return {};
  auto digest = store_diff(blobs, work_tree, *state, kept_elsewhere(not_code, folder, spec));
  if (!digest && digest.error().code == ErrorCode::kNotFound) {
    warnings.emplace_back("There is no program git, so uncommitted changes are not recorded.");
    return {};
  }
  TRY(code.dirty_diff_sha256, std::move(digest));
  code.dirty_diff_kept = !code.dirty_diff_sha256.empty();
  tell_untracked(*state, warnings);
  return {};
}

}  // namespace backstay::services
