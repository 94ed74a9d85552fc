#include "capture/git_work_tree.hpp"

#include <fmt/format.h>
#include <stdlib.h>  // mkdtemp
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "capture/git_repository.hpp"
#include "capture/program.hpp"
#include "capture/secret_files.hpp"

namespace backstay::capture {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxDiffBytes = 64 * 1024 * 1024;
constexpr std::uintmax_t kMaxUntrackedBytes = 1024 * 1024;
constexpr std::size_t kMaxUntracked = 2000;
constexpr std::size_t kMaxOmitted = 100;

std::vector<std::string> clean_environment() {
  std::vector<std::string> out{"GIT_CONFIG_NOSYSTEM=1",
                               "GIT_CONFIG_GLOBAL=/dev/null",
                               "GIT_TERMINAL_PROMPT=0",
                               "GIT_OPTIONAL_LOCKS=0",
                               "GIT_ALLOW_PROTOCOL=none",
                               "GIT_NO_REPLACE_OBJECTS=1",
                               "LC_ALL=C"};
  for (const char* name : {"PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"})
    if (const char* value = std::getenv(name)) out.push_back(fmt::format("{}={}", name, value));
  return out;
}

/// A repository folder of our own that is gone with the object.
class BorrowedRepository {
 public:
  static Result<BorrowedRepository> of(const GitRepository& repository, const std::string& commit) {
    std::string name = (fs::temp_directory_path() / "backstay-git-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) return Unexpected(error_from_errno(errno, "cannot make a folder"));
    BorrowedRepository borrowed(name, repository);
    std::error_code failure;
    fs::create_directories(borrowed.folder_ / "refs", failure);
    fs::create_directories(borrowed.folder_ / "info", failure);
    const bool sha256 = commit.size() == 64;
    std::ofstream(borrowed.folder_ / "config")
        << "[core]\nrepositoryformatversion = " << (sha256 ? 1 : 0) << "\nbare = false\nfilemode = true\n"
        << (sha256 ? "[extensions]\nobjectformat = sha256\n" : "");
    std::ofstream(borrowed.folder_ / "HEAD") << commit << "\n";
    borrowed.borrow(repository.folder / "index", "index");
    for (const char* each : {"info/exclude", "info/attributes"}) borrowed.borrow(repository.common / each, each);
    for (fs::directory_iterator entry(repository.folder, failure), end; !failure && entry != end;
         entry.increment(failure))
      if (const std::string file = entry->path().filename().string(); file.starts_with("sharedindex."))
        borrowed.borrow(entry->path(), file);
    return borrowed;
  }
  BorrowedRepository(BorrowedRepository&& other) noexcept
      : folder_(std::exchange(other.folder_, {})), root_(std::move(other.root_)), objects_(std::move(other.objects_)) {}
  BorrowedRepository& operator=(BorrowedRepository&&) = delete;
  ~BorrowedRepository() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }

  Command git(std::vector<std::string> arguments) const {
    Command command;
    command.arguments = {"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager"};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.environment = clean_environment();
    command.environment.push_back("GIT_DIR=" + folder_.string());
    command.environment.push_back("GIT_WORK_TREE=" + root_.string());
    command.environment.push_back("GIT_OBJECT_DIRECTORY=" + objects_.string());
    command.environment.push_back("GIT_INDEX_FILE=" + (folder_ / "index").string());
    command.folder = root_;
    command.max_output_bytes = kMaxDiffBytes;
    return command;
  }

 private:
  BorrowedRepository(std::string folder, const GitRepository& repository)
      : folder_(std::move(folder)), root_(repository.root), objects_(repository.common / "objects") {}
  void borrow(const fs::path& from, const std::string& name) const {
    std::error_code ignored;
    if (!fs::is_regular_file(from, ignored)) return;
    // With its time: git looks again at files that are as young as the index, and must not take it for younger.
    const auto time = fs::last_write_time(from, ignored);
    fs::copy_file(from, folder_ / name, ignored);
    fs::last_write_time(folder_ / name, time, ignored);
  }
  fs::path folder_;
  fs::path root_;
  fs::path objects_;
};

Result<std::vector<std::string>> untracked_files(const BorrowedRepository& repository) {
  TRY(const std::string text,
      output_of(repository.git({"ls-files", "--others", "--exclude-standard", "-z", "--full-name"})));
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    names.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return names;
}

bool is_in(const std::set<fs::path>& places, fs::path path) {
  for (; path.has_relative_path(); path = path.parent_path())
    if (places.count(path) > 0) return true;
  return false;
}

/// Sorts them into those that go into the diff, `taken`, and the others.
void sort_untracked(const std::vector<std::string>& untracked, const std::set<fs::path>& not_code, CodeState& state) {
  const auto omit = [&](const std::string& name, const std::string& why) {
    if (state.omitted.size() < kMaxOmitted) state.omitted.push_back(fmt::format("{} ({})", name, why));
  };
  for (const std::string& name : untracked) {
    struct stat info {};
    const fs::path path = (state.root / name).lexically_normal();
    if (is_in(not_code, path)) continue;
    if (name.ends_with('/')) {
      omit(name, "a repository of its own");
    } else if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      omit(name, "no regular file");
    } else if (static_cast<std::uintmax_t>(info.st_size) > kMaxUntrackedBytes) {
      omit(name, "larger than 1 MiB");
    } else if (const auto secret = looks_like_secret(path); !secret) {
      omit(name, secret.error().message);
    } else if (*secret) {
      state.secrets.push_back(name);
    } else if (state.taken.size() >= kMaxUntracked) {
      omit(name, "more than 2000 untracked files");
    } else {
      state.taken.push_back(name);
    }
  }
}

}  // namespace

