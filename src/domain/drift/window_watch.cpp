#include "domain/drift/window_watch.hpp"

#include <cmath>

#include "domain/drift/pair_drift.hpp"

namespace backstay::drift {

WindowWatch::WindowWatch(const Profile& training, double alpha, std::set<std::string> ignored)
    : alpha_(alpha), ignored_(std::move(ignored)) {
  training_.rows = training.rows;
  training_.pairs = training.pairs;
  for (const Profile::Named& column : training.columns)
    if (column.column.vectors.count() > 0 && !ignored_.contains(column.name)) training_.columns.push_back(column);
  ignored_.merge(heavy_tailed(training));  // Whose columns of numbers are not kept here.
}

WindowWatch::Alarms WindowWatch::judge(const Profile& window) {
  Alarms out;
  Thresholds limits;
  if (!watches() || window.rows < limits.min_rows) return out;
  const auto k = static_cast<double>(++windows_);
  limits.alpha = alpha_ * 6 / (M_PI * M_PI * k * k);
  const Comparison found = compare(training_, window, limits, ignored_);
  const auto tests = static_cast<double>(found.pairs.size() + found.columns.size());
  for (const ColumnDrift& column : found.columns)
    if (column.drifted && column.p_value * tests <= limits.alpha && told_vectors_.insert(column.name).second)
      out.vectors.push_back(column);
  for (const PairDrift& pair : found.pairs)
    if (pair.drifted && pair.p_value * tests <= limits.alpha && told_pairs_.emplace(pair.x, pair.y).second)
      out.pairs.push_back(pair);
  return out;
}

}  // namespace backstay::drift
