#pragma once

#include <map>
#include <optional>
#include <utility>

#include "base/digest.hpp"
#include "tables/profile.hpp"
#include "tables/row_reader.hpp"
#include "tables/table_reader.hpp"

namespace backstay::tables {

/// How many slices one rule may make: a profile takes memory until the table's end.
constexpr std::size_t max_slices(bool profiled) {
  return profiled ? 1000 : 10'000;
}

/// How the rows of a table become slices. With neither, all rows are one slice, which is profiled and not digested.
struct Partition {
  std::string column;                                             ///< One slice per value of it.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges{};  ///< First and last row, counted from 0.
  bool profile = true;
  bool digest = true;
};

struct RowSlice {
  std::string value;  ///< Of the partition column; a missing one is "".
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  /// SHA-256 over the canonical head and the canonical forms of the slice's rows, in the files' order ("rows/1").
  Digest sha256;
  std::uint64_t rows = 0;
  std::optional<drift::Profile> profile;  ///< Nothing when none was asked for.
  std::vector<std::string> warnings{};    ///< What the profile lacks, in sentences.
};

/// Digests and profiles the slices of one table, which may be several files, in one pass.
class RowSlicer {
 public:
  /// Of a text table, which is fed.
  RowSlicer(Format format, const std::string& name, Partition partition);
  /// Of tables whose rows are read.
  RowSlicer(const std::string& name, Partition partition);
  /// All rows of a file. kUnsupported when digests are asked for and a column is nested: it would not be in them.
  Result<void> read(TableReader& table, const std::string& file);
  Result<void> feed(std::span<const std::byte> bytes) { return reader_->feed(bytes); }
  Result<void> end_file() { return reader_->end_file(); }
  /// By value or in the order of the ranges. Fails when a range goes beyond the table.
  Result<std::vector<RowSlice>> finish();

 private:
  struct Open {
    Sha256 hash;
    std::uint64_t rows = 0;
    std::optional<Profile> profile;
  };
  Result<void> take(const Row& row);
  Result<void> check_columns(const std::vector<ColumnInfo>& columns, const std::string& file);
  Result<void> take_batch(const ColumnBatch& batch);
  void begin_ranges();
  const std::vector<std::string>& columns() const { return reader_ ? reader_->columns() : names_; }
  std::string_view head() const { return reader_ ? reader_->canonical_head() : std::string_view(head_); }
  Result<std::size_t> partition_column() const;
  Open open() const;
  void add(Open& slice, const Row& row);
  RowSlice closed(Open& slice) const;
  std::vector<std::string> warnings_of(const drift::Profile& profile) const;

  const std::string name_;
  const Partition partition_;
  std::unique_ptr<RowReader> reader_;
  std::map<std::string, Open, std::less<>> by_value_;
  std::vector<Open> by_range_;
  std::vector<std::size_t> waiting_;  ///< Ranges that did not begin, the last one first.
  std::vector<std::size_t> under_way_;
  std::vector<ColumnInfo> infos_;  ///< Of tables whose rows are read.
  std::vector<std::string> names_;
  std::string head_;
  std::string canonical_;
  std::vector<std::string> texts_;
  std::vector<Cell> cells_;
  std::uint64_t row_ = 0;
  bool done_ = false;
};

}  // namespace backstay::tables