Result<std::optional<CodeState>> GitWorkTree::find(const fs::path& folder) {
  TRY(const std::optional<GitRepository> repository, find_git_repository(folder));
  if (!repository) return std::optional<CodeState>();
  CodeState state;
  state.root = repository->root;
  TRY(state.commit, head_commit(*repository));
  if (state.commit.empty()) return std::optional<CodeState>(state);

  TRY(const BorrowedRepository borrowed, BorrowedRepository::of(*repository, state.commit));
  const auto nothing = [](std::span<const std::byte>) -> Result<void> { return {}; };
  std::error_code failure;
  const fs::path place = fs::canonical(folder.empty() ? fs::path(".") : folder, failure);
  if (place != repository->root) {
    const auto ignored = run_program(borrowed.git({"check-ignore", "-q", "--", place.string()}), nothing);
    if (ignored && ignored->status == 0) return std::optional<CodeState>();
  }
  // Only parses the file; includes are not followed.
  const auto urls = output_of(borrowed.git({"config", "--file", (repository->common / "config").string(),
                                            "--no-includes", "-z", "--get-regexp", R"(^remote\..*\.url$)"}));
  if (!urls) return std::optional<CodeState>(state);
  for (std::size_t at = 0; at < urls->size();) {
    const std::size_t end = std::min(urls->find('\0', at), urls->size());
    const std::string entry = urls->substr(at, end - at);
    const std::size_t line = entry.find('\n');
    if (line != std::string::npos && (state.repository.empty() || entry.starts_with("remote.origin.url\n")))
      state.repository = without_credentials(entry.substr(line + 1));
    at = end + 1;
  }
  return std::optional<CodeState>(state);
}

Result<void> GitWorkTree::diff(CodeState& state, const std::vector<fs::path>& not_code, const Sink& diff) {
  TRY(const std::optional<GitRepository> repository, find_git_repository(state.root));
  if (!repository || state.commit.empty()) return {};
  TRY(const BorrowedRepository borrowed, BorrowedRepository::of(*repository, state.commit));
  std::set<fs::path> elsewhere;
  for (const fs::path& path : not_code) {
    std::error_code failure;
    const fs::path canonical = fs::weakly_canonical(path, failure);
    elsewhere.insert(failure ? path : canonical);
  }
  TRY(const std::vector<std::string> untracked, untracked_files(borrowed));
  sort_untracked(untracked, elsewhere, state);
  if (!state.taken.empty()) {
    // "Will be added" entries of our copy of the index: no object is written, and the diff shows the files as new.
    Command add = borrowed.git({"add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"});
    add.environment.emplace_back("GIT_LITERAL_PATHSPECS=1");
    for (const std::string& name : state.taken) add.input.append(name).push_back('\0');
    TRY_DO(output_of(add));
  }
  const Command command =
      borrowed.git({"diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
                    "--ignore-submodules=dirty", "--src-prefix=a/", "--dst-prefix=b/", "HEAD", "--"});
  auto done = run_program(command, diff);
  if (!done && done.error().code == ErrorCode::kResourceExhausted)
    return Unexpected(ErrorCode::kResourceExhausted, "The uncommitted changes are larger than 64 MiB.",
                      "Commit them, or have git ignore what is no code; --no-git records no changes.");
  if (!done) return Unexpected(std::move(done).error());
  if (done->status != 0)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("git can't tell what was changed in {}: {}", state.root.string(), done->errors),
                      "Check it with: git status. --no-git registers without it.");
  return {};
}

}  // namespace backstay::capture
