#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace postern {

/// Whether the same thing may work when it is tried again later.
enum class Persistence : std::uint8_t { temporary, permanent };

/// Who can mend it: the peer (or its network), this host (disk, memory, limits), or the operator
/// (configuration).
enum class Blame : std::uint8_t { peer, us, operator_ };

/// What kind of failure it was, where the caller acts on it.
enum class Cause : std::uint8_t {
  other,
  closed,     ///< the peer ended or reset the connection
  timed_out,  ///< a deadline passed
  cancelled,  ///< we ended it: shutdown, or the object was closed
  refused,    ///< connection refused or unreachable
  not_found,  ///< no such file, record or name
  no_space,   ///< disk full or a quota reached
  damaged,    ///< a record or file does not read as what it must be
  limit,      ///< a bound of ours was met
  in_use,     ///< address or lock is held by somebody else
  no_permission,
};

/// The world failing. Never an answer (5xx, NXDOMAIN, a failed check are values) and never a bug of
/// ours (CHECK).
struct [[nodiscard]] Error {
  Persistence persistence = Persistence::temporary;
  Blame blame = Blame::us;
  Cause cause = Cause::other;
  std::string what;  ///< for logs and operators, never for peers
};

template <typename T = void>
using Result = std::expected<T, Error>;

/// `return fail(...)` from a function that returns Result.
inline std::unexpected<Error> fail(Persistence persistence, Blame blame, Cause cause,
                                   std::string what) {
  return std::unexpected(Error{persistence, blame, cause, std::move(what)});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}
inline std::unexpected<Error> peer_failure(Cause cause, std::string what) {
  return fail(Persistence::temporary, Blame::peer, cause, std::move(what));
}
inline std::unexpected<Error> our_failure(Cause cause, std::string what) {
  return fail(Persistence::temporary, Blame::us, cause, std::move(what));
}
inline std::unexpected<Error> operator_failure(Cause cause, std::string what) {
  return fail(Persistence::permanent, Blame::operator_, cause, std::move(what));
}

}  // namespace postern

/// `TRY(value, expression)`: declares `value` from a Result, or returns its error. TRY_VOID for
/// Result<>. CO_TRY and CO_TRY_VOID are the same inside a coroutine.
#define POSTERN_TRY_NAME2(line) try_result_##line
#define POSTERN_TRY_NAME(line) POSTERN_TRY_NAME2(line)
#define POSTERN_TRY(name, value, expression, ret)          \
  auto name = (expression);                                \
  if (!name) ret ::postern::fail(std::move(name).error()); \
  value = *std::move(name)
#define POSTERN_TRY_VOID(name, expression, ret)              \
  do {                                                       \
    auto name = (expression);                                \
    if (!name) ret ::postern::fail(std::move(name).error()); \
  } while (false)
#define TRY(value, expression) POSTERN_TRY(POSTERN_TRY_NAME(__LINE__), value, expression, return)
#define CO_TRY(value, expression) \
  POSTERN_TRY(POSTERN_TRY_NAME(__LINE__), value, expression, co_return)
#define TRY_VOID(expression) POSTERN_TRY_VOID(POSTERN_TRY_NAME(__LINE__), expression, return)
#define CO_TRY_VOID(expression) POSTERN_TRY_VOID(POSTERN_TRY_NAME(__LINE__), expression, co_return)
