#include "storage/sqlite/sqlite_predictions.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"

namespace backstay {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;
using traffic::Outcome;

namespace {

constexpr const char* kSchema =
    // Alone and with a log that is appended to: safe for one connection, and cheap for many small transactions.
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
    "CREATE TABLE IF NOT EXISTS predictions(id BLOB PRIMARY KEY, number INTEGER NOT NULL, endpoint TEXT NOT NULL, "
    "version TEXT NOT NULL, outcome BLOB NOT NULL, label REAL, labelled_at INTEGER, value_plan INTEGER NOT NULL "
    "DEFAULT "
    "0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS predictions_by_number ON predictions(number);"
    "CREATE TABLE IF NOT EXISTS label_totals(endpoint TEXT NOT NULL, version TEXT NOT NULL, labels INTEGER NOT NULL, "
    "reports INTEGER NOT NULL DEFAULT 0, conversions INTEGER NOT NULL DEFAULT 0, "
    "PRIMARY KEY(endpoint, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS value_plans(id INTEGER PRIMARY KEY, places TEXT NOT NULL UNIQUE) STRICT;"
    // Goes with its prediction.
    "CREATE TABLE IF NOT EXISTS told(id BLOB NOT NULL, kind INTEGER NOT NULL, value REAL NOT NULL, at INTEGER NOT "
    "NULL, "
    "PRIMARY KEY(id, kind)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER IF NOT EXISTS told_is_forgotten AFTER DELETE ON predictions BEGIN DELETE FROM told WHERE id = "
    "old.id; "
    "END;";

/// Files of before counted labels only, and did not tell what a prediction's values are. Each takes the same time for
/// ten million rows as for none.
Result<void> add_columns(Database& database) {
  struct Added {
    const char* table;
    const char* column;
  };
  for (const Added& added :
       {Added{"label_totals", "reports"}, Added{"label_totals", "conversions"}, Added{"predictions", "value_plan"}}) {
    Statement known = database.prepare("SELECT count(*) FROM pragma_table_info(?) WHERE name = ?");
    TRY_DO(known.bind(added.table, added.column).step());
    if (known.integer(0) > 0) continue;
    known.reset();
    TRY_DO(database.execute(
        (std::string("ALTER TABLE ") + added.table + " ADD COLUMN " + added.column + " INTEGER NOT NULL DEFAULT 0")
            .c_str()));
  }
  return {};
}

/// The fields of an outcome that are worth keeping, as bytes. Only this file reads them.
struct Kept {
  std::uint64_t cluster;
  std::uint32_t candidate_ppm;
  std::uint32_t latency_us;
  std::uint32_t response_bytes;
  std::array<float, traffic::kMaxValues> values;
  std::uint16_t status;
  std::uint8_t role;
  std::uint8_t ending;
};
constexpr std::size_t kKeptBytes = sizeof(Kept);
static_assert(kKeptBytes == 40, "The file's format: no hidden bytes.");

std::string pack(const Outcome& o) {
  const Kept kept{o.cluster,
                  o.candidate_ppm,
                  o.latency_us,
                  o.response_bytes,
                  o.values,
                  o.status,
                  static_cast<std::uint8_t>(o.role),
                  static_cast<std::uint8_t>(o.ending)};
  std::string out(kKeptBytes, '\0');
  std::memcpy(out.data(), &kept, kKeptBytes);
  return out;
}

Result<Outcome> unpack(const traffic::PredictionId& id, const std::string& bytes) {
  Kept kept{};
  if (bytes.size() != kKeptBytes)
    return Unexpected(ErrorCode::kIntegrity, "A remembered prediction is damaged.",
                      "Remove predictions.db: labels of older predictions are unknown then.");
  std::memcpy(&kept, bytes.data(), kKeptBytes);
  Outcome out;
  out.prediction = id;
  out.cluster = kept.cluster;
  out.candidate_ppm = kept.candidate_ppm;
  out.latency_us = kept.latency_us;
  out.response_bytes = kept.response_bytes;
  out.values = kept.values;
  out.status = kept.status;
  out.role = static_cast<traffic::Role>(kept.role);
  out.ending = static_cast<traffic::Ending>(kept.ending);
  return out;
}

/// Big-endian: the order of the bytes is that of the numbers, so that new rows go to the end.
std::string key_of(const traffic::PredictionId& id) {
  std::string out;
  for (const std::uint64_t half : {id.high, id.low})
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(half >> shift));
  return out;
}

}  // namespace

Result<std::unique_ptr<SqlitePredictions>> SqlitePredictions::open(const std::filesystem::path& path, Limits limits) {
  // Responses' values are in it. SQLite gives its log the same mode.
  if (const Descriptor made(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); !made)
    return Unexpected(error_from_errno(errno, "cannot open " + path.string()));
  TRY(Database database, Database::open(path));
  if (auto made = database.execute(kSchema); !made) return Unexpected(std::move(made).error().within(path.string()));
  if (auto made = add_columns(database); !made) return Unexpected(std::move(made).error().within(path.string()));
  auto out = std::unique_ptr<SqlitePredictions>(new SqlitePredictions(std::move(database), limits));
  Statement count = out->database_.prepare("SELECT count(*) FROM predictions");
  TRY_DO(count.step());
  out->held_ = static_cast<std::uint64_t>(count.integer(0));
  return out;
}

Result<ValuePlanId> SqlitePredictions::value_plan(const std::string& places) {
  const std::lock_guard lock(mutex_);
  Statement find = database_.prepare("SELECT id FROM value_plans WHERE places = ?");
  TRY(const bool known, find.bind(places).step());
  if (known) return static_cast<ValuePlanId>(find.integer(0));
  Statement add = database_.prepare("INSERT INTO value_plans(places) VALUES(?)");
  TRY_DO(add.bind(places).run());
  return static_cast<ValuePlanId>(database_.last_insert_id());
}

