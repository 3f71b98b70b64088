#include "ledger/schema.h"

#include <fmt/format.h>

namespace postern::ledger {

const std::array<std::string_view, 1> schema_steps{R"sql(
CREATE TABLE evidence (
  id       INTEGER PRIMARY KEY,
  client   BLOB NOT NULL,
  taken    INTEGER NOT NULL,
  state    TEXT NOT NULL,
  lookups  TEXT NOT NULL
);
CREATE TABLE refusals (
  id         INTEGER PRIMARY KEY,
  time       INTEGER NOT NULL,
  case_id    TEXT NOT NULL,
  client     BLOB NOT NULL,
  via        BLOB,
  greeting   INTEGER NOT NULL,
  helo       TEXT NOT NULL,
  sender     TEXT NOT NULL,
  recipient  TEXT NOT NULL,
  message    INTEGER NOT NULL,
  state      TEXT NOT NULL,
  action     TEXT NOT NULL,
  effect     INTEGER NOT NULL,
  reply      TEXT NOT NULL,
  override   TEXT NOT NULL,
  observed   TEXT NOT NULL,
  escalated  INTEGER NOT NULL,
  latency    INTEGER NOT NULL,
  evidence   INTEGER NOT NULL,
  deferral   INTEGER
);
CREATE TABLE case_index (
  first INTEGER PRIMARY KEY,
  sums  BLOB NOT NULL
);
CREATE TABLE deferrals (
  id               INTEGER PRIMARY KEY,
  sender           TEXT NOT NULL,
  recipient        TEXT NOT NULL,
  helo             TEXT NOT NULL,
  greeting         INTEGER NOT NULL,
  first            INTEGER NOT NULL,
  last             INTEGER NOT NULL,
  attempts         INTEGER NOT NULL,
  times            BLOB NOT NULL,
  addresses        BLOB NOT NULL,
  accepted         INTEGER,
  accepted_from    BLOB,
  refused_for_good INTEGER
);
CREATE TABLE clients (
  address        BLOB PRIMARY KEY,
  first          INTEGER NOT NULL,
  last           INTEGER NOT NULL,
  helo           TEXT NOT NULL,
  name           TEXT NOT NULL,
  last_confirmed INTEGER,
  accepted       INTEGER NOT NULL,
  refused        INTEGER NOT NULL,
  would_refuse   INTEGER NOT NULL
) WITHOUT ROWID;
)sql"};

Result<std::int64_t> read_schema_version(Database& database) {
  TRY(const std::int64_t application, database.number("PRAGMA application_id"));
  TRY(const std::int64_t version, database.number("PRAGMA user_version"));
  TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_schema"));
  if (tables == 0) return 0;
  if (application != application_id)
    return our_failure(Cause::damaged, "the file is another program's database");
  if (version > schema_version)
    return operator_failure(
        Cause::other, fmt::format("the file was written by a newer Postern (version {} of the "
                                  "schema, this one knows {}); use that one, or move the file away",
                                  version, schema_version));
  return version;
}

Result<> migrate(Database& database, std::span<const std::string_view> steps) {
  TRY(std::int64_t version, read_schema_version(database));
  for (; version < static_cast<std::int64_t>(steps.size()); ++version) {
    TRY(Transaction step, Transaction::begin(database));
    TRY_VOID(database.execute(std::string(steps[static_cast<std::size_t>(version)])));
    TRY_VOID(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                          application_id, version + 1)));
    TRY_VOID(step.commit());
  }
  return {};
}

}  // namespace postern::ledger
