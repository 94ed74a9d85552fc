#pragma once

#include <string>
#include <vector>

#include "domain/search/query.hpp"
#include "ports/ledger.hpp"

namespace backstay {

struct SearchPage {
  std::vector<StoredVersion> versions;
  std::string next;  ///< The next page's cursor; empty on the last page.
};

/// Finds versions by a filter. What was registered, measured, judged or moved before a call is found by it.
class VersionSearch {
 public:
  virtual ~VersionSearch() = default;
  /// At most `limit` (> 0) versions in the query's order, from `cursor` (empty: from the beginning) on. A version that
  /// is there from the first page to the last and keeps its place is on exactly one page, whatever is added meanwhile.
  /// kInvalidArgument for a cursor of another query; kResourceExhausted when the store looked for too long.
  virtual Result<SearchPage> search(const search::Query& query, const std::string& cursor, std::size_t limit) const = 0;
};

}  // namespace backstay