Result<std::map<ValuePlanId, std::string>> SqlitePredictions::value_plans() const {
  const std::lock_guard lock(mutex_);
  Statement select = database_.prepare("SELECT id, places FROM value_plans");
  std::map<ValuePlanId, std::string> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.emplace(static_cast<ValuePlanId>(select.integer(0)), select.text(1));
  }
}

Result<void> SqlitePredictions::remember(const std::vector<Prediction>& predictions) {
  const std::lock_guard lock(mutex_);
  // Not waited for: the labels that join them are, and with them everything before.
  TRY_DO(database_.execute("PRAGMA synchronous=NORMAL"));
  TRY(Transaction transaction, Transaction::begin(database_));
  Statement last = database_.prepare("SELECT coalesce(max(number), 0) FROM predictions");
  TRY_DO(last.step());
  std::int64_t number = last.integer(0);
  Statement insert = database_.prepare(
      "INSERT INTO predictions(id, number, endpoint, version, outcome, value_plan) VALUES(?, ?, ?, ?, ?, ?) "
      "ON CONFLICT DO NOTHING");
  for (const Prediction& p : predictions) {
    const std::string key = key_of(p.outcome.prediction);
    const std::string kept = pack(p.outcome);
    insert.reset().bind(Blob{key}, ++number, p.endpoint, p.version, Blob{kept}, static_cast<std::int64_t>(p.values_of));
    TRY_DO(insert.run());
  }
  held_ += predictions.size();
  if (held_ > limits_.most) TRY_DO(forget_oldest());
  return transaction.commit();
}

Result<void> SqlitePredictions::forget_oldest() {
  // A tenth at once, so that it is seldom.
  const std::uint64_t keep = limits_.most - limits_.most / 10;
  Statement from = database_.prepare("SELECT number FROM predictions ORDER BY number DESC LIMIT 1 OFFSET ?");
  from.bind(keep);
  TRY(const bool more, from.step());
  if (more) {
    Statement forget = database_.prepare("DELETE FROM predictions WHERE number <= ?");
    TRY_DO(forget.bind(from.integer(0)).run());
  }
  Statement count = database_.prepare("SELECT count(*) FROM predictions");
  TRY_DO(count.step());
  held_ = static_cast<std::uint64_t>(count.integer(0));
  return {};
}

Result<std::vector<PredictionStore::Joined>> SqlitePredictions::label(const std::vector<Label>& labels, Timestamp now) {
  const std::lock_guard lock(mutex_);
  TRY_DO(database_.execute("PRAGMA synchronous=FULL"));
  TRY(Transaction transaction, Transaction::begin(database_));
  Statement find = database_.prepare("SELECT endpoint, version, outcome, value_plan FROM predictions WHERE id = ?");
  std::vector<Joined> out;
  out.reserve(labels.size());
  for (const Label& label : labels) {
    Joined& joined = out.emplace_back();
    const std::string key = key_of(label.prediction);
    find.reset().bind(Blob{key});
    TRY(const bool found, find.step());
    if (!found) continue;
    Prediction prediction{find.text(0), find.text(1), {}, static_cast<ValuePlanId>(find.integer(3))};
    TRY(prediction.outcome, unpack(label.prediction, find.blob(2)));
    TRY(const bool first, set_once(label, key, now));
    joined.fate = first ? Fate::kJoined : Fate::kDuplicate;
    if (!first) continue;
    TRY_DO(count(prediction, label.kind));
    joined.prediction = std::move(prediction);
  }
  TRY_DO(transaction.commit());
  return out;
}

/// Labels are in the prediction's row, as they always were; what else is told is in a table of its own.
Result<bool> SqlitePredictions::set_once(const Label& label, const std::string& key, Timestamp now) {
  const bool is_label = label.kind == FeedbackKind::kLabel;
  Statement set = database_.prepare(
      is_label ? "UPDATE predictions SET label = ?2, labelled_at = ?3 WHERE id = ?1 AND label IS NULL RETURNING 1"
               : "INSERT INTO told(id, value, at, kind) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING "
                 "RETURNING 1");
  if (is_label) {
    set.bind(Blob{key}, label.value, now);
  } else {
    set.bind(Blob{key}, label.value, now, static_cast<std::int64_t>(label.kind));
  }
  return set.step();
}

Result<void> SqlitePredictions::count(const Prediction& prediction, FeedbackKind kind) {
  const char* const columns[kFeedbackKinds] = {"labels", "reports", "conversions"};
  const std::string column = columns[static_cast<std::size_t>(kind)];
  Statement add = database_.prepare("INSERT INTO label_totals(endpoint, version, labels, " +
                                    (kind == FeedbackKind::kLabel ? std::string("reports") : column) +
                                    ") VALUES(?1, ?2, ?3, ?4) ON CONFLICT(endpoint, version) DO UPDATE SET " + column +
                                    " = " + column + " + 1");
  const std::int64_t label = kind == FeedbackKind::kLabel ? 1 : 0;
  return add.bind(prediction.endpoint, prediction.version, label, 1 - label).run();
}

Result<std::vector<LabelTotal>> SqlitePredictions::totals() const {
  const std::lock_guard lock(mutex_);
  Statement select = database_.prepare(
      "SELECT endpoint, version, labels, reports, conversions FROM label_totals ORDER BY endpoint, version");
  std::vector<LabelTotal> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    const auto number = [&](int column) { return static_cast<std::uint64_t>(select.integer(column)); };
    out.push_back({select.text(0), select.text(1), number(2), number(3), number(4)});
  }
}

}  // namespace backstay
