#pragma once

#include "services/local_files.hpp"
#include "tables/row_slicer.hpp"

/// Slices of Parquet and Arrow files by their rows.
namespace backstay::services {

/// Told how many bytes were read.
using OnBytes = std::function<void(std::uint64_t)>;

/// Files that were opened before other things are done with them: when one is changed meanwhile, reading it fails.
class OpenTables {
 public:
  static Result<OpenTables> open(const std::vector<FoundFile>& files, const OnBytes& on_bytes);
  /// Reads all rows, once. By value or in the order of the ranges; with neither, one slice without a digest.
  Result<std::vector<tables::RowSlice>> slice(const tables::Partition& partition);

 private:
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<tables::TableReader>> tables_;
};

}  // namespace backstay::services
