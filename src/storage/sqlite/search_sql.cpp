#include "storage/sqlite/search_sql.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/search/evaluate.hpp"
#include "domain/search/facts.hpp"

namespace backstay::sqlite {

namespace {

using search::Comparison;
using search::Field;
using search::Node;
using search::Text;
using Kind = search::Field::Kind;

constexpr const char* kVersions = "search_versions";

const char* symbol_of(Comparison comparison) {
  switch (comparison) {
    case Comparison::kLess: return "<";
    case Comparison::kLessOrEqual: return "<=";
    case Comparison::kGreater: return ">";
    case Comparison::kGreaterOrEqual: return ">=";
    default: return "=";
  }
}

std::string glob_of(const Text& text) {
  std::string pattern;
  for (std::size_t i = 0; i < text.parts.size(); ++i) {
    if (i > 0) pattern += '*';
    for (const char c : text.parts[i]) {
      const bool special = c == '*' || c == '?' || c == '[';
      pattern += special ? fmt::format("[{}]", c) : std::string(1, c);
    }
  }
  return pattern;
}

std::string like_of(const Text& text) {
  std::string pattern;
  for (std::size_t i = 0; i < text.parts.size(); ++i) {
    if (i > 0) pattern += '%';
    for (const char c : text.parts[i]) {
      if (c == '%' || c == '_' || c == '\\') pattern += '\\';
      pattern += c;
    }
  }
  return pattern;
}

/// The least text that is greater than every text with this beginning.
std::string past(std::string prefix) {
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);  // UTF-8 has no byte 0xff.
  return prefix;
}

/// What is added to `leaf` says whether an index on `column` leads to the rows.
void add_text(Leaf& leaf, const std::string& column, Comparison comparison, const Text& text) {
  if (comparison == Comparison::kLike) {
    leaf.where.add(Sql{column + " LIKE ? ESCAPE '\\'", {like_of(text)}});
    return;
  }
  if (comparison != Comparison::kEqual || text.exact()) {
    leaf.where.add(Sql{fmt::format("{} {} ?", column, symbol_of(comparison)), {text.parts[0]}});
    leaf.indexed = leaf.exact = true;
    leaf.ordered = comparison == Comparison::kEqual;
    return;
  }
  const std::string& prefix = text.parts.front();
  if (!prefix.empty()) {
    leaf.where.add(Sql{fmt::format("{0} >= ? AND {0} < ?", column), {prefix, past(prefix)}});
    leaf.indexed = true;
    leaf.exact = text.parts.size() == 2 && text.parts[1].empty();
    if (leaf.exact) return;
    leaf.where.add(" AND ");
  }
  leaf.where.add(Sql{column + " GLOB ?", {glob_of(text)}});
}

void add_number(Leaf& leaf, const std::string& column, Comparison comparison, double value) {
  leaf.where.add(Sql{fmt::format("{} {} ?", column, symbol_of(comparison)), {value}});
  leaf.indexed = leaf.exact = true;
  leaf.ordered = comparison == Comparison::kEqual;
}

void add_created(Leaf& leaf, const std::string& column, Comparison comparison, const search::Period& period) {
  const std::int64_t begin = period.begin.time_since_epoch().count();
  const std::int64_t end = period.end.time_since_epoch().count();
  leaf.indexed = leaf.exact = true;
  switch (comparison) {
    case Comparison::kLess: leaf.where.add(Sql{column + " < ?", {begin}}); break;
    case Comparison::kLessOrEqual: leaf.where.add(Sql{column + " < ?", {end}}); break;
    case Comparison::kGreater: leaf.where.add(Sql{column + " >= ?", {end}}); break;
    case Comparison::kGreaterOrEqual: leaf.where.add(Sql{column + " >= ?", {begin}}); break;
    default: leaf.where.add(Sql{fmt::format("{0} >= ? AND {0} < ?", column), {begin, end}}); break;
  }
}

void add_identity(Leaf& leaf, const std::string& column, const Text& text) {
  const std::string& digits = text.parts[0];
  const Digest least = Digest::from_hex(digits + std::string(64 - digits.size(), '0')).value();
  const Digest greatest = Digest::from_hex(digits + std::string(64 - digits.size(), 'f')).value();
  leaf.where.add(Sql{column + " BETWEEN ? AND ?", {least, greatest}});
  leaf.indexed = leaf.exact = true;
}

void add_version(Leaf& leaf, const std::string& alias, Comparison comparison, const search::Value& value) {
  if (const auto* version = std::get_if<registry::SemanticVersion>(&value))
    return add_text(leaf, alias + ".version_key", comparison, Text{{search::version_key(*version)}});
  add_text(leaf, alias + ".version", comparison, std::get<Text>(value));
  leaf.indexed = leaf.exact = leaf.ordered = false;  // There is no index on it.
}

void add_attribute(Leaf& leaf, const std::string& alias, const std::string& v, const Field& field,
                   Comparison comparison, const search::Value& value) {
  const bool by_release =
      field.kind == Kind::kRelease && comparison != Comparison::kEqual && comparison != Comparison::kLike;
  leaf.table = "attributes";
  leaf.where.add(Sql{alias + ".key = ? AND ", {by_release ? search::release_key_of(field.name) : field.name}});
  if (const auto* number = std::get_if<double>(&value)) return add_number(leaf, v + ".number", comparison, *number);
  const Text& text = std::get<Text>(value);
  add_text(leaf, v + ".text", comparison, by_release ? Text{{search::release_key(text.parts[0])}} : text);
}

void add_compare(Leaf& leaf, const std::string& alias, const std::string& s, const Node& node, Timestamp now) {
  const Field& field = node.field;
  const Comparison comparison = node.comparison;
  const search::Value& value = node.values[0];
  // A version has few values of a field: its own rows are near, an index of everyone's values is not.
  const auto* text = std::get_if<Text>(&value);
  const bool range = comparison != Comparison::kEqual || (text != nullptr && !text->exact());
  const bool one_version = s.starts_with('+') && range;
  const std::string v = one_version ? "+" + alias : alias;
  switch (field.kind) {
    case Kind::kModel: return add_text(leaf, s + ".model", comparison, std::get<Text>(value));
    case Kind::kVersion: return add_version(leaf, s, comparison, value);
    case Kind::kOrdinal:
      add_number(leaf, s + ".ordinal", comparison, std::get<double>(value));
      leaf.indexed = leaf.exact = leaf.ordered = false;
      return;
    case Kind::kStage: return add_text(leaf, s + ".stage", comparison, std::get<Text>(value));
    case Kind::kAlias: leaf.table = "aliases"; return add_text(leaf, v + ".name", comparison, std::get<Text>(value));
    case Kind::kCreated: return add_created(leaf, s + ".created", comparison, search::period_of(value, now));
    case Kind::kRegisteredBy: return add_text(leaf, s + ".registered_by", comparison, std::get<Text>(value));
    case Kind::kComplete:
      // Written out: the index of what is incomplete is there for this text only.
      leaf.where.add(std::get<bool>(value) ? s + ".complete = 1" : s + ".complete = 0");
      leaf.indexed = leaf.exact = leaf.ordered = !std::get<bool>(value);
      return;
    case Kind::kIdentity: return add_identity(leaf, s + ".identity", std::get<Text>(value));
    case Kind::kChangelog: return;
    case Kind::kText:
    case Kind::kScalar:
    case Kind::kRelease: return add_attribute(leaf, alias, v, field, comparison, value);
    case Kind::kMetric:
      leaf.table = "metrics";
      leaf.where.add(Sql{fmt::format("{0}.name = ? AND {0}.grp = ? AND ", alias), {field.name, field.group}});
      return add_number(leaf, v + ".value", comparison, std::get<double>(value));
    case Kind::kVerdict:
      leaf.table = "newest_verdicts";
      leaf.where.add(Sql{alias + ".gate = ? AND ", {field.name}});
      return add_text(leaf, alias + ".verdict", comparison, std::get<Text>(value));
  }
}

Leaf has(const Field& field, const std::string& alias) {
  Leaf leaf{"attributes", {alias + ".key = ?", {field.name}}, true, true, false};
  if (field.kind == Kind::kMetric)
    leaf = {
        "metrics", {fmt::format("{0}.name = ? AND {0}.grp = ?", alias), {field.name, field.group}}, true, true, false};
  if (field.kind == Kind::kAlias) leaf = {"aliases", {alias + ".name <> ''", {}}, true, true, false};
  if (field.kind == Kind::kVerdict) leaf = {"newest_verdicts", {alias + ".gate = ?", {field.name}}, true, true, false};
  return leaf;
}

std::string words_query(const Node& node) {
  // Words are letters, digits and what is not ASCII: no quotes, no operators.
  std::string query;
  for (const search::Word& word : node.words) {
    if (node.phrase) {
      query += (query.empty() ? "\"" : " ") + word.text;
    } else {
      query += fmt::format("{}\"{}\"{}", query.empty() ? "" : " AND ", word.text, word.prefix ? " *" : "");
    }
  }
  if (node.phrase) query += node.words.back().prefix ? "\" *" : "\"";
  return query;
}

Sql joined(const Node& node, const char* word, Timestamp now, bool few) {
  Sql sql{"(", {}};
  for (const Node& child : node.children) {
    if (sql.text.size() > 1) sql.add(word);
    sql.add(condition_of(child, now, few));
  }
  return sql.add(")");
}

Sql leaf_condition(const Node& node, Timestamp now) {
  const Leaf leaf = leaf_of(node, "t", "+s", now);
  if (leaf.table == kVersions) return Sql{"(", {}}.add(leaf.where).add(")");
  return Sql{fmt::format("EXISTS(SELECT 1 FROM {} t WHERE t.version_id = s.version_id AND ", leaf.table), {}}
      .add(leaf.where)
      .add(")");
}

/// One comparison of an IN list.
Node single(const Node& in, const search::Value& value) {
  Node node;
  node.kind = Node::Kind::kCompare;
  node.field = in.field;
  node.values = {value};
  return node;
}

Node any_of(const Node& in) {
  Node node;
  node.kind = Node::Kind::kOr;
  for (const search::Value& value : in.values) node.children.push_back(single(in, value));
  return node;
}

}  // namespace

