#include <fmt/format.h>

#include <algorithm>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/search_sql.hpp"

namespace backstay {

using search::Field;
using search::Node;
using search::Position;
using sqlite::Database;
using sqlite::Selector;
using sqlite::Sql;
using sqlite::Statement;

namespace {

std::vector<const Node*> conditions_of(const Node& where) {
  std::vector<const Node*> conditions;
  if (where.kind == Node::Kind::kAnd) {
    for (const Node& child : where.children) conditions.push_back(&child);
  } else if (where.kind != Node::Kind::kAll) {
    conditions.push_back(&where);
  }
  return conditions;
}

bool is_leaf(const Node& node) {
  return (node.kind == Node::Kind::kCompare && node.comparison != search::Comparison::kNotEqual) ||
         node.kind == Node::Kind::kHas || node.kind == Node::Kind::kWords;
}

/// One statement of a search: where its rows come from, which of them are wanted, and what they are ordered by.
struct Plan {
  Sql from;
  std::vector<Sql> where;
  std::string key;                  ///< Empty: the id alone.
  std::string id = "s.version_id";  ///< Of the table that gives the order.
};

/// Chooses how to find a page. SQLite is told the order of its joins: it has no statistics, and what it would need to
/// know, how many versions a condition leaves, is counted here, up to `few`.
class Planner {
 public:
  Planner(const Database& database, const search::Query& query, Timestamp now, int few)
      : database_(database), query_(query), now_(now), few_(few), conditions_(conditions_of(query.where)) {}

  /// `valueless`: the versions without a value of the metric that orders.
  Result<Plan> plan(bool valueless) {
    const Field& by = query_.order.by;
    const bool metric = by.kind == Field::Kind::kMetric;
    TRY(const std::optional<Selector> few, fewest());
    Plan plan;
    const Node* served = nullptr;
    if (few) {
      plan.from = Sql{"(SELECT DISTINCT version_id FROM (", {}}
                      .add(few->select)
                      .add(")) d CROSS JOIN search_versions s ON s.version_id = d.version_id");
      if (metric && !valueless) plan.from.add(" CROSS JOIN metrics o ON o.version_id = s.version_id");
    } else if (metric && !valueless) {
      plan.from.add("metrics o CROSS JOIN search_versions s ON s.version_id = o.version_id");
      plan.id = "o.version_id";
    } else {
      served = stream(plan);
    }
    if (metric && !valueless) order_by_metric(plan);
    if (metric && valueless)
      plan.where.push_back(
          {"NOT EXISTS(SELECT 1 FROM metrics o WHERE o.version_id = s.version_id AND o.name = ? AND o.grp = ?)",
           {by.name, by.group}});
    if (by.kind == Field::Kind::kModel) plan.key = "s.model";
    if (by.kind == Field::Kind::kVersion) plan.key = "s.version_key";
    if (by.kind == Field::Kind::kOrdinal) plan.key = "s.ordinal";
    for (const Node* node : conditions_) {
      const bool selected = (few && few->exact && node == fewest_) || node == served;
      if (!selected) plan.where.push_back(sqlite::condition_of(*node, now_, few.has_value()));
    }
    return plan;
  }

  /// No version without the metric that orders can fulfil the conditions.
  bool needs_value() const {
    return std::any_of(conditions_.begin(), conditions_.end(), [this](const Node* node) { return is_of_order(*node); });
  }

 private:
  bool is_of_order(const Node& node) const {
    return is_leaf(node) && node.kind != Node::Kind::kWords && node.field == query_.order.by;
  }

  /// The condition that leaves the fewest versions, when these are few.
  Result<std::optional<Selector>> fewest() {
    std::optional<Selector> best;
    std::int64_t least = few_;
    for (const Node* node : conditions_) {
      std::optional<Selector> selector = sqlite::selector_of(*node, now_);
      if (!selector) continue;
      Sql count{"SELECT count(*) FROM (", {}};
      count.add(selector->select).add(fmt::format(" LIMIT {})", few_));
      Statement statement = sqlite::prepare(database_, count);
      TRY_DO(statement.step());
      if (statement.integer(0) >= least) continue;
      least = statement.integer(0);
      best = std::move(selector);
      fewest_ = node;
    }
    return best;
  }

  /// The metric's own conditions narrow the walk along its index.
  void order_by_metric(Plan& plan) {
    plan.where.push_back({"o.name = ? AND o.grp = ?", {query_.order.by.name, query_.order.by.group}});
    plan.key = "o.value";
    for (const Node* node : conditions_) {
      if (is_of_order(*node) && node->kind == Node::Kind::kCompare)
        plan.where.push_back(sqlite::leaf_of(*node, "o", "s", now_).where);
    }
  }

  /// Rows in the order that is wanted, narrowed by a condition whose index has that order, if there is one; which.
  const Node* stream(Plan& plan) {
    const Field::Kind by = query_.order.by.kind;
    const Node* best = nullptr;
    for (const Node* node : conditions_) {
      if (!is_leaf(*node)) continue;
      const sqlite::Leaf leaf = sqlite::leaf_of(*node, "d", "s", now_);
      const bool by_model = (by == Field::Kind::kVersion || by == Field::Kind::kModel) && leaf.ordered &&
                            node->field.kind == Field::Kind::kModel && node->kind == Node::Kind::kCompare;
      const bool by_id = (by == Field::Kind::kCreated || by == Field::Kind::kMetric) && leaf.ordered;
      if (!by_model && !by_id) continue;
      // Words last: asking other conditions of their versions is cheaper than asking words of others'.
      if (best == nullptr || node->kind == Node::Kind::kWords) best = node;
    }
    if (best == nullptr) {
      plan.from.add("search_versions s");
      return nullptr;
    }
    const sqlite::Leaf leaf = sqlite::leaf_of(*best, "d", "s", now_);
    plan.where.push_back(leaf.where);
    if (leaf.table == "search_versions") {
      plan.from.add("search_versions s");
    } else {
      plan.id = best->kind == Node::Kind::kWords ? "d.rowid" : "d.version_id";
      plan.from.add(fmt::format("{} d CROSS JOIN search_versions s ON s.version_id = {}", leaf.table, plan.id));
    }
    return best;
  }

