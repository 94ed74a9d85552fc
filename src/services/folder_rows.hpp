#pragma once

#include <memory>
#include <optional>

#include "services/measure_data.hpp"
#include "tables/row_slicer.hpp"

namespace backstay::services {

/// The kind of table that all files of a folder are, without those whose names begin with _ (_SUCCESS, _metadata: notes
/// of whatever wrote the folder). Nothing when there is a file of another kind, or none at all.
std::optional<tables::TableKind> kind_of_folder(const std::vector<FoundFile>& files);

/// The rows of a folder's tables taken together: how many there are, and their profile. One file is open at a time, so
/// a folder may have thousands. Rows that can't be read are a warning and never an error: the folder's digest does not
/// depend on them. Not thread-safe.
///
/// For each file, in order: begin(), feed() with all of its bytes, end(). begin() opens a Parquet or Arrow file, so a
/// change between the hashing of its bytes and the reading of its rows is found.
class FolderRows {
 public:
  /// `name` is the slice's; `on_bytes` is told what is read besides the bytes that are fed.
  FolderRows(const PlannedSlices& plan, const std::string& name, std::function<void(std::uint64_t)> on_bytes);

  Result<void> begin(const FoundFile& file);
  Result<void> feed(std::span<const std::byte> piece);
  Result<void> end();
  /// Nothing when rows were not counted. The profile is empty when there is none.
  Result<std::optional<tables::RowSlice>> finish(std::vector<std::string>& warnings);

 private:
  Result<void> note(Result<void> done);
  Result<std::uint64_t> rows_by_footers() const;

  const PlannedSlices& plan_;
  const std::string name_;
  const std::function<void(std::uint64_t)> on_bytes_;
  std::optional<tables::TableKind> kind_;
  bool mixed_ = false;  ///< Some files are tables, and others are not or are of another kind.
  bool typed_ = false;
  std::optional<tables::RowSlicer> rows_;
  std::optional<Error> unreadable_;
  const FoundFile* file_ = nullptr;             ///< Under way, when its rows count.
  std::unique_ptr<tables::TableReader> table_;  ///< Of file_, when it is Parquet or Arrow.
};

}  // namespace backstay::services
