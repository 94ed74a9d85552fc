#include <cstdint>
#include <string_view>

#include "fuzz/check.hpp"
#include "live/request_rows.hpp"

using namespace backstay;

/// Bodies of requests as strangers send them: every value has a column, and a profile can be made of the rows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const std::vector<std::string>& names : {std::vector<std::string>{}, std::vector<std::string>{"a", "b"}}) {
    live::RequestRows rows(names);
    drift::RowProfile profile;
    std::size_t count = 0;
    const bool readable = rows.read(body, [&](std::span<const drift::Value> row) {
      CHECK(row.size() <= rows.columns().size());
      profile.add(row);
      ++count;
    });
    CHECK(rows.columns().size() <= live::RequestRows::kMaxColumns);
    CHECK(profile.rows() == count);
    const drift::Profile named = profile.named(rows.columns());
    for (const drift::Profile::Named& column : named.columns) CHECK(column.column.rows() == count);
    // The same body again has the same columns.
    const std::size_t columns = rows.columns().size();
    CHECK(rows.read(body, [](std::span<const drift::Value>) {}) == readable);
    CHECK(rows.columns().size() == columns);
  }
  return 0;
}
