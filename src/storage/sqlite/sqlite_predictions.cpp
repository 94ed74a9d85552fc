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
    "version TEXT NOT NULL, outcome BLOB NOT NULL, label REAL, labelled_at INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS predictions_by_number ON predictions(number);"
    "CREATE TABLE IF NOT EXISTS label_totals(endpoint TEXT NOT NULL, version TEXT NOT NULL, labels INTEGER NOT NULL, "
    "PRIMARY KEY(endpoint, version)) STRICT, WITHOUT ROWID;";

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
  auto out = std::unique_ptr<SqlitePredictions>(new SqlitePredictions(std::move(database), limits));
  Statement count = out->database_.prepare("SELECT count(*) FROM predictions");
  TRY_DO(count.step());
  out->held_ = static_cast<std::uint64_t>(count.integer(0));
  return out;
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
      "INSERT INTO predictions(id, number, endpoint, version, outcome) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  for (const Prediction& p : predictions) {
    const std::string key = key_of(p.outcome.prediction);
    const std::string kept = pack(p.outcome);
    insert.reset().bind(Blob{key}, ++number, p.endpoint, p.version, Blob{kept});
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
  Statement find = database_.prepare("SELECT endpoint, version, outcome, label IS NULL FROM predictions WHERE id = ?");
  Statement set = database_.prepare("UPDATE predictions SET label = ?, labelled_at = ? WHERE id = ?");
  Statement count = database_.prepare(
      "INSERT INTO label_totals VALUES(?, ?, 1) ON CONFLICT(endpoint, version) DO UPDATE SET labels = labels + 1");
  std::vector<Joined> out;
  out.reserve(labels.size());
  for (const Label& label : labels) {
    Joined& joined = out.emplace_back();
    const std::string key = key_of(label.prediction);
    find.reset().bind(Blob{key});
    TRY(const bool found, find.step());
    if (!found) continue;
    joined.fate = find.integer(3) != 0 ? Fate::kJoined : Fate::kDuplicate;
    if (joined.fate == Fate::kDuplicate) continue;
    joined.prediction.endpoint = find.text(0);
    joined.prediction.version = find.text(1);
    TRY(joined.prediction.outcome, unpack(label.prediction, find.blob(2)));
    TRY_DO(set.reset().bind(label.value, now, Blob{key}).run());
    TRY_DO(count.reset().bind(joined.prediction.endpoint, joined.prediction.version).run());
  }
  TRY_DO(transaction.commit());
  return out;
}

Result<std::vector<LabelTotal>> SqlitePredictions::totals() const {
  const std::lock_guard lock(mutex_);
  Statement select = database_.prepare("SELECT endpoint, version, labels FROM label_totals ORDER BY endpoint, version");
  std::vector<LabelTotal> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.push_back({select.text(0), select.text(1), static_cast<std::uint64_t>(select.integer(2))});
  }
}

}  // namespace backstay
