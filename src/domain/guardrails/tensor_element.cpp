#include "domain/guardrails/tensor_element.hpp"

#include <fmt/format.h>

#include <charconv>

namespace backstay::guardrails {

Result<TensorElement> TensorElement::parse(const std::string& text) {
  const auto wrong = [&] {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no element of a tensor.", text),
                      "Write the output's name and the index in each dimension: scores[0,1].");
  };
  TensorElement out;
  const std::size_t bracket = text.find('[');
  out.name = text.substr(0, bracket);
  if (out.name.empty() || out.name.find(']') != std::string::npos) return wrong();
  if (bracket == std::string::npos) return out;
  if (text.back() != ']') return wrong();
  const char* at = text.data() + bracket + 1;
  const char* const end = text.data() + text.size() - 1;
  while (true) {
    std::uint64_t number = 0;
    const auto [next, problem] = std::from_chars(at, end, number);
    if (problem != std::errc{} || out.index.size() == kMostDimensions) return wrong();
    out.index.push_back(number);
    if (next == end) return out;
    if (*next != ',') return wrong();
    at = next + 1;
    while (at < end && *at == ' ') ++at;
  }
}

}  // namespace backstay::guardrails
