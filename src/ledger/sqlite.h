#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace postern::ledger {

/// A column's time: milliseconds since 1970; one that cannot have been written becomes the nearest
/// that can.
WallTime stored_time(std::int64_t milliseconds);

/// One statement, compiled once and run again and again. Must not outlive its Database.
class Statement {
 public:
  /// Bytes that are no text.
  struct Blob {
    std::string_view bytes;
  };

  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  /// Begins anew with these parameters, in the order of their question marks. Texts and bytes are
  /// not copied: they must stay as they are until the statement has run or is bound again.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int place = 0;
    (bind_at(++place, values), ...);
    return *this;
  }
  /// True: there is a row to read. False: it has run to its end.
  [[nodiscard]] Result<bool> step();
  /// For what gives no rows, or whose rows do not matter.
  [[nodiscard]] Result<> run();
  /// Ends a read that was not read to its end; what it holds up (a checkpoint, a writer's
  /// transaction) may then go on.
  void reset();

  // Of the row, columns from 0; views until the next step.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] WallTime time(int column) const;
  [[nodiscard]] IpAddress address(int column) const;  ///< "::" when it is none

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  void bind_at(int place, std::int64_t value);
  void bind_at(int place, std::uint64_t value) { bind_at(place, static_cast<std::int64_t>(value)); }
  void bind_at(int place, std::uint32_t value) { bind_at(place, std::int64_t{value}); }
  void bind_at(int place, int value) { bind_at(place, std::int64_t{value}); }
  void bind_at(int place, std::string_view text);
  void bind_at(int place, const std::string& text) { bind_at(place, std::string_view(text)); }
  void bind_at(int place, const char* text) { bind_at(place, std::string_view(text)); }
  void bind_at(int place, Blob blob);
  void bind_at(int place, WallTime time);
  void bind_at(int place, const IpAddress& address);
  void bind_at(int place, std::nullopt_t);
  template <typename T>
  void bind_at(int place, const std::optional<T>& value) {
    if (value)
      bind_at(place, *value);
    else
      bind_at(place, std::nullopt);
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A connection to an SQLite database. Its calls block, so that the server's are made on a worker;
/// used by one thread at a time. Errors: Cause::damaged (no database, or broken), no_space,
/// no_permission (also a file system that can only be read), in_use (somebody else holds a lock for
/// longer than we wait), not_found, other.
class Database {
 public:
  enum class Access : std::uint8_t {
    create,     ///< reads and writes, and makes the file when it is missing
    read_only,  ///< Cause::not_found when it is missing
  };
  static constexpr std::string_view in_memory = ":memory:";

  /// `path`: of a file, or `in_memory`. Does not say yet whether the file is a database.
  [[nodiscard]] static Result<Database> open(const std::string& path, Access access);

  /// One or more statements without parameters.
  [[nodiscard]] Result<> execute(const std::string& sql);
  /// The statement must be right: one that the schema does not allow is a bug of ours or a file
  /// that is not what it says, and an error.
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row, 0 when there is no row or it is NULL: of a pragma or an
  /// aggregate.
  [[nodiscard]] Result<std::int64_t> number(std::string_view sql);
  /// Forgets the pages of the file that it holds; they are read again when they are wanted.
  void release_memory();
  /// Rows that the last statement inserted, changed or removed.
  [[nodiscard]] std::uint64_t changes() const;
  /// The same, of all statements since it was opened.
  [[nodiscard]] std::uint64_t changes_so_far() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

/// What is done with a Database between begin() and commit() is done as a whole; without commit()
/// the destructor undoes it.
class Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Database& database);
  [[nodiscard]] Result<> commit();
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  ///< null: nothing to undo
};

}  // namespace postern::ledger
