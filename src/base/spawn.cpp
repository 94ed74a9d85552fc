#include "base/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

extern char** environ;

namespace backstay {

namespace {

constexpr int kAboveTheOthers = 10;
constexpr int kFailure = 3;
constexpr int kCannotRun = 127;

}  // namespace

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Unexpected(error_from_errno(errno, "cannot make a pipe"));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

void become_program(char* const* argv, char* const* environment, const char* folder, const ChildEnds& ends,
                    pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotRun);  // It died before it could be told of.
  // High numbers first, so that no dup2 below closes one that is still needed.
  const int from = ends.input >= 0 ? ends.input : open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int input = fcntl(from, F_DUPFD, kAboveTheOthers);
  const int output = fcntl(ends.output, F_DUPFD, kAboveTheOthers);
  const int errors = fcntl(ends.errors, F_DUPFD, kAboveTheOthers);
  const int failure = fcntl(ends.failure, F_DUPFD, kAboveTheOthers);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  dup2(failure, kFailure);
  syscall(SYS_close_range, kFailure + 1U, ~0U, 0U);
  fcntl(kFailure, F_SETFD, FD_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGXFSZ}) signal(number, SIG_DFL);
  if (folder[0] == '\0' || chdir(folder) == 0) {
    environ = const_cast<char**>(environment);
    execvp(argv[0], argv);
  }
  const int error = errno;
  static_cast<void>(!write(kFailure, &error, sizeof error));
  _exit(kCannotRun);
}

}  // namespace backstay
