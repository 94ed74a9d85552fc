#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "domain/search/cursor.hpp"
#include "domain/search/query.hpp"
#include "storage/sqlite/database.hpp"

/// The filter language as SQL over the tables of search_index.hpp. What a person wrote is bound, never part of a
/// statement's text.
namespace backstay::sqlite {

using SqlValue = std::variant<std::int64_t, double, std::string, Digest>;

/// A piece of SQL and the values of its question marks, in order.
struct Sql {
  std::string text;
  std::vector<SqlValue> values;

  Sql& add(const std::string& more) {
    text += more;
    return *this;
  }
  Sql& add(const Sql& more) {
    text += more.text;
    values.insert(values.end(), more.values.begin(), more.values.end());
    return *this;
  }
};

Statement prepare(const Database& database, const Sql& sql);

/// One comparison as a condition on the table that holds the field.
struct Leaf {
  std::string table;     ///< "search_versions", or a table with a row per value of a version.
  Sql where;             ///< On the alias that was asked for.
  bool indexed = false;  ///< An index leads to the rows, ...
  bool exact = false;    ///< ... and to no others.
  bool ordered = false;  ///< The index has them in the order of registering.
};
/// `search_alias` stands before columns of search_versions; "+s" keeps SQLite from using an index on them. Not for
/// kNotEqual.
Leaf leaf_of(const search::Node& node, const std::string& alias, const std::string& search_alias, Timestamp now);

/// A condition on search_versions s, of any node. `few`: it is asked of few versions.
Sql condition_of(const search::Node& node, Timestamp now, bool few);

/// SELECT version_id of at least every version that the node is true of, where indexes lead to them.
struct Selector {
  Sql select;
  bool exact = false;
};
std::optional<Selector> selector_of(const search::Node& node, Timestamp now);

}  // namespace backstay::sqlite
