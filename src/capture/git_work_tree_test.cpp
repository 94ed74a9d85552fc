#include "capture/git_work_tree.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <ctime>
#include <fstream>
#include <thread>

#include "base/temporary_folder.hpp"
#include "capture/git_repository.hpp"
#include "capture/program.hpp"

namespace backstay::capture {
namespace {

namespace fs = std::filesystem;

class GitWorkTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree = folder / "tree";
    fs::create_directory(tree);
    git({"init", "-q", "-b", "main"});
    write("train.py", "a = 1\n");
    write(".gitignore", "build/\n");
    git({"add", "."});
    commit();
  }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((tree / path).parent_path());
    std::ofstream(tree / path, std::ios::binary) << text;
  }
  std::string git(std::vector<std::string> arguments, const std::string& input = "") {
    Command command;
    command.arguments = {"git", "-c", "user.name=t", "-c", "user.email=t@example.org"};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.environment = {"PATH=/usr/bin:/bin", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"};
    command.folder = tree;
    command.input = input;
    const auto out = output_of(command);
    EXPECT_TRUE(out) << out.error().message;
    return out ? *out : "";
  }
  void commit() { git({"commit", "-q", "-m", "x"}); }
  CodeState found() {
    const auto state = work_tree.find(tree);
    EXPECT_TRUE(state && *state) << (state ? "no tree" : state.error().message);
    return **state;
  }
  std::string diff(CodeState& state, const std::vector<fs::path>& not_code = {}) {
    std::string text;
    const auto done = work_tree.diff(state, not_code, [&](std::span<const std::byte> piece) -> Result<void> {
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    });
    EXPECT_TRUE(done) << done.error().message;
    return text;
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  fs::path tree;
  GitWorkTree work_tree;
};

TEST_F(GitWorkTreeTest, FindsTheCommitOfACleanTree) {
  git({"remote", "add", "origin", "https://bob:secret@example.org/m.git"});
  CodeState state = found();
  EXPECT_EQ(state.commit + "\n", git({"rev-parse", "HEAD"}));
  EXPECT_EQ(state.repository, "https://example.org/m.git");
  EXPECT_EQ(diff(state), "");
  git({"pack-refs", "--all"});
  EXPECT_EQ(found().commit, state.commit);
  git({"checkout", "-q", "--detach"});
  EXPECT_EQ(found().commit, state.commit);
}

TEST_F(GitWorkTreeTest, FindsNothingOutsideOrInAnIgnoredFolder) {
  EXPECT_FALSE(*work_tree.find(folder));
  fs::create_directories(tree / "build/run");
  EXPECT_FALSE(*work_tree.find(tree / "build/run"));
  fs::create_directories(tree / "sub");
  EXPECT_TRUE(*work_tree.find(tree / "sub"));
}

TEST_F(GitWorkTreeTest, ItsDiffRestoresChangedNewStagedBinaryAndDeletedFiles) {
  write("gone.py", "x\n");
  git({"add", "."});
  commit();
  write("train.py", "a = 2\n");
  write("staged.py", "s\n");
  git({"add", "staged.py"});
  write("new file.bin", std::string("\0\1\2\xff", 4));
  write("build/out.bin", "ignored");
  fs::remove(tree / "gone.py");
  const std::string status = git({"status", "--porcelain"});
  CodeState state = found();
  const std::string patch = diff(state);
  EXPECT_EQ(git({"status", "--porcelain"}), status) << "the index must stay as it was";
  git({"stash", "-q", "-u"});
  git({"apply", "--binary", "-"}, patch);
  std::ifstream in(tree / "new file.bin", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), std::string("\0\1\2\xff", 4));
  EXPECT_TRUE(fs::exists(tree / "staged.py"));
  EXPECT_FALSE(fs::exists(tree / "gone.py"));
  EXPECT_EQ(diff(state), patch);
}

TEST_F(GitWorkTreeTest, LeavesOutUntrackedSecretsAndTellsWhatItTook) {
  write(".env", "A=1\n");
  write("sub/deploy.sh", "DB_PASSWORD=hunter2\n");
  write("new.py", "b = 1\n");
  CodeState state = found();
  const std::string patch = diff(state);
  EXPECT_EQ(state.taken, (std::vector<std::string>{"new.py"}));
  EXPECT_EQ(state.secrets, (std::vector<std::string>{".env", "sub/deploy.sh"}));
  EXPECT_NE(patch.find("new.py"), std::string::npos);
  EXPECT_EQ(patch.find("hunter2"), std::string::npos);
}

TEST_F(GitWorkTreeTest, LeavesOutWhatTheVersionKeepsElsewhereAndTellsWhatIsTooLarge) {
  write("model.onnx", "weights");
  write("huge.bin", std::string(1024 * 1024 + 1, 'x'));
  fs::create_symlink("/etc/passwd", tree / "link");
  CodeState state = found();
  write("backstay-data/blobs/x", "1");
  EXPECT_EQ(diff(state, {tree / "model.onnx", tree / "backstay-data"}), "");
  EXPECT_EQ(state.omitted, (std::vector<std::string>{"huge.bin (larger than 1 MiB)", "link (no regular file)"}));
}

