#pragma once

#include <cstdint>

namespace backstay::gates {

struct Interval {
  double lower = 0;
  double upper = 1;
};

/// Fewer samples than this give no limits that rest on the central limit theorem (Student's). It is the textbooks' rule
/// of thumb; skewed values need more.
inline constexpr std::uint64_t kFewestForLimits = 30;
/// Samples that were all alike may stand for what varies from here on: an event in one of a hundred would have shown
/// (1 - 0.01)^300 < 0.05.
inline constexpr std::uint64_t kFewestAlike = 300;

/// The standard normal quantile: Newton steps on erfc, to about 1e-14. `p` in (0, 1).
double normal_quantile(double p);

/// Wilson's score interval for a rate, two-sided at `confidence`. `rate` need not be a whole number of `samples`.
/// No samples: [0, 1].
Interval wilson(double rate, std::uint64_t samples, double confidence);

/// Newcombe's hybrid score interval for rate_a - rate_b (Newcombe, 1998, method 10).
Interval newcombe(double rate_a, std::uint64_t samples_a, double rate_b, std::uint64_t samples_b, double confidence);

}  // namespace backstay::gates
