#pragma once

#include "base/result.h"
#include "smtp/reply.h"

namespace postern::session {

/// The one place where a failure of ours becomes an answer to a client. What the client reads is
/// generic; `error.what` is for the log. Always temporary: the client keeps the message, so nothing
/// is lost.
smtp::Reply reply_for_error(const Error& error);

}  // namespace postern::session
