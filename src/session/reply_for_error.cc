#include "session/reply_for_error.h"

namespace postern::session {

smtp::Reply reply_for_error(const Error& error) {
  switch (error.cause) {
    case Cause::no_space:
      // RFC 3463 section 3.4: X.3.1 is a full mail system.
      return {451, {4, 3, 1}, "Not enough storage here, try again later"};
    case Cause::cancelled:
      // RFC 3463 section 3.4: X.3.2 is a system that does not accept messages now.
      return {451, {4, 3, 2}, "Shutting down, try again later"};
    case Cause::limit:
      return {451, {4, 3, 2}, "Too busy, try again later"};
    case Cause::other:
    case Cause::closed:
    case Cause::timed_out:
    case Cause::refused:
    case Cause::not_found:
    case Cause::damaged:
    case Cause::in_use:
    case Cause::no_permission:
      break;
  }
  return {451, {4, 3, 0}, "The message could not be stored, try again later"};
}

}  // namespace postern::session
