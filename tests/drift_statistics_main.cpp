#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "domain/drift/distances.hpp"

using namespace backstay::drift;

namespace {

std::vector<double> read_numbers() {
  std::string line;
  std::getline(std::cin, line);
  std::istringstream in(line);
  std::vector<double> out;
  for (double value = 0; in >> value;) out.push_back(value);
  return out;
}

std::vector<Weighted> sample(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<Weighted> out;
  for (const double value : values) out.push_back({value, 1});
  return out;
}

}  // namespace

/// Prints what two lines of numbers, taken as samples ("samples") or as counts ("counts"), come to. For
/// tests/e2e/test_drift_statistics.py, which compares it with scipy.
int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::vector<double> a = read_numbers();
  const std::vector<double> b = read_numbers();
  if (what == "samples") {
    const auto x = sample(a);
    const auto y = sample(b);
    const double d = kolmogorov_smirnov(x, y);
    const auto n = static_cast<double>(a.size());
    const auto m = static_cast<double>(b.size());
    std::printf("{\"ks\": %.17g, \"ks_p\": %.17g, \"wasserstein\": %.17g}\n", d, ks_p_value(d, n, m),
                wasserstein(x, y));
  } else if (what == "counts" && a.size() == b.size()) {
    const TestResult both = chi_squared(a, b);
    const TestResult fit = chi_squared_fit(a, b);
    std::printf(
        "{\"chi2\": %.17g, \"chi2_p\": %.17g, \"fit\": %.17g, \"fit_p\": %.17g, \"js\": %.17g, \"psi\": %.17g, "
        "\"psi_p\": %.17g}\n",
        both.statistic, both.p_value, fit.statistic, fit.p_value, jensen_shannon(a, b), psi(a, b, 0),
        psi_test(a, b).p_value);
  } else if (what == "kolmogorov") {
    for (const double x : a) std::printf("%.17g ", kolmogorov_tail(x));
    std::printf("\n");
  } else if (what == "benjamini_hochberg") {
    for (const double p : benjamini_hochberg(a)) std::printf("%.17g ", p);
    std::printf("\n");
  } else {
    std::fprintf(stderr, "usage: backstay-drift-statistics samples|counts|kolmogorov|benjamini_hochberg\n");
    return 2;
  }
  return 0;
}
