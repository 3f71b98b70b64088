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

}  // namespace postern::ledger
