#pragma once

#include "base/result.h"
#include "io/deadline.h"
#include "io/network.h"
#include "io/task.h"
#include "net/proxy_protocol.h"

namespace postern::net {

/// Reads the PROXY protocol header from the start of a connection, and not a byte behind it, so
/// that `stream` goes on with what the client says. `stream` outlives the call. Errors, all of the
/// peer's: Cause::other when there is no header or a wrong one, Cause::closed when the connection
/// ended before it was complete, Cause::timed_out; then the connection is of no use any more.
/// Cancelled by closing the stream.
io::Task<Result<ProxyHeader>> receive_proxy_header(io::Stream& stream, io::Deadline deadline);

}  // namespace postern::net
