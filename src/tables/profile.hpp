#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tables/row_reader.hpp"

namespace backstay::tables {

/// What the rows of a slice look like, in bounded memory and as JSON of at most a few hundred KiB:
///
///   {"profile": "backstay-profile/1", "rows": 120, "columns": [
///     {"name": "age", "type": "integer", "missing": 2, "distinct": 61, "min": 18, "max": 93, "mean": 55.2}, ...]}
///
/// type is the only kind of value there is: integer, number (integers among them), boolean, text, nested; mixed when
/// there are several, empty when all are missing (empty cells, null). A text counts as a number or boolean when all of
/// it is one ("0.5", "true"). min, max and mean (compensated summation, Neumaier 1974) are over the numbers. distinct
/// counts values up to 100; with more there is "distinct_more": true. Of texts nothing but counts is kept, so that a
/// profile discloses no person's values but the extremes of numbers. The first 256 columns are told.
class Profile {
 public:
  void add(const Row& row);
  std::string json(const std::vector<std::string>& columns) const;
  std::uint64_t rows() const { return rows_; }

 private:
  struct Column {
    std::uint64_t present = 0, integers = 0, numbers = 0, booleans = 0, texts = 0, nested = 0;
    double min = 0, max = 0, sum = 0, compensation = 0;
    std::vector<std::uint64_t> seen;  ///< Hashes of distinct values, sorted.
    bool more = false;
    void add(const Cell& cell);
    void add_number(double number, bool integer);
    void see(std::string_view text);
  };
  std::vector<Column> columns_;
  std::uint64_t rows_ = 0;
};

}  // namespace backstay::tables
