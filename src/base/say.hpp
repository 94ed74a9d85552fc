#pragma once

#include <string_view>

namespace backstay {

/// A line on standard error, or standard output, from a server that goes on whether anybody reads it or not: a full
/// disk under a log file, or a reader that has gone, is no reason to end. What can't be written at once is lost. From
/// any thread; a line is written as a whole.
void say(std::string_view line);
void say_on_output(std::string_view line);

}  // namespace backstay
