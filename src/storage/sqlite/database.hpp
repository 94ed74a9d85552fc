#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

/// SQLite's C interface as values that clean up after themselves.
namespace backstay::sqlite {

/// A result code as an Error: busy is kUnavailable, full is kResourceExhausted, a damaged or foreign file kIntegrity, a
/// broken constraint kConflict.
Error error_from(sqlite3* database, int code, const std::string& what);

class Database;

/// Bytes for a BLOB column.
struct Blob {
  std::string_view bytes;
};

/// Statements that were prepared and are not in use, by their text: preparing one costs more than most of them do.
class StatementCache {
 public:
  StatementCache() = default;
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;
  ~StatementCache();
  /// Null when there is none of this text.
  sqlite3_stmt* take(std::string_view sql);
  void put(sqlite3_stmt* statement);

 private:
  std::unordered_map<std::string_view, sqlite3_stmt*> idle_;  ///< Keys are the statements' own texts.
};

/// A prepared statement with its parameters. Values are bound in order; text and digests are copied.
class Statement {
 public:
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_one(values), ...);
    return *this;
  }
  /// True: there is a row. False: done.
  Result<bool> step();
  /// For statements that give no rows.
  Result<void> run();
  /// As it was after prepare(): to be bound and run again.
  Statement& reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  int columns() const { return sqlite3_column_count(statement_.get()); }
  /// SQLite's type of the value: 'i'nteger, 'f'loat, 't'ext, 'b'lob or 'n'ull.
  char type(int column) const;
  std::string text(int column) const;
  Digest digest(int column) const;
  std::string blob(int column) const;
  Timestamp timestamp(int column) const { return Timestamp(microseconds(integer(column))); }

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement, StatementCache* cache, int code);
  void bind_one(std::int64_t value);
  void bind_one(std::uint64_t value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(int value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(bool value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(double value);
  void bind_one(std::string_view value);
  void bind_one(const std::string& value) { bind_one(std::string_view(value)); }
  void bind_one(const char* value) { bind_one(std::string_view(value)); }
  void bind_one(const Digest& value);
  void bind_one(Blob value);
  void bind_one(Timestamp value) { bind_one(static_cast<std::int64_t>(value.time_since_epoch().count())); }
  void note(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }

  /// Gives the statement back to those that are ready for the next use.
  struct GiveBack {
    StatementCache* cache = nullptr;
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, GiveBack> statement_;
  int code_;
  int next_ = 1;
};

/// One connection. Not thread-safe.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& path);
  /// One that is only looked at: nothing is written to it, whatever is asked.
  static Result<Database> open_read_only(const std::filesystem::path& path);
  /// Makes another database, which is only read, known as `name` to this connection's statements.
  Result<void> attach_read_only(const std::filesystem::path& path, const char* name) const;

  /// The same pages, damaged ones too, in a temporary database of its own that goes with its connection. Others can't
  /// write while it is made, and can from then on.
  Result<Database> copy() const;

  Statement prepare(std::string_view sql) const;
  /// For texts that are made for one use and not kept ready.
  Statement prepare_once(std::string_view sql) const;
  Result<void> execute(const char* sql) const;
  std::int64_t last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  friend class Patience;
  explicit Database(sqlite3* handle) : handle_(handle), statements_(std::make_unique<StatementCache>()) {}
  std::unique_ptr<sqlite3, Close> handle_;
  std::unique_ptr<StatementCache> statements_;
};

/// While it lives, statements that are still running at `deadline` fail with kResourceExhausted.
class Patience {
 public:
  Patience(const Database& database, Monotonic deadline, const Clock& clock);
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  ~Patience();

 private:
  static int is_over(void* self);
  sqlite3* database_;
  const Monotonic deadline_;
  const Clock& clock_;
};

/// While it lives, statements that read see the same, and the file is locked once instead of by each of them. Goes
/// after its statements.
class ReadTransaction {
 public:
  static Result<ReadTransaction> begin(const Database& database);
  ReadTransaction(ReadTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ReadTransaction& operator=(ReadTransaction&&) = delete;
  ~ReadTransaction();

 private:
  explicit ReadTransaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

/// BEGIN IMMEDIATE on begin(), ROLLBACK unless commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(const Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace backstay::sqlite
