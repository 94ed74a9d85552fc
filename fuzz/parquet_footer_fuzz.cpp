#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "tables/parquet_footer.hpp"

using namespace backstay;

/// The footer of a Parquet file that a stranger wrote: whatever is accepted lies inside of the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::uint64_t file_size = size + 100'000;
  static_cast<void>(tables::parquet_footer_size("f", text.substr(0, 8), file_size).has_value());
  const auto by_site = tables::parse_parquet_footer("f", text, file_size, "site");
  const auto footer = tables::parse_parquet_footer("f", text, file_size);
  if (!footer) return 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < footer->row_groups.size(); ++i) {
    const auto& group = footer->row_groups[i];
    CHECK(group.begin >= last && group.end >= group.begin && group.end <= file_size - size - 8);
    CHECK(group.columns.size() == footer->columns.size());
    last = group.end;
    CHECK(!footer->profile(i).empty());
    CHECK(!group.value);
  }
  CHECK(!footer->profile(std::nullopt).empty());
  if (by_site) CHECK(by_site->profile(std::nullopt) == footer->profile(std::nullopt));
  return 0;
}
