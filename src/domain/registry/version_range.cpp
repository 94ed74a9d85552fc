#include "domain/registry/version_range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace backstay::registry {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The next run of digits or of letters; what separates them is skipped. Empty at the end.
std::string_view next_part(std::string_view& text) {
  while (!text.empty() && !is_digit(text.front()) && !is_letter(text.front())) text.remove_prefix(1);
  if (text.empty()) return {};
  const bool number = is_digit(text.front());
  std::size_t size = 1;
  while (size < text.size() && (number ? is_digit(text[size]) : is_letter(text[size]))) ++size;
  const std::string_view part = text.substr(0, size);
  text.remove_prefix(size);
  return part;
}

std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

std::strong_ordering compare_parts(std::string_view a, std::string_view b) {
  if (a.empty()) a = "0";
  if (b.empty()) b = "0";
  const bool a_number = is_digit(a.front());
  const bool b_number = is_digit(b.front());
  if (a_number != b_number) return a_number ? std::strong_ordering::greater : std::strong_ordering::less;
  return a_number ? compare_numbers(a, b) : a.compare(b) <=> 0;
}

std::string_view without_v(std::string_view text) {
  if (text.size() > 1 && (text[0] == 'v' || text[0] == 'V') && is_digit(text[1])) text.remove_prefix(1);
  return text;
}

bool starts_with_parts(std::string_view version, std::string_view prefix) {
  version = without_v(version);
  prefix = without_v(prefix);
  while (true) {
    const std::string_view wanted = next_part(prefix);
    if (wanted.empty()) return true;
    if (compare_parts(next_part(version), wanted) != 0) return false;
  }
}

std::vector<std::uint64_t> leading_numbers(std::string_view version) {
  version = without_v(version);
  std::vector<std::uint64_t> numbers;
  for (std::string_view part = next_part(version); !part.empty() && is_digit(part.front()) && part.size() < 19;
       part = next_part(version)) {
    std::uint64_t value = 0;
    for (char c : part) value = value * 10 + static_cast<std::uint64_t>(c - '0');
    numbers.push_back(value);
  }
  return numbers;
}

/// The first version that differs from `numbers` at `place`: 2.1 with place 0 gives 3.
std::string next_at(const std::vector<std::uint64_t>& numbers, std::size_t place) {
  std::string out;
  for (std::size_t i = 0; i < place; ++i) out += fmt::format("{}.", numbers[i]);
  return out + std::to_string(numbers[place] + 1);
}

Unexpected not_a_range(std::string_view text, std::string_view why) {
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("'{}' is not a version range: {}.", text.substr(0, 100), why),
                    "Write it like 14.2, >=12 <15, ^2.1, ~2.1, 12.* or ^2.1 || ^3.0.");
}

}  // namespace

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  a = without_v(a);
  b = without_v(b);
  while (true) {
    const std::string_view left = next_part(a);
    const std::string_view right = next_part(b);
    if (left.empty() && right.empty()) return std::strong_ordering::equal;
    if (const auto order = compare_parts(left, right); order != 0) return order;
  }
}

Result<VersionRange> VersionRange::parse(std::string_view text) {
  if (text.size() > 500) return not_a_range(text, "it is longer than 500 characters");
  VersionRange range;
  std::string_view left = text;
  while (true) {
    const std::size_t bar = std::min(left.find("||"), left.size());
    std::string_view alternative = left.substr(0, bar);
    std::vector<Condition> conditions;
    while (true) {
      const std::size_t begin = alternative.find_first_not_of(" ,");
      if (begin == std::string_view::npos) break;
      // ">= 12" is one condition.
      const std::size_t version = alternative.find_first_not_of("<>=!^~ ", begin);
      const std::size_t end =
          std::min(alternative.find_first_of(" ,", std::min(version, alternative.size())), alternative.size());
      if (auto added = add_condition(alternative.substr(begin, end - begin), conditions); !added)
        return Unexpected(std::move(added).error());
      alternative.remove_prefix(end);
    }
    if (conditions.empty()) return not_a_range(text, "there is no condition in it");
    range.alternatives_.push_back(std::move(conditions));
    if (bar == left.size()) return range;
    left.remove_prefix(bar + 2);
  }
}

Result<void> VersionRange::add_condition(std::string_view text, std::vector<Condition>& out) {
  struct Spelling {
    std::string_view text;
    Operator op;
  };
  static constexpr std::array<Spelling, 7> kOperators{{{"==", Operator::kEqual},
                                                       {"!=", Operator::kNotEqual},
                                                       {"<=", Operator::kAtMost},
                                                       {">=", Operator::kAtLeast},
                                                       {"<", Operator::kLess},
                                                       {">", Operator::kMore},
                                                       {"=", Operator::kEqual}}};
  const std::size_t begin = text.find_first_not_of("<>=!^~ ");
  if (begin == std::string_view::npos) return not_a_range(text, "a version is missing");
  std::string_view op = text.substr(0, begin);
  while (!op.empty() && op.back() == ' ') op.remove_suffix(1);
  const std::string version(text.substr(begin));
  const std::vector<std::uint64_t> numbers = leading_numbers(version);

  if (op == "^" || op == "~" || op == "~=") {
    if (numbers.empty()) return not_a_range(text, "it needs a version that begins with a number");
    std::size_t place = 0;
    if (op == "^")
      while (place + 1 < numbers.size() && numbers[place] == 0) ++place;
    if (op == "~") place = numbers.size() > 1 ? 1 : 0;
    if (op == "~=") {
      if (numbers.size() < 2) return not_a_range(text, "~= needs at least two numbers, as in ~=2.1");
      place = numbers.size() - 2;
    }
    out.push_back({Operator::kAtLeast, version});
    out.push_back({Operator::kLess, next_at(numbers, place)});
    return {};
  }
  if (op.empty() && (version == "*" || version == "x")) {
    out.push_back({Operator::kAny, ""});
    return {};
  }
  if ((op.empty() || op == "=" || op == "==") && (version.ends_with(".*") || version.ends_with(".x"))) {
    out.push_back({Operator::kStartsWith, version.substr(0, version.size() - 2)});
    return {};
  }
  if (version.find('*') != std::string::npos) return not_a_range(text, "a * stands only at the end, as in 12.*");
  if (std::none_of(version.begin(), version.end(), [](char c) { return is_digit(c) || is_letter(c); }))
    return not_a_range(text, "a version is missing");
  if (op.empty()) {
    out.push_back({Operator::kEqual, version});
    return {};
  }
  const auto* found =
      std::find_if(kOperators.begin(), kOperators.end(), [&](const Spelling& known) { return known.text == op; });
  if (found == kOperators.end()) return not_a_range(text, fmt::format("there is no operator '{}'", op));
  out.push_back({found->op, version});
  return {};
}

bool VersionRange::holds(const Condition& condition, std::string_view version) {
  if (condition.op == Operator::kAny) return true;
  if (condition.op == Operator::kStartsWith) return starts_with_parts(version, condition.version);
  const std::strong_ordering order = compare_versions(version, condition.version);
  switch (condition.op) {
    case Operator::kEqual: return order == 0;
    case Operator::kNotEqual: return order != 0;
    case Operator::kLess: return order < 0;
    case Operator::kAtMost: return order <= 0;
    case Operator::kMore: return order > 0;
    default: return order >= 0;
  }
}

bool VersionRange::contains(std::string_view version) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const std::vector<Condition>& conditions) {
    return std::all_of(conditions.begin(), conditions.end(),
                       [&](const Condition& condition) { return holds(condition, version); });
  });
}

}  // namespace backstay::registry
