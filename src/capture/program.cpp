#include "capture/program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/spawn.hpp"

namespace backstay::capture {

namespace {

constexpr std::size_t kMaxErrorBytes = 4096;

struct Pipes {
  Pipe input, output, errors, failure;
};

/// A child that is killed with its group and reaped, whatever happens.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) static_cast<void>(end(true));
  }
  int end(bool now) {
    if (now) kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

/// Moves bytes until both outputs are closed.
class Exchange {
 public:
  Exchange(const Command& command, Pipes& pipes, const std::function<Result<void>(std::span<const std::byte>)>& sink)
      : command_(command), pipes_(pipes), sink_(sink), end_(std::chrono::steady_clock::now() + command.deadline) {}

  Result<std::string> run() {
    fcntl(pipes_.input.write_end.get(), F_SETFL, O_NONBLOCK);
    if (command_.input.empty()) pipes_.input.write_end.reset();
    while (pipes_.output.read_end || pipes_.errors.read_end) {
      std::array<pollfd, 3> watched{{{pipes_.output.read_end.get(), POLLIN, 0},
                                     {pipes_.errors.read_end.get(), POLLIN, 0},
                                     {pipes_.input.write_end.get(), POLLOUT, 0}}};
      const auto left = std::chrono::ceil<milliseconds>(end_ - std::chrono::steady_clock::now()).count();
      const int ready = poll(watched.data(), watched.size(), left > 0 ? static_cast<int>(left) : 0);
      if (ready == 0)
        return Unexpected(ErrorCode::kTimeout,
                          fmt::format("{} took more than {} s.", command_.arguments[0], command_.deadline.count()),
                          "Is its disk or network slow? Try again.");
      if (ready < 0 && errno != EINTR) return Unexpected(error_from_errno(errno, "cannot wait for a program"));
      if (ready < 0) continue;
      if (watched[2].revents != 0) give();
      if (watched[0].revents != 0) TRY_DO(take(pipes_.output.read_end, true));
      if (watched[1].revents != 0) TRY_DO(take(pipes_.errors.read_end, false));
    }
    return std::move(errors_);
  }

 private:
  void give() {
    const ssize_t size =
        write(pipes_.input.write_end.get(), command_.input.data() + given_, command_.input.size() - given_);
    if (size > 0) given_ += static_cast<std::size_t>(size);
    const bool broken = size < 0 && errno != EAGAIN && errno != EINTR;
    if (broken || given_ == command_.input.size()) pipes_.input.write_end.reset();
  }

  Result<void> take(Descriptor& from, bool output) {
    const ssize_t size = read(from.get(), piece_.data(), piece_.size());
    if (size < 0 && errno == EINTR) return {};
    if (size <= 0) {
      from.reset();
      return {};
    }
    const std::span<const std::byte> bytes(piece_.data(), static_cast<std::size_t>(size));
    if (!output) {
      const std::size_t room = kMaxErrorBytes - errors_.size();
      errors_.append(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), room));
      return {};
    }
    taken_ += bytes.size();
    if (taken_ > command_.max_output_bytes)
      return Unexpected(ErrorCode::kResourceExhausted,
                        fmt::format("{} printed more than {} MiB.", command_.arguments[0],
                                    command_.max_output_bytes / (1024 * 1024)));
    return sink_(bytes);
  }

  const Command& command_;
  Pipes& pipes_;
  const std::function<Result<void>(std::span<const std::byte>)>& sink_;
  std::chrono::steady_clock::time_point end_;
  std::size_t given_ = 0;
  std::size_t taken_ = 0;
  std::string errors_;
  std::vector<std::byte> piece_ = std::vector<std::byte>(65536);
};

}  // namespace

Result<Finished> run_program(const Command& command,
                             const std::function<Result<void>(std::span<const std::byte>)>& sink) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = command.environment;
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  Pipes pipes;
  for (Pipe* pipe : {&pipes.input, &pipes.output, &pipes.errors, &pipes.failure}) {
    TRY(*pipe, make_pipe());
  }
  const std::string folder = command.folder.string();
  // A program that ends before it has read its input must not end this one.
  const auto before = signal(SIGPIPE, SIG_IGN);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0)
    become_program(argv.data(), envp.data(), folder.c_str(),
                   {pipes.input.read_end.get(), pipes.output.write_end.get(), pipes.errors.write_end.get(),
                    pipes.failure.write_end.get()},
                   parent);
  if (pid < 0) {
    signal(SIGPIPE, before);
    return Unexpected(error_from_errno(errno, "cannot start " + arguments[0]));
  }
  setpgid(pid, pid);
  Child child(pid);
  for (Descriptor* ours :
       {&pipes.input.read_end, &pipes.output.write_end, &pipes.errors.write_end, &pipes.failure.write_end})
    ours->reset();
  int error = 0;
  if (read(pipes.failure.read_end.get(), &error, sizeof error) == sizeof error) {
    signal(SIGPIPE, before);
    if (error == ENOENT)
      return Unexpected(ErrorCode::kNotFound, fmt::format("There is no program '{}'.", arguments[0]),
                        "Install it, or check the path.");
    return Unexpected(error_from_errno(error, "cannot run " + arguments[0]));
  }
  auto errors = Exchange(command, pipes, sink).run();
  signal(SIGPIPE, before);
  if (!errors) return Unexpected(std::move(errors).error());
  return Finished{child.end(false), *std::move(errors)};
}

Result<std::string> output_of(const Command& command) {
  std::string out;
  TRY(const Finished done, run_program(command, [&](std::span<const std::byte> piece) -> Result<void> {
        out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
      }));
  if (done.status != 0)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("{} exited with status {}: {}", command.arguments[0], done.status, done.errors));
  return out;
}

}  // namespace backstay::capture