  const Database& database_;
  const search::Query& query_;
  Timestamp now_;
  int few_;
  std::vector<const Node*> conditions_;
  const Node* fewest_ = nullptr;
};

Sql statement_of(const Plan& plan, const Position* after, bool descending, std::size_t limit) {
  Sql sql{fmt::format("SELECT {}, {} FROM ", plan.id, plan.key.empty() ? "NULL" : plan.key), {}};
  sql.add(plan.from);
  std::vector<Sql> where = plan.where;
  if (after != nullptr) {
    const char* sign = descending ? "<" : ">";
    const auto id = static_cast<std::int64_t>(after->id);
    if (const auto* number = std::get_if<double>(&after->key))
      where.push_back({fmt::format("({}, {}) {} (?, ?)", plan.key, plan.id, sign), {*number, id}});
    else if (const auto* text = std::get_if<std::string>(&after->key))
      where.push_back({fmt::format("({}, {}) {} (?, ?)", plan.key, plan.id, sign), {*text, id}});
    else
      where.push_back({fmt::format("{} {} ?", plan.id, sign), {id}});
  }
  for (std::size_t i = 0; i < where.size(); ++i) sql.add(i == 0 ? " WHERE " : " AND ").add(where[i]);
  const char* direction = descending ? "DESC" : "ASC";
  sql.add(" ORDER BY ");
  if (!plan.key.empty()) sql.add(fmt::format("{} {}, ", plan.key, direction));
  return sql.add(fmt::format("{} {} LIMIT {}", plan.id, direction, limit));
}

/// Places of the next `limit` versions.
Result<void> find(const Database& database, const Plan& plan, const search::Query& query, const Position* after,
                  Position place, std::size_t limit, std::vector<Position>& found) {
  Statement statement =
      sqlite::prepare(database, statement_of(plan, after, query.order.descending, limit - found.size()));
  const Field::Kind by = query.order.by.kind;
  while (true) {
    TRY(const bool more, statement.step());
    if (!more) return {};
    place.id = static_cast<std::uint64_t>(statement.integer(0));
    if (by == Field::Kind::kModel || by == Field::Kind::kVersion) place.key = statement.text(1);
    if (by == Field::Kind::kOrdinal || (by == Field::Kind::kMetric && !place.valueless)) place.key = statement.real(1);
    found.push_back(place);
  }
}

}  // namespace

void SqliteLedger::tune_search(const SearchTuning& tuning) {
  impl_->search_tuning = tuning;
}

Result<SearchPage> SqliteLedger::search(const search::Query& query, const std::string& cursor,
                                        std::size_t limit) const {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  Position after{impl_->clock.now(), false, {}, 0};
  if (!cursor.empty()) {
    TRY(after, search::position_from(query, cursor));
  }
  TRY(const sqlite::ReadTransaction snapshot, sqlite::ReadTransaction::begin(database));
  const sqlite::Patience patience(database, impl_->clock.monotonic() + impl_->search_tuning.patience, impl_->clock);
  // One more than a page tells whether there is a next one.
  const std::size_t wanted = limit + 1;
  std::vector<Position> found;
  Planner planner(database, query, after.now, impl_->search_tuning.few);
  if (!after.valueless) {
    TRY(const Plan plan, planner.plan(false));
    TRY_DO(find(database, plan, query, cursor.empty() ? nullptr : &after, {after.now, false, {}, 0}, wanted, found));
  }
  if (found.size() < wanted && query.order.by.kind == Field::Kind::kMetric && !planner.needs_value()) {
    TRY(const Plan plan, planner.plan(true));
    TRY_DO(find(database, plan, query, after.valueless ? &after : nullptr, {after.now, true, {}, 0}, wanted, found));
  }
  SearchPage page;
  if (found.size() > limit) {
    found.resize(limit);
    page.next = search::to_cursor(query, found.back());
  }
  Statement select = database.prepare(fmt::format("SELECT {} WHERE v.id = ?", sqlite::kVersionColumns));
  for (const Position& place : found) {
    TRY(const bool there, select.reset().bind(place.id).step());
    if (!there)
      return Unexpected(ErrorCode::kIntegrity, "The search index names a version that is not there.",
                        "Someone changed the registry's file: keep it as evidence and restore a backup.");
    TRY(StoredVersion version, sqlite::read_version_row(select));
    page.versions.push_back(std::move(version));
  }
  return page;
}

Result<std::string> SqliteLedger::explain_search(const search::Query& query) const {
  const std::lock_guard lock(impl_->mutex);
  Planner planner(impl_->database, query, impl_->clock.now(), impl_->search_tuning.few);
  TRY(const Plan plan, planner.plan(false));
  Sql sql{"EXPLAIN QUERY PLAN ", {}};
  sql.add(statement_of(plan, nullptr, query.order.descending, 1));
  Statement steps = sqlite::prepare(impl_->database, sql);
  std::string out;
  while (true) {
    TRY(const bool more, steps.step());
    if (!more) return out;
    out += fmt::format("    {}\n", steps.text(3));
  }
}

}  // namespace backstay
