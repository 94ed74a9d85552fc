#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace backstay::serving {

/// A process that was started as the leader of its own group, with its output on a pipe.
struct ChildProcess {
  pid_t pid = -1;
  Descriptor pidfd;   ///< Readable when it has exited.
  Descriptor output;  ///< Non-blocking read end of its stdout and stderr.
};

/// Starts `command` (no shell) with /dev/null as input and no other descriptor of ours. It inherits the environment
/// without variables whose names look like secrets, plus `extra` ("NAME=value"). It is killed when the calling thread
/// ends, so call from a thread that lives as long as the process should.
Result<ChildProcess> start_process(const std::vector<std::string>& command, const std::vector<std::string>& extra);

/// Signals the process and everything it started that stayed in its group.
void signal_group(const ChildProcess& child, int signal);

/// Reaps a child that has exited, after killing what is left of its group. "exited with status 3", "was killed by
/// signal 9 (Killed)".
std::string reap(ChildProcess& child);

/// Whether a variable must not be handed to a backend: its name holds TOKEN, SECRET, PASSWORD, PASSWD, CREDENTIAL or
/// KEY.
bool looks_secret(std::string_view name);

}  // namespace backstay::serving
