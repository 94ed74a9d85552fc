#pragma once

#include <string>
#include <variant>

#include "domain/search/query.hpp"

namespace backstay::search {

/// Where a page ended: the last version's place in the order. Pages are found by place, not by number, so versions that
/// are added meanwhile move nothing.
struct Position {
  /// The ordered field's value; std::monostate where the order is that of registering, or where there is no value.
  using Key = std::variant<std::monostate, double, std::string>;
  Timestamp now;           ///< When the first page was asked for: "-7d" means the same on every page.
  bool valueless = false;  ///< In the tail of versions that have no value to be ordered by.
  Key key;
  std::uint64_t id = 0;
  bool operator==(const Position&) const = default;
};

/// Opaque text of [0-9a-f], bound to the query.
std::string to_cursor(const Query& query, const Position& position);
/// kInvalidArgument when it is not a cursor or belongs to another query.
Result<Position> position_from(const Query& query, const std::string& cursor);

}  // namespace backstay::search
