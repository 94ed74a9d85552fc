#pragma once

#include <string>
#include <vector>

#include "domain/registry/manifest.hpp"

namespace backstay::evaluation {

/// A tensor of the Open Inference Protocol, row-major. `texts` has the elements of BYTES, `numbers` those of anything
/// else (BOOL as 0 and 1; integers of more than 53 bits are not exact).
struct NamedTensor {
  registry::TensorSpec spec;  ///< Its shape without -1.
  std::vector<double> numbers;
  std::vector<std::string> texts;
};

}  // namespace backstay::evaluation
