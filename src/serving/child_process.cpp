#include "serving/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/spawn.hpp"

extern char** environ;

namespace backstay::serving {

bool looks_secret(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::array<const char*, 6> words{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY"};
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return upper.find(word) != std::string::npos; });
}

Result<ChildProcess> start_process(const std::vector<std::string>& command, const std::vector<std::string>& extra) {
  if (command.empty()) return Unexpected(ErrorCode::kInvalidArgument, "The command is empty.");
  std::vector<std::string> arguments = command;
  std::vector<std::string> environment = extra;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!looks_secret(text.substr(0, text.find('=')))) environment.emplace_back(text);
  }
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  TRY(Pipe output, make_pipe());
  TRY(Pipe failure, make_pipe());
  const pid_t parent = getpid();
  ChildProcess child;
  child.pid = fork();
  if (child.pid == 0)
    become_program(argv.data(), envp.data(), "",
                   {-1, output.write_end.get(), output.write_end.get(), failure.write_end.get()}, parent);
  if (child.pid < 0) return Unexpected(error_from_errno(errno, "cannot start " + command[0]));
  setpgid(child.pid, child.pid);  // Both sides do it, so that neither runs before it is done.
  failure.write_end.reset();
  int error = 0;
  if (read(failure.read_end.get(), &error, sizeof error) == sizeof error) {
    waitpid(child.pid, nullptr, 0);
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("cannot run '{}': {}", command[0], strerror(error)),
                      "Check the command's path and that it is executable.");
  }
  child.pidfd = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  fcntl(output.read_end.get(), F_SETFL, O_NONBLOCK);
  child.output = std::move(output.read_end);
  if (!child.pidfd) {
    const int why = errno;
    signal_group(child, SIGKILL);
    waitpid(child.pid, nullptr, 0);
    return Unexpected(error_from_errno(why, "cannot watch " + command[0]));
  }
  return child;
}

void signal_group(const ChildProcess& child, int signal) {
  if (child.pid > 0) kill(-child.pid, signal);
}

std::string reap(ChildProcess& child) {
  // The exited leader still holds the group's number, so this can't hit a stranger.
  signal_group(child, SIGKILL);
  int status = 0;
  waitpid(child.pid, &status, 0);
  child.pid = -1;
  child.pidfd.reset();
  if (WIFSIGNALED(status))
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

}  // namespace backstay::serving
