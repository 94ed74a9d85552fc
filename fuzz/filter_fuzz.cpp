#include <string_view>

#include "domain/search/cursor.hpp"
#include "domain/search/evaluate.hpp"
#include "fuzz/check.hpp"

using namespace backstay;

/// What people search for. The canonical text is read back as what it was printed from, and evaluating ends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto query = search::parse(text);
  if (!query) {
    CHECK(!query.error().message.empty() && !query.error().hint.empty());
    return 0;
  }
  const std::string printed = search::print(*query);
  const auto again = search::parse(printed);
  // Canonical texts have more parentheses and quotes than the shortest ones.
  if (printed.size() > search::kMaxFilterBytes) return 0;
  CHECK(again && *again == *query);
  CHECK(search::print(*again) == printed);
  search::Row row;
  row.changelog = "Trained with site C.";
  row.facts = {{"config.lr", "0.001", 0.001}};
  static_cast<void>(search::matches(query->where, row, Timestamp(seconds(7))));
  static_cast<void>(search::position_from(*query, std::string(text)));
  return 0;
}
