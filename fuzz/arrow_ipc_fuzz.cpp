#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "fuzz/typed_table.hpp"
#include "tables/arrow_table.hpp"

using namespace backstay;

/// An Arrow file or stream that a stranger wrote: every row that is given can be written in every way there is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto source = [&] { return std::make_unique<tables::MemorySource>(bytes); };
  auto table = bytes.starts_with("ARROW1") ? tables::open_arrow_file(source(), {"f", {}, {}, true})
                                           : tables::open_arrow_stream(source(), {"f", {}, {}, true});
  if (table) fuzz::read_all(**table);
  return 0;
}
