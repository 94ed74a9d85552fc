#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/exit_code.hpp"

namespace backstay::cli {

namespace {

/// Columns a text takes: escape sequences none, each UTF-8 character one.
std::size_t width(const std::string& text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++columns;
    }
  }
  return columns;
}

}  // namespace

bool is_terminal(int descriptor) {
  return isatty(descriptor) == 1;
}

std::string coloured(Colour colour, const std::string& text) {
  static const bool wanted = is_terminal(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  if (!wanted) return text;
  const char* codes[] = {"32", "31", "33", "1", "2"};
  return fmt::format("\033[{}m{}\033[0m", codes[static_cast<int>(colour)], text);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      // A cell is on one line, whatever a name from outside holds.
      for (const char c : row[i]) out += c == '\n' || c == '\r' ? ' ' : c;
      if (i + 1 < row.size()) out += std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(units)) {
    size /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, units[unit]);
}

void print_error(const Error& error, bool as_json) {
  if (as_json) {
    nlohmann::json body{{"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
    if (!error.hint.empty()) body["error"]["hint"] = error.hint;
    fmt::print(stderr, "{}\n", api::dump(body));
    return;
  }
  fmt::print(stderr, "error: {}\n", error.message);
  if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
}

ExitCode exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return kUsage;
    case ErrorCode::kNotFound: return kNotFound;
    case ErrorCode::kConflict: return kConflict;
    case ErrorCode::kFailedPrecondition: return kPrecondition;
    case ErrorCode::kIntegrity: return kIntegrity;
    case ErrorCode::kUnavailable: return kUnavailable;
    case ErrorCode::kTimeout: return kTimedOut;
    case ErrorCode::kResourceExhausted: return kNoSpace;
    case ErrorCode::kPermissionDenied: return kPermission;
    case ErrorCode::kUnsupported: return kUnsupported;
    case ErrorCode::kInternal: return kFailure;
  }
  return kFailure;
}

}  // namespace backstay::cli
