#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "api/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/printable.hpp"

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

bool colours_are_wanted() {
  static const bool wanted = is_terminal(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  return wanted;
}

/// The bytes of a control character at `at`, or of one that changes the direction of writing or ends a line; 0: none.
std::size_t control_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : static_cast<unsigned char>(0);
  };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;  // U+0080 to U+009F
  if (byte(0) != 0xe2) return 0;
  const bool marks = byte(1) == 0x80 && (byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae));
  const bool isolates = byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
  return marks || isolates ? 3 : 0;
}

/// How long the sequence of coloured() at `at` is; 0: there is none.
std::size_t own_colour_at(std::string_view text, std::size_t at) {
  for (const std::string_view code : {"\033[32m", "\033[31m", "\033[33m", "\033[1m", "\033[2m", "\033[0m"})
    if (text.substr(at).starts_with(code)) return code.size();
  return 0;
}

std::string cleaned(const std::string& text, bool keep_colours) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t own = keep_colours ? own_colour_at(text, at) : 0; own > 0) {
      out += text.substr(at, own);
      at += own;
      continue;
    }
    const std::size_t control = control_at(text, at);
    const char c = text[at];
    out += control == 0 ? c : c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
    at += std::max<std::size_t>(control, 1);
  }
  return out;
}

}  // namespace

std::string printable(const std::string& text) {
  return cleaned(text, false);
}

bool is_terminal(int descriptor) {
  return isatty(descriptor) == 1;
}

std::string coloured(Colour colour, const std::string& text) {
  if (!colours_are_wanted()) return text;
  const char* codes[] = {"32", "31", "33", "1", "2"};
  return fmt::format("\033[{}m{}\033[0m", codes[static_cast<int>(colour)], text);
}

std::string table(const std::vector<std::vector<std::string>>& written) {
  // A cell is on one line, whatever a name from outside holds.
  std::vector<std::vector<std::string>> rows = written;
  for (auto& row : rows)
    for (std::string& cell : row) cell = cleaned(cell, colours_are_wanted());
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
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
  std::string message = printable(error.message);
  while (!message.empty() && message.back() == ' ') message.pop_back();
  // What another program said, at the end of a message, may be no sentence.
  if (message.find_last_of(".!?") + 1 != message.size()) message += ".";
  fmt::print(stderr, "error: {}\n", message);
  if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", printable(error.hint));
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
