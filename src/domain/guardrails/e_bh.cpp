#include "domain/guardrails/e_bh.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace backstay::guardrails {

Rejection e_bh(std::span<const double> log_e, double alpha, std::span<double> scratch) {
  const auto limit = [&](std::size_t k) {
    return std::log(static_cast<double>(log_e.size())) - std::log(alpha) - std::log(static_cast<double>(k));
  };
  std::copy(log_e.begin(), log_e.end(), scratch.begin());
  std::sort(scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(log_e.size()), std::greater<>());
  for (std::size_t k = log_e.size(); k > 0; --k)
    if (scratch[k - 1] >= limit(k)) return {k, limit(k)};
  return {0, log_e.empty() ? 0.0 : limit(1)};
}

}  // namespace backstay::guardrails
