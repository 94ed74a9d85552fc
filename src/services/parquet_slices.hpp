#pragma once

#include "base/digest.hpp"
#include "services/local_files.hpp"
#include "tables/parquet_footer.hpp"

namespace backstay::services {

/// A Parquet file read once, in order: its digest, its footer, and the digest of each row group's bytes.
struct ParquetFile {
  Digest sha256;
  tables::ParquetFooter footer;
  std::vector<Digest> row_groups;
};

using ReadFile =
    std::function<Result<void>(const FoundFile&, const std::function<Result<void>(std::span<const std::byte>)>&)>;

/// The footer is read first, from the end; that it is the same when the file is read is checked.
Result<ParquetFile> read_parquet(const FoundFile& file, const ReadFile& read);

}  // namespace backstay::services
