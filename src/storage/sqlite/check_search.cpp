#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "storage/sqlite/check_records.hpp"
#include "storage/sqlite/search_index.hpp"

namespace backstay::sqlite {

namespace {

struct Derived {
  const char* table;
  const char* columns;  ///< The version's id is the first; what a number is, is told by quote().
};
constexpr Derived kDerived[] = {
    {"search_versions",
     "version_id, model, version, version_key, ordinal, stage, created, registered_by, complete, identity"},
    {"attributes", "version_id, key, text, quote(number)"},
    {"metrics", "version_id, name, grp, quote(value)"},
    {"newest_verdicts", "version_id, gate, verdict"},
    {"changelogs", "doc, term, offset"},
};

/// The rows of a table by version, in the order of the versions' ids.
class Rows {
 public:
  static Result<Rows> of(const Database& database, const Derived& derived) {
    const bool words = std::string_view(derived.table) == "changelogs";
    Rows rows(database.prepare_once(
        fmt::format("SELECT {} FROM {} ORDER BY 1", derived.columns, words ? "temp.changelog_words" : derived.table)));
    TRY_DO(rows.step());
    return rows;
  }
  /// None: there are no more.
  std::optional<std::int64_t> version() const { return more_ ? std::optional(statement_.integer(0)) : std::nullopt; }
  /// Goes to the next version, and adds `weight` for each row of this one.
  Result<void> take(std::map<std::string, int>& found, int weight) {
    const std::int64_t id = statement_.integer(0);
    while (more_ && statement_.integer(0) == id) {
      std::string row;
      for (int column = 1; column < statement_.columns(); ++column) {
        const std::string bytes = statement_.blob(column);
        row += fmt::format("{}{}:{}", statement_.type(column), bytes.size(), bytes);
      }
      found[row] += weight;
      TRY_DO(step());
    }
    return {};
  }

 private:
  explicit Rows(Statement statement) : statement_(std::move(statement)) {}
  Result<void> step() {
    TRY(more_, statement_.step());
    return {};
  }
  Statement statement_;
  bool more_ = false;
};

/// The words of the full text, which has no rows of its own.
class Words {
 public:
  explicit Words(const Database& database) : database_(database) {}
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  ~Words() { static_cast<void>(database_.execute("DROP TABLE IF EXISTS temp.changelog_words")); }
  Result<void> open() {
    return database_.execute("CREATE VIRTUAL TABLE temp.changelog_words USING fts5vocab(main, changelogs, instance)");
  }

 private:
  const Database& database_;
};

std::string name_of(const Database& database, std::int64_t id) {
  Statement select = database.prepare("SELECT model || '@' || version FROM versions WHERE id = ?");
  const auto there = select.bind(id).step();
  return there && *there ? select.text(0) : fmt::format("version {}", id);
}

Result<void> compare(const Database& database, const Database& wanted, const Derived& derived,
                     const ReportProblem& report) {
  TRY(Rows here, Rows::of(database, derived));
  TRY(Rows there, Rows::of(wanted, derived));
  while (here.version() || there.version()) {
    const std::int64_t id = std::min(here.version().value_or(INT64_MAX), there.version().value_or(INT64_MAX));
    std::map<std::string, int> rows;
    if (here.version() == id) TRY_DO(here.take(rows, 1));
    if (there.version() == id) TRY_DO(there.take(rows, -1));
    const bool same = std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.second == 0; });
    if (!same)
      report({"search", name_of(database, id),
              fmt::format("Searches find it by something else than its records ({}).", derived.table)});
  }
  return {};
}

}  // namespace

Result<void> check_search_index(const Database& database, const ReportProblem& report) {
  TRY(const Database wanted, Database::open(""));
  TRY_DO(wanted.execute("PRAGMA foreign_keys = OFF"));
  {
    TRY(Transaction transaction, Transaction::begin(wanted));
    TRY_DO(fill_search_index(database, wanted));
    TRY_DO(transaction.commit());
  }
  Words words_here(database);
  Words words_wanted(wanted);
  TRY_DO(words_wanted.open());
  for (const Derived& derived : kDerived) {
    const bool words = std::string_view(derived.table) == "changelogs";
    const auto compared = [&]() -> Result<void> {
      if (words) TRY_DO(words_here.open());
      return compare(database, wanted, derived, report);
    }();
    // A missing or damaged table is a finding, not the end of the check.
    if (!compared) report({"search", derived.table, "It can't be read: " + compared.error().message});
  }
  return {};
}

}  // namespace backstay::sqlite
