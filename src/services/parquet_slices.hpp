#pragma once

#include "base/digest.hpp"
#include "services/local_files.hpp"
#include "tables/parquet_footer.hpp"
#include "tables/row_slicer.hpp"

namespace backstay::services {

/// A Parquet file read once, in order: its digest, its footer, and the digest of each row group's bytes.
struct ParquetFile {
  Digest sha256;
  tables::ParquetFooter footer;
  std::vector<Digest> row_groups;
};

using ReadFile =
    std::function<Result<void>(const FoundFile&, const std::function<Result<void>(std::span<const std::byte>)>&)>;

/// The footer only, from the file's end.
Result<tables::ParquetFooter> read_parquet_footer(const FoundFile& file, const std::string& column = {});

/// The footer is read first; that it is the same when the file is read is checked.
Result<ParquetFile> read_parquet(const FoundFile& file, const ReadFile& read, const std::string& column = {});

/// A slice of one or more files by whole row groups, of which no row is read.
struct ParquetPart {
  std::string value;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  Digest sha256;  ///< Of the list "DIGEST  PATH#INDEX\n" of its row groups, in order ("row-groups/1").
  std::uint64_t rows = 0;
  std::string profile;
};

/// One slice per value of the column, when each row group has only one, as its statistics tell; or one per range
/// of rows, counted over all files, when each begins and ends with a row group. kUnsupported names the row group that
/// does not, before more than the footers was read.
Result<std::vector<ParquetPart>> slice_parquet(const std::vector<FoundFile>& files, const tables::Partition& partition,
                                               const ReadFile& read);

}  // namespace backstay::services