// git takes a file for unchanged by its size and times, in seconds, unless it is as young as the index.
TEST_F(GitWorkTreeTest, SeesAChangeOfTheSameSizeInTheSecondOfTheCommit) {
  const auto second_of = [&] {
    struct stat info {};
    EXPECT_EQ(stat((tree / "train.py").c_str(), &info), 0);
    return info.st_mtim.tv_sec;
  };
  std::time_t committed = 0;
  for (int value = 10; value < 90; value += 2) {
    write("train.py", "a = " + std::to_string(value) + "\n");
    git({"add", "train.py"});
    commit();
    committed = second_of();
    write("train.py", "a = " + std::to_string(value + 1) + "\n");
    if (second_of() == committed) break;
  }
  ASSERT_EQ(second_of(), committed);
  while (std::time(nullptr) <= committed) std::this_thread::yield();
  CodeState state = found();
  EXPECT_NE(diff(state).find("+a = "), std::string::npos);
}

TEST_F(GitWorkTreeTest, RunsNothingThatAHostileRepositoryNames) {
  const std::string evil = "touch " + (folder / "ran").string();
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"core.fsmonitor", evil},
                                                        {"filter.evil.clean", evil},
                                                        {"filter.evil.process", evil},
                                                        {"diff.evil.textconv", evil},
                                                        {"diff.evil.command", evil},
                                                        {"diff.external", evil},
                                                        {"core.pager", evil},
                                                        {"core.sshCommand", evil},
                                                        {"core.alternateRefsCommand", evil},
                                                        {"core.worktree", "/"},
                                                        {"remote.origin.url", "ext::sh -c \"" + evil + "\""},
                                                        {"remote.origin.promisor", "true"},
                                                        {"extensions.partialClone", "origin"}})
    git({"config", key, value});
  git({"config", "--unset", "core.worktree"});
  fs::create_directories(tree / ".git/hooks");
  for (const char* hook : {"post-index-change", "pre-commit", "reference-transaction"}) {
    std::ofstream(tree / ".git/hooks" / hook) << "#!/bin/sh\n" << evil << "\n";
    fs::permissions(tree / ".git/hooks" / hook, fs::perms::owner_all);
  }
  write(".gitattributes", "* filter=evil diff=evil\n");
  write("train.py", "a = 3\n");
  write("--output=x", "untracked");
  CodeState state = found();
  const std::string patch = diff(state);
  EXPECT_NE(patch.find("+a = 3"), std::string::npos);
  EXPECT_NE(patch.find("--output=x"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "ran"));
  Command trapped;
  trapped.arguments = {"git", "diff"};
  trapped.environment = {"PATH=/usr/bin:/bin", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"};
  trapped.folder = tree;
  static_cast<void>(output_of(trapped).has_value());
  EXPECT_TRUE(fs::exists(folder / "ran")) << "the trap must work, or this test shows nothing";
}

TEST_F(GitWorkTreeTest, FindsALinkedWorkTreesOwnCommit) {
  write("train.py", "a = 9\n");
  git({"commit", "-qam", "y"});
  git({"worktree", "add", "-q", "--detach", (folder / "linked").string(), "HEAD~1"});
  const auto linked = work_tree.find(folder / "linked");
  ASSERT_TRUE(linked && *linked);
  EXPECT_EQ((*linked)->commit + "\n", git({"rev-parse", "HEAD~1"}));
}

TEST(GitRepository, RefusesAHeadThatLeavesTheRepository) {
  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  fs::create_directories(folder / ".git/objects");
  for (const char* head : {"ref: refs/../../../etc/passwd", "ref: /etc/passwd", "nonsense", ""}) {
    std::ofstream(folder / ".git/HEAD") << head << "\n";
    const auto repository = find_git_repository(folder);
    ASSERT_TRUE(repository && *repository);
    EXPECT_FALSE(head_commit(**repository)) << head;
  }
}

TEST(GitRepository, TakesCredentialsOutOfAddresses) {
  EXPECT_EQ(without_credentials("https://u:p@h/x.git?token=1"), "https://h/x.git");
  EXPECT_EQ(without_credentials("https://token@h:8443/x@y.git"), "https://h:8443/x@y.git");
  EXPECT_EQ(without_credentials("ssh://git:p@h:22/x.git"), "ssh://git@h:22/x.git");
  EXPECT_EQ(without_credentials("ssh://git@h/x.git"), "ssh://git@h/x.git");
  EXPECT_EQ(without_credentials("git@h:x.git"), "git@h:x.git");
  EXPECT_EQ(without_credentials("https://u:p@ss@h/x"), "https://h/x");
  EXPECT_EQ(without_credentials("/srv/m.git"), "/srv/m.git");
}

TEST(Program, EndsWhatTakesTooLongOrPrintsTooMuch) {
  Command slow;
  slow.arguments = {"sh", "-c", "sleep 100"};
  slow.environment = {"PATH=/usr/bin:/bin"};
  slow.deadline = std::chrono::seconds(1);
  EXPECT_EQ(output_of(slow).error().code, ErrorCode::kTimeout);
  Command loud;
  loud.arguments = {"cat", "/dev/zero"};
  loud.environment = {"PATH=/usr/bin:/bin"};
  EXPECT_EQ(output_of(loud).error().code, ErrorCode::kResourceExhausted);
  Command absent;
  absent.arguments = {"no-such-program-anywhere"};
  EXPECT_EQ(output_of(absent).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace backstay::capture
