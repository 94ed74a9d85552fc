#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

/// What people see.
namespace backstay::cli {

bool is_terminal(int descriptor);

/// Text in a colour when standard output is a terminal (and NO_COLOR is not set).
enum class Colour { kGreen, kRed, kYellow, kBold, kDim };
std::string coloured(Colour colour, const std::string& text);

/// Columns aligned by their widest cell (colours and UTF-8 counted as they show); the first row is the head.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// "12.3 MiB"
std::string human_bytes(std::uint64_t bytes);

/// "error: ..." and what to do, on standard error.
void print_error(const Error& error, bool as_json);

}  // namespace backstay::cli
