#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "fuzz/typed_table.hpp"
#include "tables/parquet_table.hpp"

using namespace backstay;

/// A Parquet file that a stranger wrote: every row that is given can be written in every way there is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto table = tables::ParquetTable::open(std::make_unique<tables::MemorySource>(bytes), {"f", {}, {}, true});
  if (table) fuzz::read_all(**table);
  return 0;
}
