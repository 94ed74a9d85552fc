#pragma once

#include <string>

namespace backstay::cli {

/// Text that came from outside, for one line of a terminal or a log: line ends and tabs become blanks; what would move
/// the cursor, change colours or the direction of writing becomes "?". So no name begins a line of its own, which a CI
/// system might take for a command.
std::string printable(const std::string& text);

}  // namespace backstay::cli
