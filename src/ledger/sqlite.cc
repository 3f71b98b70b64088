#include "ledger/sqlite.h"

#include <algorithm>
#include <fmt/format.h>
#include <sqlite3.h>
#include <utility>

namespace postern::ledger {
namespace {

/// For somebody who looks into the file with a tool that locks it.
constexpr int busy_timeout_ms = 1000;

Cause cause_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Cause::no_space;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Cause::damaged;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Cause::no_permission;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Cause::in_use;
    default:
      return Cause::other;
  }
}

std::unexpected<Error> failure(sqlite3* database) {
  return our_failure(cause_of(sqlite3_extended_errcode(database)),
                     fmt::format("SQLite: {}", sqlite3_errmsg(database)));
}

}  // namespace

WallTime stored_time(std::int64_t milliseconds) {
  constexpr std::chrono::milliseconds latest = std::chrono::days(84'006);  // 2200-01-01
  return WallTime(
      std::clamp(std::chrono::milliseconds(milliseconds), std::chrono::milliseconds(0), latest));
}

// --- Statement

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  auto failed = failure(sqlite3_db_handle(statement_.get()));
  sqlite3_reset(statement_.get());
  return failed;
}

Result<> Statement::run() {
  TRY(const bool row, step());
  if (row) reset();
  return {};
}

// A value that cannot be bound (too large, no memory) is one that step() would fail on as well:
// sizes are bounded far below SQLite's limits.
void Statement::bind_at(int place, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), place, value);
}
void Statement::bind_at(int place, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), place, text.data() == nullptr ? "" : text.data(),
                      text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Statement::bind_at(int place, Blob blob) {
  sqlite3_bind_blob64(statement_.get(), place,
                      blob.bytes.data() == nullptr ? "" : blob.bytes.data(), blob.bytes.size(),
                      SQLITE_STATIC);
}
void Statement::bind_at(int place, WallTime time) {
  bind_at(
      place,
      std::int64_t{std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count()});
}
void Statement::bind_at(int place, const IpAddress& address) {
  bind_at(place,
          Blob{{reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()}});
}
void Statement::bind_at(int place, std::nullopt_t) {
  sqlite3_bind_null(statement_.get(), place);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int bytes = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string_view()
                         : std::string_view(text, static_cast<std::size_t>(bytes));
}
std::string_view Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int count = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(count));
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
WallTime Statement::time(int column) const {
  return stored_time(integer(column));
}
IpAddress Statement::address(int column) const {
  std::array<std::uint8_t, 16> bytes{};
  const std::string_view stored = blob(column);
  if (stored.size() == bytes.size()) std::ranges::copy(stored, bytes.begin());
  return IpAddress::from_v6(bytes);
}

// --- Database

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<Database> Database::open(const std::string& path, Access access) {
  // Nobody asks how much memory it uses, which it would count under a lock at each allocation.
  [[maybe_unused]] static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* opened = nullptr;
  const int flags =
      access == Access::create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  // It is to be closed whether or not it could be opened.
  Database database(opened);
  if (code == SQLITE_CANTOPEN)
    return our_failure(access == Access::read_only ? Cause::not_found : Cause::no_permission,
                       fmt::format("cannot open {}: {}", path, sqlite3_errmsg(opened)));
  if (code != SQLITE_OK) return failure(opened);
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  // What stands in a file that is not ours must not run in our name.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Result<> Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure(database_.get());
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    return failure(database_.get());
  return Statement(statement);
}

Result<std::int64_t> Database::number(std::string_view sql) {
  TRY(Statement statement, prepare(sql));
  TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

void Database::release_memory() {
  sqlite3_db_release_memory(database_.get());
}

std::uint64_t Database::changes() const {
  return static_cast<std::uint64_t>(sqlite3_changes64(database_.get()));
}

std::uint64_t Database::changes_so_far() const {
  return static_cast<std::uint64_t>(sqlite3_total_changes64(database_.get()));
}

// --- Transaction

Result<Transaction> Transaction::begin(Database& database) {
  TRY_VOID(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Result<> Transaction::commit() {
  TRY_VOID(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

// Undoing fails when SQLite has undone it by itself already, as after an I/O error.
Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

}  // namespace postern::ledger
