#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace backstay::registry {

/// Orders versions of any software, "14.2", "2.1.0-rc.1", "2026-08": numbers and words are compared part by part, a
/// missing part counts as 0, and a word sorts before every number, so 14rc1 < 14 = 14.0 < 14.1. A leading "v" is
/// ignored.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

/// Which versions of an infrastructure a model version works with:
///
///     14.2          equal to (14.2 = 14.2.0)          >=12 <15      every condition
///     12.*          any that starts like this         ^2.1 || ^3.0  one of the alternatives
///     ^2.1          >=2.1 and <3 (^0.3: <0.4)         *             any
///     ~2.1          >=2.1 and <2.2 (~=2.1: as in PEP 440, >=2.1 and <3)
///
/// Conditions are separated by spaces or commas. Operators: = == != < <= > >= ^ ~ ~=.
class VersionRange {
 public:
  /// Fails on an empty text, an unknown operator and a condition without a version.
  static Result<VersionRange> parse(std::string_view text);
  bool contains(std::string_view version) const;

 private:
  enum class Operator { kEqual, kNotEqual, kLess, kAtMost, kMore, kAtLeast, kStartsWith, kAny };
  struct Condition {
    Operator op = Operator::kEqual;
    std::string version;
  };
  static Result<void> add_condition(std::string_view text, std::vector<Condition>& out);
  static bool holds(const Condition& condition, std::string_view version);
  std::vector<std::vector<Condition>> alternatives_;
};

}  // namespace backstay::registry
