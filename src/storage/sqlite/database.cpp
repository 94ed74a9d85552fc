#include "storage/sqlite/database.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::sqlite {

namespace {

constexpr int kBusyMilliseconds = 10'000;
constexpr std::size_t kMaxIdle = 200;
/// Instructions of SQLite's machine between two looks at the clock: well below a millisecond.
constexpr int kInstructions = 5'000;

}  // namespace

Error error_from(sqlite3* database, int code, const std::string& what) {
  const std::string message =
      fmt::format("{}: {}.", what, database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable, message, "Another process holds the registry for long: try again."};
    case SQLITE_INTERRUPT:
      return {ErrorCode::kResourceExhausted, "The search looks at too many versions and was given up.",
              "Add a condition that few versions fulfil, like a model, a stage or a data slice, or order by created."};
    case SQLITE_FULL:
      return {ErrorCode::kResourceExhausted, message,
              "Free some space; nothing was changed, so the command can be repeated."};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kIntegrity, message,
              "The file is damaged or not a Backstay registry: keep it as it is and restore a backup beside it."};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::kConflict, message, "Someone else was first: look at what is there and try again."};
    case SQLITE_IOERR:
      // SQLite knows only ENOSPC as "full"; a quota or a limit on file sizes is a write that failed.
      if (code == SQLITE_IOERR_WRITE)
        return {ErrorCode::kResourceExhausted, message,
                "See what space the disk, a quota or a limit on file sizes (ulimit -f) leaves; nothing was changed."};
      return {ErrorCode::kInternal, message, "The disk failed: its log (dmesg) may say more."};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kPermissionDenied, message, "Check who owns the data directory and its files."};
    case SQLITE_CANTOPEN:
      return {ErrorCode::kUnavailable, message, "Check that the data directory exists and is writable."};
    default:
      return {ErrorCode::kInternal, message, "Nothing was changed; backstay audit --verify checks the registry."};
  }
}

StatementCache::~StatementCache() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
}

sqlite3_stmt* StatementCache::take(std::string_view sql) {
  const auto found = idle_.find(sql);
  if (found == idle_.end()) return nullptr;
  sqlite3_stmt* statement = found->second;
  idle_.erase(found);
  return statement;
}

void StatementCache::put(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (idle_.size() >= kMaxIdle || !idle_.emplace(sqlite3_sql(statement), statement).second) sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* database, sqlite3_stmt* statement, StatementCache* cache, int code)
    : database_(database), statement_(statement, GiveBack{cache}), code_(code) {}

void Statement::GiveBack::operator()(sqlite3_stmt* statement) const {
  if (cache != nullptr) return cache->put(statement);
  sqlite3_finalize(statement);
}

void Statement::bind_one(std::int64_t value) {
  note(sqlite3_bind_int64(statement_.get(), next_++, value));
}

void Statement::bind_one(double value) {
  note(sqlite3_bind_double(statement_.get(), next_++, value));
}

