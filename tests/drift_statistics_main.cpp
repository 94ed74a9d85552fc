#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "domain/drift/co_moments.hpp"
#include "domain/drift/distances.hpp"
#include "domain/drift/pair_drift.hpp"
#include "domain/drift/vector_drift.hpp"

using namespace backstay::drift;

namespace {

std::vector<double> read_numbers() {
  std::string line;
  std::getline(std::cin, line);
  std::istringstream in(line);
  std::vector<double> out;
  for (std::string value; in >> value;) out.push_back(std::strtod(value.c_str(), nullptr));
  return out;
}

std::vector<Weighted> sample(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<Weighted> out;
  for (const double value : values) out.push_back({value, 1});
  return out;
}

/// 16 numbers each.
std::vector<Projected> points(const std::vector<double>& values) {
  std::vector<Projected> out(values.size() / kProjected);
  for (std::size_t i = 0; i < out.size() * kProjected; ++i) out[i / kProjected][i % kProjected] = values[i];
  return out;
}

ProjectedMoments moments(const std::vector<Projected>& from) {
  ProjectedMoments out;
  for (const Projected& point : from) out.add(point);
  return out;
}

}  // namespace

/// Prints what two lines of numbers, taken as samples ("samples"), as counts ("counts"), as two columns ("pair") or
/// as correlations with their rows ("correlations"), as points of 16 numbers
/// each ("vectors") or as a vector ("project"), come to. For
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
  } else if (what == "pair" && a.size() == b.size()) {
    CoMoments rows;
    RowBlock block(2);
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!std::isnan(a[i])) block.put_number(0, a[i], false);
      if (!std::isnan(b[i])) block.put_number(1, b[i], false);
      block.end_row();
      if (!block.full()) continue;
      rows.add(block);
      block.clear();
    }
    rows.add(block);
    const PairMoments pair = rows.named({{0, "x"}, {1, "y"}}).find("x", "y");
    std::printf("{\"rows\": %llu, \"correlation\": %.17g, \"blocks\": %llu, \"mean_z\": %.17g, \"spread\": %.17g}\n",
                static_cast<unsigned long long>(pair.rows), pair.correlation(),
                static_cast<unsigned long long>(pair.blocks), pair.mean_z, pair.spread);
  } else if (what == "vectors") {
    const std::vector<Projected> x = points(a);
    const std::vector<Projected> y = points(b);
    const MmdTest mmd = mmd_test(x, y);
    const TestResult means = means_test(moments(x), moments(y));
    std::printf(
        "{\"mmd\": %.17g, \"bandwidth\": %.17g, \"skewness\": %.17g, \"mmd_p\": %.17g, \"frechet\": %.17g, "
        "\"t2\": %.17g, \"t2_p\": %.17g}\n",
        mmd.squared, mmd.bandwidth, mmd.skewness, mmd.p_value, frechet_distance(moments(x), moments(y)),
        means.statistic, means.p_value);
  } else if (what == "project") {
    for (const double each : project(a)) std::printf("%.17g ", each);
    std::printf("\n");
  } else if (what == "correlations" && a.size() == 2 && b.size() == 2) {
    const TestResult test = correlation_test(a[0], a[1], b[0], b[1]);
    std::printf("{\"z\": %.17g, \"p\": %.17g}\n", test.statistic, test.p_value);
  } else if (what == "kolmogorov") {
    for (const double x : a) std::printf("%.17g ", kolmogorov_tail(x));
    std::printf("\n");
  } else if (what == "benjamini_hochberg") {
    for (const double p : benjamini_hochberg(a)) std::printf("%.17g ", p);
    std::printf("\n");
  } else {
    std::fprintf(stderr,
                 "usage: backstay-drift-statistics "
                 "samples|counts|pair|correlations|vectors|project|kolmogorov|benjamini_hochberg\n");
    return 2;
  }
  return 0;
}
