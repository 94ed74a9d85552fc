#pragma once

#include <cstddef>
#include <span>

namespace backstay::guardrails {

/// e-BH (Wang and Ramdas, "False discovery rate control with e-values", 2022): of K e-values reject the k* largest,
///     k* = max{k : the k-th largest >= K / (alpha k)}.
/// Of what is rejected, at most a share alpha is rejected wrongly, on average, however the e-values depend on each
/// other. For the values of one moment (a stop at which all are read), also a moment that was chosen by looking at
/// them; not for the largest values that each ever had.
struct Rejection {
  std::size_t count = 0;  ///< k*.
  double log_limit = 0;   ///< ln(K / (alpha k*)): every e-value from here on is rejected. With k* = 0: that of k = 1.
};
/// `scratch` has the size of `log_e`. Allocates nothing.
Rejection e_bh(std::span<const double> log_e, double alpha, std::span<double> scratch);

}  // namespace backstay::guardrails
