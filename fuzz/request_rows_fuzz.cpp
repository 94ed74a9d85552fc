#include <cstdint>
#include <string_view>

#include "fuzz/check.hpp"
#include "fuzz/framed_body.hpp"
#include "gateway/body_form.hpp"
#include "live/request_rows.hpp"

using namespace backstay;

/// Bodies of requests as strangers send them (fuzz::take_form says in which form): every value has a column, and a
/// profile can be made of the rows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  const gateway::BodyForm form = fuzz::take_form(body);
  std::string room;
  const auto content = gateway::unpacked(body, form, room);
  CHECK(!content || content->size() <= gateway::kMaxUnpacked);
  if (!content) return 0;
  for (const std::vector<std::string>& names : {std::vector<std::string>{}, std::vector<std::string>{"a", "b"}}) {
    live::RequestRows rows(names);
    drift::RowProfile profile;
    std::size_t count = 0;
    const auto on_row = [&](std::span<const drift::Value> row) {
      CHECK(row.size() <= rows.columns().size());
      profile.add(row);
      ++count;
    };
    const live::BodyProblem problem = rows.read(*content, on_row, form.json_bytes);
    CHECK(rows.columns().size() <= live::RequestRows::kMaxColumns);
    CHECK(profile.rows() == count);
    const drift::Profile named = profile.named(rows.columns());
    for (const drift::Profile::Named& column : named.columns) CHECK(column.column.rows() == count);
    // The same body again has the same columns.
    const std::size_t columns = rows.columns().size();
    CHECK(rows.read(
              *content, [](std::span<const drift::Value>) {}, form.json_bytes) == problem);
    CHECK(rows.columns().size() == columns);
  }
  return 0;
}
