#include "base/say.hpp"

#include <poll.h>
#include <unistd.h>

#include <string>

namespace backstay {

namespace {

void write_line(int descriptor, std::string_view line) {
  std::string text(line);
  text += '\n';
  constexpr int kPatience = 100;  // Milliseconds, for a reader that is slow.
  pollfd one{descriptor, POLLOUT, 0};
  if (poll(&one, 1, kPatience) > 0) static_cast<void>(!::write(descriptor, text.data(), text.size()));
}

}  // namespace

void say(std::string_view line) {
  write_line(STDERR_FILENO, line);
}

void say_on_output(std::string_view line) {
  write_line(STDOUT_FILENO, line);
}

}  // namespace backstay
