#include "capture/secret_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/descriptor.hpp"

namespace backstay::capture {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// What stands for no secret: nothing, a type, a reference to where the value really is.
bool is_reference(std::string_view value) {
  if (value.empty() || value.find_first_of("([{") != std::string_view::npos) return true;
  if (value[0] == '$' || value[0] == '<' || value[0] == '=') return true;
  while (!value.empty() && (value.back() == ',' || value.back() == ';')) value.remove_suffix(1);
  static constexpr std::array<std::string_view, 9> kWords = {"str",  "string", "bytes", "any",     "none",
                                                             "null", "true",   "false", "password"};
  return value.empty() || std::find(kWords.begin(), kWords.end(), value) != kWords.end();
}

/// What follows a name in a line, in lower case: whether it gives it a value. `first`: the name begins the line.
bool assigns(std::string_view rest, bool first) {
  rest = without_blanks(rest);
  // The name was quoted, as in JSON.
  if (!rest.empty() && (rest[0] == '"' || rest[0] == '\'')) rest = without_blanks(rest.substr(1));
  if (rest.empty() || (rest[0] != '=' && rest[0] != ':')) return false;
  rest = without_blanks(rest.substr(1));
  if (rest.empty()) return false;
  if (rest[0] == '"' || rest[0] == '\'') {
    const std::size_t end = rest.find(rest[0], 1);
    return end != 1 && !is_reference(rest.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  // A bare word in the middle of a line is an argument of a call that passes a variable on.
  return first && !is_reference(rest);
}

/// Any of a line's names that ends with `word` (or, unless `whole`, has it within), given a value.
bool gives_value(std::string_view line, std::string_view word, bool whole) {
  for (std::size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    std::size_t end = at + word.size();
    if (!whole)
      while (end < line.size() && is_name(line[end])) ++end;
    std::size_t begin = at;
    while (begin > 0 && (is_name(line[begin - 1]) || line[begin - 1] == '-' || line[begin - 1] == '.')) --begin;
    const std::string_view before = without_blanks(line.substr(0, begin));
    const bool first = before.empty() || before == "export" || before == "set" || before == "-" || before == "env";
    if (assigns(line.substr(end), first)) return true;
  }
  return false;
}

}  // namespace

bool has_secret_name(std::string_view file_name) {
  const std::string name = lower(file_name);
  for (const char* start : {".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"})
    if (name.starts_with(start)) return true;
  for (const char* end : {".pem", ".key", ".p12", ".pfx", ".env"})
    if (name.ends_with(end)) return true;
  if (name.find("credentials") != std::string::npos) return true;
  for (const char* whole : {".netrc", "_netrc", ".pgpass", ".pypirc", ".htpasswd"})
    if (name == whole) return true;
  return false;
}

bool has_secret_text(std::string_view text) {
  const std::string all = lower(text.substr(0, kMaxSecretScanBytes));
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t head = line.find("-----begin ");
    if (head != std::string_view::npos && line.find("private key", head) != std::string_view::npos) return true;
    if (gives_value(line, "aws_secret", false) || gives_value(line, "password", true)) return true;
  }
  return false;
}

Result<bool> looks_like_secret(const std::filesystem::path& file) {
  if (has_secret_name(file.filename().string())) return true;
  const Descriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!opened) return Unexpected(error_from_errno(errno, fmt::format("cannot open {}", file.string())));
  std::string text(kMaxSecretScanBytes, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(opened.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(error_from_errno(errno, fmt::format("cannot read {}", file.string())));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return has_secret_text(std::string_view(text).substr(0, size));
}

}  // namespace backstay::capture
