#include "domain/guardrails/spending.hpp"

#include <algorithm>

namespace backstay::guardrails {

double log_sum_exp(const double* values, std::size_t count) {
  const double greatest = *std::max_element(values, values + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(values[i] - greatest);
  return greatest + std::log(sum);
}

double log_mean_exp(const double* values, std::size_t count) {
  return log_sum_exp(values, count) - std::log(static_cast<double>(count));
}

double log_add(double a, double b) {
  const double greater = std::max(a, b);
  if (std::isinf(greater)) return greater;
  return greater + std::log1p(std::exp(std::min(a, b) - greater));
}

}  // namespace backstay::guardrails
