#include "domain/registry/measurement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace backstay::registry {

namespace {

constexpr std::string_view kData = ", data sha256:";
constexpr std::size_t kDigits = 12;

}  // namespace

std::string data_digest(const Scorecard& scorecard) {
  const std::size_t at = scorecard.evaluator.rfind(kData);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + kData.size();
  std::size_t end = scorecard.evaluator.find_first_not_of("0123456789abcdef", begin);
  if (end == std::string::npos) end = scorecard.evaluator.size();
  return scorecard.evaluator.substr(begin, end - begin);
}

std::string evaluator_of(const Measurement& measurement) {
  return fmt::format("backstay evaluate {}, suite {} sha256:{}{}{}", measurement.program_version, measurement.suite,
                     measurement.suite_sha256.substr(0, kDigits), kData, measurement.data_sha256.substr(0, kDigits));
}

std::string attribute_of(const std::string& group) {
  std::string names;
  for (std::size_t begin = 0; begin <= group.size();) {
    const std::size_t end = std::min(group.find(',', begin), group.size());
    const std::string part = group.substr(begin, end - begin);
    begin = end + 1;
    // A part without a comparison is the rest of a value that has a comma.
    const std::size_t compares = part.find_first_of("=<>!");
    if (compares == std::string::npos || compares == 0) continue;
    names += (names.empty() ? "" : ",") + part.substr(0, part.find_last_not_of(' ', compares - 1) + 1);
  }
  return names;
}

}  // namespace backstay::registry
