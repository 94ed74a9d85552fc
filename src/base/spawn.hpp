#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"

/// What every program that is started from here has in common, between fork and exec.
namespace backstay {

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};
/// Both ends are closed by exec.
Result<Pipe> make_pipe();

/// The texts as execve wants them, ended by nullptr; valid as long as they are.
std::vector<char*> pointers(std::vector<std::string>& texts);

/// What the child has open; all else is closed.
struct ChildEnds {
  int input = -1;  ///< -1: nothing is to be read.
  int output = -1;
  int errors = -1;   ///< May be `output`.
  int failure = -1;  ///< Gets errno, an int, when the program can't be run; closed when it runs.
};

/// Call it in the child of fork(): makes a process group of its own that dies with the thread which forked (`parent`:
/// that process), with the usual signals, and becomes the program, which PATH is searched for. `folder`: where it runs;
/// "": here. Only async-signal-safe calls.
[[noreturn]] void become_program(char* const* argv, char* const* environment, const char* folder, const ChildEnds& ends,
                                 pid_t parent);

}  // namespace backstay
