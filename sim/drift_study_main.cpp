#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "sim/drift_study.hpp"

using namespace backstay::sim;

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Get>
double median_of(const std::vector<DriftRun>& runs, Get get) {
  std::vector<double> values;
  for (const DriftRun& run : runs) values.push_back(get(run));
  return median(values);
}

}  // namespace

/// backstay-drift-study [RUNS]: the tables of docs/drift.md. The seeds are 1 to RUNS.
int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 20;
  if (runs < 1) {
    std::fprintf(stderr, "usage: backstay-drift-study [RUNS]\n");
    return 2;
  }
  std::printf(
      "| stream | suggestions by | newest | followed | best stored | retrained | recovered of stored (least-most) | "
      "of retrained | switches |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const Stream stream : kStreams) {
    for (const Knowledge knowledge : {Knowledge::kDistance, Knowledge::kScores}) {
      std::vector<DriftRun> all;
      for (int seed = 1; seed <= runs; ++seed)
        all.push_back(run_drift(stream, knowledge, static_cast<std::uint64_t>(seed)));
      std::vector<double> recovered;
      for (const DriftRun& run : all) recovered.push_back(run.recovered_of_stored());
      std::printf("| %s | %s | %.3f | %.3f | %.3f | %.3f | %.0f%% (%.0f to %.0f%%) | %.0f%% | %.0f |\n",
                  to_string(stream), to_string(knowledge), median_of(all, [](const DriftRun& r) { return r.latest; }),
                  median_of(all, [](const DriftRun& r) { return r.followed; }),
                  median_of(all, [](const DriftRun& r) { return r.stored; }),
                  median_of(all, [](const DriftRun& r) { return r.retrained; }), 100 * median(recovered),
                  100 * *std::min_element(recovered.begin(), recovered.end()),
                  100 * *std::max_element(recovered.begin(), recovered.end()),
                  100 * median_of(all, [](const DriftRun& r) { return r.recovered_of_retrained(); }),
                  median_of(all, [](const DriftRun& r) { return static_cast<double>(r.switches); }));
      std::fflush(stdout);
    }
  }
  return 0;
}
