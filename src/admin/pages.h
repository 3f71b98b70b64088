#pragma once

#include <string>

#include "admin/commands.h"
#include "net/http_server.h"

namespace postern::admin {

/// What is served over HTTP:
///
///     /metrics  what is measured, for Prometheus: text format 0.0.4 or OpenMetrics, by Accept
///     /healthz  200 as long as the server answers at all
///     /readyz   200 while it takes new mail, else 503, and why it does not
///
/// Only reads; nothing that is served names a client, a sender or a recipient. What else is wrong,
/// such as a breaker that names the one client of all, is told by the control socket only.
class Pages final : public net::HttpPages {
 public:
  explicit Pages(Commands& commands) : commands_(commands) {}
  net::HttpReply page(const net::HttpRequest& request) override;

 private:
  Commands& commands_;
};

}  // namespace postern::admin
