#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay::guardrails {

/// One element of an output tensor, as it is written: "scores[0,1]", or "score" for one that has a single element.
struct TensorElement {
  std::string name;
  std::vector<std::uint64_t> index;  ///< By dimension, from 0; empty: its first element.

  static constexpr std::size_t kMostDimensions = 8;
  static Result<TensorElement> parse(const std::string& text);
  bool operator==(const TensorElement&) const = default;
};

}  // namespace backstay::guardrails
