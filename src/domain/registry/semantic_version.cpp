#include "domain/registry/semantic_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace backstay::registry {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_identifier_byte(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Unexpected not_a_version(std::string_view text, std::string_view why) {
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("'{}' is not a semantic version: {}.", text.substr(0, 100), why),
                    "Write it like 2.1.0 or 2.1.0-rc.1.");
}

bool parse_number(std::string_view text, std::uint64_t& value) {
  if (!is_number(text) || (text.size() > 1 && text.front() == '0')) return false;
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
}

// Section 11.4 of the specification: numbers by value and below words, words by byte, fewer fields first.
std::strong_ordering compare_pre_release(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.empty() <=> b.empty();
  const auto left = split(a, '.');
  const auto right = split(b, '.');
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    const bool numbers = is_number(left[i]) && is_number(right[i]);
    auto order = std::strong_ordering::equal;
    if (numbers) {
      order = left[i].size() <=> right[i].size();  // No leading zeros: the longer number is the greater.
    } else if (is_number(left[i]) != is_number(right[i])) {
      order = is_number(left[i]) ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    if (order == 0) order = left[i].compare(right[i]) <=> 0;
    if (order != 0) return order;
  }
  return left.size() <=> right.size();
}

}  // namespace

Result<SemanticVersion> SemanticVersion::parse(std::string_view text) {
  if (text.size() > 64) return not_a_version(text, "it is longer than 64 characters");
  if (text.find('+') != std::string_view::npos)
    return not_a_version(text, "build metadata (+...) is not allowed, two versions may not differ only in it");
  SemanticVersion version;
  const std::size_t hyphen = text.find('-');
  const auto numbers = split(text.substr(0, hyphen), '.');
  if (numbers.size() != 3 || !parse_number(numbers[0], version.major) || !parse_number(numbers[1], version.minor) ||
      !parse_number(numbers[2], version.patch))
    return not_a_version(text, "it needs three numbers MAJOR.MINOR.PATCH without leading zeros");
  if (hyphen != std::string_view::npos) {
    version.pre_release = text.substr(hyphen + 1);
    for (std::string_view part : split(version.pre_release, '.')) {
      std::uint64_t ignored = 0;
      if (part.empty() || !std::all_of(part.begin(), part.end(), is_identifier_byte) ||
          (is_number(part) && !parse_number(part, ignored)))
        return not_a_version(text, "the pre-release part is malformed");
    }
  }
  return version;
}

std::string SemanticVersion::str() const {
  return fmt::format("{}.{}.{}{}{}", major, minor, patch, pre_release.empty() ? "" : "-", pre_release);
}

std::strong_ordering SemanticVersion::operator<=>(const SemanticVersion& other) const {
  if (const auto order = major <=> other.major; order != 0) return order;
  if (const auto order = minor <=> other.minor; order != 0) return order;
  if (const auto order = patch <=> other.patch; order != 0) return order;
  return compare_pre_release(pre_release, other.pre_release);
}

Result<VersionRef> VersionRef::parse(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' does not name a version.", text.substr(0, 200)),
                      "Write it like model@2.1.0.");
  }
  VersionRef ref;
  ref.model = text.substr(0, at);
  TRY_DO(check_name("model", ref.model));
  TRY(ref.version, SemanticVersion::parse(text.substr(at + 1)));
  return ref;
}

std::string VersionRef::str() const {
  return model + "@" + version.str();
}

Result<void> check_name(std::string_view what, std::string_view name) {
  const auto allowed = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-'; };
  const bool good = !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), allowed) &&
                    (is_digit(name.front()) || (name.front() >= 'a' && name.front() <= 'z'));
  if (good) return {};
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a {} name.", name.substr(0, 120), what),
                    "Use 1 to 100 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit.");
}

}  // namespace backstay::registry