void Statement::bind_one(std::string_view value) {
  note(sqlite3_bind_text64(statement_.get(), next_++, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind_one(const Digest& value) {
  note(sqlite3_bind_blob(statement_.get(), next_++, value.bytes.data(), static_cast<int>(value.bytes.size()),
                         SQLITE_TRANSIENT));
}

void Statement::bind_one(Blob value) {
  note(sqlite3_bind_blob64(statement_.get(), next_++, value.bytes.data(), value.bytes.size(), SQLITE_TRANSIENT));
}

Statement& Statement::reset() {
  // What it gives is the failure of the last step, which was told then.
  static_cast<void>(sqlite3_reset(statement_.get()));
  if (statement_ != nullptr) code_ = SQLITE_OK;
  next_ = 1;
  return *this;
}

Result<bool> Statement::step() {
  if (code_ == SQLITE_OK) {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    code_ = code;
  }
  return Unexpected(error_from(database_, code_, "registry database"));
}

Result<void> Statement::run() {
  TRY_DO(step());
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

char Statement::type(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
    case SQLITE_INTEGER: return 'i';
    case SQLITE_FLOAT: return 'f';
    case SQLITE_TEXT: return 't';
    case SQLITE_BLOB: return 'b';
    default: return 'n';
  }
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return text == nullptr ? std::string() : std::string(text, text + size);
}

Digest Statement::digest(int column) const {
  Digest digest;
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (bytes != nullptr) std::copy_n(bytes, std::min(size, digest.bytes.size()), digest.bytes.begin());
  return digest;
}

std::string Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

Result<Database> Database::open_read_only(const std::filesystem::path& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return Unexpected(error_from(handle, code, "cannot open " + path.string()));
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return database;
}

Result<void> Database::attach_read_only(const std::filesystem::path& path, const char* name) const {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string())
    uri += c == '%' || c == '?' || c == '#' ? fmt::format("%{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  Statement attach = prepare_once(fmt::format("ATTACH ? AS {}", name));
  return attach.bind(uri + "?mode=ro").run();
}

Result<Database> Database::open(const std::filesystem::path& path) {
  // Nobody reads SQLite's statistics of memory, which take a lock at each allocation.
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(configured);
  sqlite3* handle = nullptr;
  // With SQLITE_OPEN_URI for attach_read_only(); a path that begins with "file:" must not be taken for one itself.
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
  const bool is_file = !path.empty() && path != ":memory:";
  const int code =
      sqlite3_open_v2(is_file ? std::filesystem::absolute(path).c_str() : path.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return Unexpected(error_from(handle, code, "cannot open " + path.string()));
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  // The rollback journal, not WAL: SQLite 3.40.1 as Debian ships it can damage a WAL that two connections reset at
  // once.
  constexpr const char* kSettings =
      "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;";
  if (auto set = database.execute(kSettings); !set) return Unexpected(std::move(set).error().within(path.string()));
  return database;
}

Result<Database> Database::copy() const {
  TRY(Database out, Database::open(""));
  sqlite3_backup* backup = sqlite3_backup_init(out.handle_.get(), "main", handle_.get(), "main");
  if (backup == nullptr)
    return Unexpected(error_from(out.handle_.get(), sqlite3_errcode(out.handle_.get()), "cannot copy the registry"));
  const int code = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) return Unexpected(error_from(nullptr, code, "cannot copy the registry"));
  return out;
}

Statement Database::prepare(std::string_view sql) const {
  if (sqlite3_stmt* ready = statements_->take(sql); ready != nullptr)
    return {handle_.get(), ready, statements_.get(), SQLITE_OK};
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  return {handle_.get(), statement, statements_.get(), code};
}

Statement Database::prepare_once(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  return {handle_.get(), statement, nullptr, code};
}

Result<void> Database::execute(const char* sql) const {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Unexpected(error_from(handle_.get(), code, "registry database"));
  return {};
}

Patience::Patience(const Database& database, Monotonic deadline, const Clock& clock)
    : database_(database.handle_.get()), deadline_(deadline), clock_(clock) {
  sqlite3_progress_handler(database_, kInstructions, &Patience::is_over, this);
}

Patience::~Patience() {
  sqlite3_progress_handler(database_, 0, nullptr, nullptr);
}

int Patience::is_over(void* self) {
  const auto& patience = *static_cast<Patience*>(self);
  return patience.clock_.monotonic() > patience.deadline_ ? 1 : 0;
}

namespace {

/// What a statement checks at once and what at the commit is part of its compiled form. Every statement that writes is
/// compiled within a transaction, so all of them defer.
Result<void> defer_foreign_keys(const Database& database) {
  // SQLite sets the flag when it compiles the pragma; running it would have every prepared statement compiled anew.
  static_cast<void>(database.prepare_once("PRAGMA defer_foreign_keys = ON"));
  Statement flag = database.prepare_once("PRAGMA defer_foreign_keys");
  TRY_DO(flag.step());
  if (flag.integer(0) != 0) return {};
  return database.execute("PRAGMA defer_foreign_keys = ON");  // A SQLite that does it when it is run.
}

}  // namespace

Result<Transaction> Transaction::begin(const Database& database) {
  TRY_DO(database.execute("BEGIN IMMEDIATE"));
  Transaction transaction(database);
  // Until the commit: rows name the audit entry that seals them, which comes after them.
  TRY_DO(defer_foreign_keys(database));
  return transaction;
}

Transaction::~Transaction() {
  // After some failures SQLite has rolled back already; then this one fails, as it may.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

Result<ReadTransaction> ReadTransaction::begin(const Database& database) {
  TRY_DO(database.execute("BEGIN"));
  return ReadTransaction(database);
}

ReadTransaction::~ReadTransaction() {
  if (database_ != nullptr) static_cast<void>(database_->execute("COMMIT"));
}

Result<void> Transaction::commit() {
  TRY_DO(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace backstay::sqlite
