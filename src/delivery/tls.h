#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "io/deadline.h"
#include "io/network.h"
#include "io/task.h"

namespace postern::delivery {

/// TLS as a client, as far as delivery needs it; the server room binds it to `net`. Outlives the
/// dispatcher. Opportunistic: whether the certificate counts is the implementation's matter.
class TlsClient {
 public:
  virtual ~TlsClient() = default;
  /// Does the handshake on `plain` and gives the stream under TLS. `host` is the name for SNI;
  /// empty when only an address is known. Error: the handshake failed; the connection is gone.
  virtual io::Task<Result<std::unique_ptr<io::Stream>>> start(std::unique_ptr<io::Stream> plain,
                                                              std::string host,
                                                              io::Deadline deadline) = 0;
};

}  // namespace postern::delivery
