#pragma once

#include <vector>

#include "admin/commands.h"
#include "admin/metric_family.h"
#include "delivery/dispatcher.h"
#include "dns/measured_resolver.h"
#include "ledger/ledger.h"
#include "policy/unknown_ip.h"
#include "queue/queue.h"
#include "session/smtp_server.h"

namespace postern::server {

/// The parts of a server that count.
struct MetricSources {
  const session::SmtpServer& smtp;
  const policy::UnknownIpCheck& check;
  const dns::MeasuredResolver& resolver;
  const queue::Queue& queue;
  const delivery::Dispatcher& dispatcher;
  const ledger::Ledger& ledger;
};

/// What the rooms have counted, under the names and with the explanations by which it is watched:
/// the one place where they stand. docs/monitoring.md lists them, and a test compares. The
/// histograms are views into the sources.
std::vector<admin::MetricFamily> collect_metrics(const MetricSources& sources,
                                                 const admin::Status& status);

}  // namespace postern::server
