#pragma once

#include <array>
#include <span>
#include <string_view>

#include "ledger/sqlite.h"

namespace postern::ledger {

/// docs/design/ledger.md. Step n makes version n + 1 out of version n; version 0 is an empty file.
/// A step that was shipped never changes.
extern const std::array<std::string_view, 1> schema_steps;
inline constexpr std::int64_t schema_version = std::tuple_size_v<decltype(schema_steps)>;

/// Of the file's header, so that another program's database is not taken for ours: "Pstn".
inline constexpr std::int64_t application_id = 0x5073'746e;

/// Whose database it is and which version of the schema it has; of an empty file 0. Error: it
/// cannot be read, belongs to another program (Cause::damaged), or was written by a newer Postern
/// (Cause::other, Blame::operator_).
[[nodiscard]] Result<std::int64_t> read_schema_version(Database& database);

/// Makes the file's schema the current one, each step as a whole. What `read_schema_version`
/// refuses is left as it is.
[[nodiscard]] Result<> migrate(Database& database,
                               std::span<const std::string_view> steps = schema_steps);

/// The ids of the refusals of one case (?1): one, or some recipients of one client. Takes time in
/// proportion to the refusals kept, about 1 ms for a million.
inline constexpr std::string_view case_query = R"sql(
WITH RECURSIVE part(number) AS (
  SELECT min(id) >> 14 FROM refusals
  UNION ALL SELECT number + 1 FROM part WHERE number < (SELECT max(id) >> 14 FROM refusals))
SELECT refusals.id FROM part JOIN refusals ON refusals.id >> 14 = part.number
WHERE refusals.case_id = ?1)sql";

}  // namespace postern::ledger
