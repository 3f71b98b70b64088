#include "admin/pages.h"

#include "admin/exposition.h"

namespace postern::admin {

net::HttpReply Pages::page(const net::HttpRequest& request) {
  net::HttpReply reply;
  if (request.path == "/metrics") {
    const Exposition exposition = exposition_for(request.accept);
    reply.content_type = content_type(exposition);
    reply.body = expose(commands_.metrics(), exposition);
  } else if (request.path == "/healthz") {
    reply.body = "ok\n";
  } else if (request.path == "/readyz") {
    const Status status = commands_.status();
    for (const Trouble& trouble : status.troubles)
      if (trouble.weight == Trouble::Weight::not_ready) reply.body += trouble.what + "\n";
    if (reply.body.empty())
      reply.body = "ok\n";
    else
      reply.status = 503;
  } else {
    reply.status = 404;
    reply.body = "There are /metrics, /healthz and /readyz.\n";
  }
  return reply;
}

}  // namespace postern::admin
