#pragma once

#include <memory>
#include <string>

#include <boost/json/object.hpp>

#include "admin/control_protocol.h"
#include "admin/line_reader.h"
#include "base/result.h"
#include "io/network.h"

namespace postern::admin {

/// One connection to a running server's control socket. Used on one shard, one call at a time.
class ControlClient {
 public:
  /// Cause::not_found or refused: no server runs there. Cause::no_permission: it is another user's.
  static io::Task<Result<std::unique_ptr<ControlClient>>> connect(io::Network& network,
                                                                  std::string path,
                                                                  io::Deadline deadline);

  /// Sends a request and gives the reply's object. Error: the connection's, or the one that the
  /// server answered with (Cause::not_found: no such message).
  io::Task<Result<boost::json::object>> call(Request request, io::Deadline deadline);

 private:
  explicit ControlClient(std::unique_ptr<io::Stream> stream)
      : stream_(std::move(stream)), lines_(*stream_, reply_bytes_max) {}
  std::unique_ptr<io::Stream> stream_;
  LineReader lines_;
};

}  // namespace postern::admin
