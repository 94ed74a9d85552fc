#include "cli/evidence_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/terminal.hpp"
#include "monitor/explain_rollout.hpp"

namespace backstay::cli {

namespace {

constexpr int kColumns = 60;
constexpr int kRows = 12;

std::string odds(double log_e) {
  const double e = std::exp(log_e);
  if (e >= 1e6) return fmt::format("{:.0e}:1", e);
  if (e >= 10) return fmt::format("{:.0f}:1", e);
  return e >= 0.1 ? fmt::format("{:.1f}:1", e) : fmt::format("{:.0e}:1", e);
}

}  // namespace

std::string evidence_chart(const monitor::Course& course, double log_limit) {
  if (course.points.empty()) return "";
  double low = 0;
  double high = log_limit * 1.1;
  double highest = 0;
  for (const auto& point : course.points) {
    low = std::min(low, point.log_e);
    highest = std::max(highest, point.log_e);
  }
  high = std::max(high, highest);
  low = std::max(low, -2 * log_limit);  // How innocent it looked before does not matter.
  const double last = std::max<double>(1, static_cast<double>(course.points.back().after.count()));
  const auto row_of = [&](double log_e) {
    const double place = (std::clamp(log_e, low, high) - low) / (high - low);
    return kRows - 1 - static_cast<int>(std::lround(place * (kRows - 1)));
  };
  std::vector<std::vector<const char*>> cells(kRows, std::vector<const char*>(kColumns, " "));
  const int limit_row = row_of(log_limit);
  std::fill(cells[limit_row].begin(), cells[limit_row].end(), "─");
  // Between two points the evidence stays as it was.
  std::size_t next = 0;
  double log_e = 0;
  for (int column = 0; column < kColumns; ++column) {
    const double until = last * (column + 1) / kColumns;
    double most = log_e;
    for (; next < course.points.size() && static_cast<double>(course.points[next].after.count()) <= until; ++next) {
      log_e = course.points[next].log_e;
      most = std::max(most, log_e);
    }
    // What is near the limit has not reached it.
    const int row = most < log_limit ? std::max(row_of(most), limit_row + 1) : row_of(most);
    cells[row][column] = "█";
  }
  std::string out;
  for (int row = 0; row < kRows; ++row) {
    const std::string label = row == limit_row                  ? "limit " + odds(log_limit)
                              : row == row_of(0)                ? odds(0)
                              : row == 0 && highest > log_limit ? odds(high)
                              : row == kRows - 1 && low < 0     ? odds(low)
                                                                : "";
    std::string line;
    for (const char* cell : cells[row]) line += cell;
    out += fmt::format("{:>14} │{}\n", label, row == limit_row ? coloured(Colour::kRed, line) : line);
  }
  out += fmt::format("{:>14} └{}\n", "", fmt::format("{:─<{}}", "", kColumns));
  out += fmt::format("{:>14}  0{:>{}}\n", "", monitor::length_text(course.points.back().after), kColumns - 1);
  return out;
}

}  // namespace backstay::cli