Statement prepare(const Database& database, const Sql& sql) {
  Statement statement = database.prepare_once(sql.text);
  for (const SqlValue& value : sql.values) std::visit([&](const auto& one) { statement.bind(one); }, value);
  return statement;
}

Leaf leaf_of(const Node& node, const std::string& alias, const std::string& search_alias, Timestamp now) {
  if (node.kind == Node::Kind::kHas) return has(node.field, alias);
  if (node.kind == Node::Kind::kWords)
    return {"changelogs", {"changelogs MATCH ?", {words_query(node)}}, true, true, true};
  Leaf leaf;
  leaf.table = kVersions;
  add_compare(leaf, alias, search_alias, node, now);
  return leaf;
}

Sql condition_of(const Node& node, Timestamp now, bool few) {
  switch (node.kind) {
    case Node::Kind::kAll: return {"true", {}};
    case Node::Kind::kAnd: return joined(node, " AND ", now, few);
    case Node::Kind::kOr: return joined(node, " OR ", now, few);
    case Node::Kind::kNot: return Sql{"NOT ", {}}.add(condition_of(node.children[0], now, few));
    case Node::Kind::kIn: return condition_of(any_of(node), now, few);
    case Node::Kind::kHas: return leaf_condition(node, now);
    case Node::Kind::kWords: {
      const std::string query = words_query(node);
      // Asked once for all versions, or for each of a few.
      if (!few) return {"s.version_id IN (SELECT rowid FROM changelogs WHERE changelogs MATCH ?)", {query}};
      return {"EXISTS(SELECT 1 FROM changelogs WHERE changelogs MATCH ? AND rowid = s.version_id)", {query}};
    }
    case Node::Kind::kCompare: break;
  }
  if (node.comparison == Comparison::kNotEqual) {
    Node equal = node;
    equal.comparison = Comparison::kEqual;
    return Sql{"NOT ", {}}.add(leaf_condition(equal, now));
  }
  return leaf_condition(node, now);
}

std::optional<Selector> selector_of(const Node& node, Timestamp now) {
  if (node.kind == Node::Kind::kIn) return selector_of(any_of(node), now);
  if (node.kind == Node::Kind::kOr) {
    Selector all{{}, true};
    for (const Node& child : node.children) {
      const std::optional<Selector> one = selector_of(child, now);
      if (!one) return {};
      all.select.add(all.select.text.empty() ? "" : " UNION ALL ").add(one->select);
      all.exact = all.exact && one->exact;
    }
    return all;
  }
  const bool comparison = node.kind == Node::Kind::kCompare && node.comparison != Comparison::kNotEqual;
  if (!comparison && node.kind != Node::Kind::kHas && node.kind != Node::Kind::kWords) return {};
  const Leaf leaf = leaf_of(node, "t", "t", now);
  if (!leaf.indexed) return {};
  const bool words = node.kind == Node::Kind::kWords;
  return Selector{Sql{fmt::format("SELECT {} AS version_id FROM {} {} WHERE ", words ? "rowid" : "t.version_id",
                                  leaf.table, words ? "" : "t"),
                      {}}
                      .add(leaf.where),
                  leaf.exact};
}

}  // namespace backstay::sqlite
