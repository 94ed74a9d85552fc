#pragma once

#include "tables/arrow_column.hpp"
#include "tables/table_reader.hpp"

/// Arrow's interprocess format (arrow/format/Columnar.rst, "Serialization and Interprocess Communication"). Its
/// metadata are FlatBuffers, read by flatbuffer.hpp. A record batch is read in pieces; what is compressed is unpacked
/// as a whole, up to 1 GiB.
namespace backstay::tables {

/// A file (Feather 2 is that, too), which has an index of its record batches at its end.
Result<std::unique_ptr<TableReader>> open_arrow_file(std::unique_ptr<ByteSource> source, const TableOptions& options);

/// A stream: the same without the index.
Result<std::unique_ptr<TableReader>> open_arrow_stream(std::unique_ptr<ByteSource> source, const TableOptions& options);

}  // namespace backstay::tables
