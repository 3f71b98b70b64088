#include "app/options.h"

#include "app/recipients.h"
#include "app/version.h"

namespace postern::app {
namespace {

session::Options session_options(const Configuration& configuration) {
  session::Options options;
  options.smtp.hostname = configuration.server.hostname;
  options.smtp.message_bytes_max = configuration.limits.message_bytes_max;
  options.smtp.recipients_max = configuration.limits.recipients_max;
  options.smtp.errors_max = configuration.smtp.errors_max;
  options.smtp.bare_newline = configuration.smtp.bare_newline == BareNewline::refuse
                                  ? smtp::BareNewline::refuse
                                  : smtp::BareNewline::normalize;
  options.smtp.command_timeout = configuration.smtp.command_timeout;
  options.smtp.data_timeout = configuration.smtp.data_timeout;
  options.relay.domains = configuration.relay.domains;
  options.relay.networks = configuration.relay.networks;
  options.proxies = {configuration.proxies.proxy_protocol, configuration.proxies.header_timeout,
                     configuration.proxies.xclient, configuration.proxies.xforward};
  options.postmaster = configuration.server.postmaster;
  options.sessions_max = configuration.limits.sessions_max;
  options.sessions_per_client_max = configuration.limits.sessions_per_client_max;
  options.received_max = configuration.limits.received_max;
  options.unknown_ip_header = configuration.unknown_ip.header;
  options.postfix_rejects = configuration.log.postfix_rejects;
  return options;
}

delivery::RouteLimits route_limits(const Configuration::Route& route) {
  delivery::RouteLimits limits;
  limits.connections_max = route.connections_max;
  const auto count = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  limits.messages_per_connection_max = route.messages_per_connection_max.transform(count);
  limits.messages_per_minute_max = route.messages_per_minute_max.transform(count);
  limits.retry = route.retry;
  limits.lifetime = route.lifetime;
  return limits;
}

Result<delivery::DeliveryOptions> delivery_options(const Configuration& configuration) {
  const Configuration::Delivery& from = configuration.delivery;
  delivery::DeliveryOptions options;
  options.hostname = configuration.server.hostname;
  options.postmaster = configuration.server.postmaster;
  options.retry = from.retry;
  options.lifetime = from.lifetime;
  options.report_lifetime = from.report_lifetime;
  options.connections_per_destination_max = from.connections_per_destination_max;
  options.messages_per_connection_max =
      static_cast<std::uint32_t>(from.messages_per_connection_max);
  options.probes.sender = configuration.recipients.probe.sender;
  options.probes.connections_per_destination_max =
      configuration.recipients.probe.connections_per_destination_max;
  options.connect_timeout = from.connect_timeout;
  options.starttls = from.starttls == StartTls::opportunistic ? smtp::ClientTls::when_offered
                                                              : smtp::ClientTls::off;
  options.port = static_cast<std::uint16_t>(from.port);
  options.delay_notice = from.delay_notice.empty() ? Duration::zero() : from.delay_notice.front();
  options.double_bounce = configuration.reports.double_bounce;
  options.report_wordings = configuration.reports.wordings;
  for (const Configuration::Route& route : configuration.routes) {
    std::vector<std::string> hops;
    hops.reserve(route.next_hop.size());
    for (const NextHop& hop : route.next_hop) hops.push_back(hop.text());
    TRY(auto parsed, delivery::parse_route(route.domain, hops));
    parsed.limits = route_limits(route);
    options.routes.push_back(std::move(parsed));
  }
  return options;
}

}  // namespace

policy::UnknownIpOptions unknown_ip_options(const Configuration::UnknownIp& unknown_ip) {
  policy::UnknownIpOptions options;
  options.mode = unknown_ip.mode;
  options.reply_style = unknown_ip.reply_style;
  options.deadline = unknown_ip.deadline;
  options.answer_at = unknown_ip.answer_at;
  options.check_private = unknown_ip.check_private;
  options.stale_max = unknown_ip.stale_max;
  options.escalation = unknown_ip.escalation;
  options.exempt_networks = unknown_ip.exempt_networks;
  options.known_hosts = unknown_ip.known_hosts;
  options.known_hosts_decide = unknown_ip.known_hosts_decide;
  options.no_ptr = unknown_ip.no_ptr;
  options.bad_name = unknown_ip.bad_name;
  options.no_forward = unknown_ip.no_forward;
  options.mismatch = unknown_ip.mismatch;
  options.temp_error = unknown_ip.temperror;
  options.overrides = unknown_ip.overrides;
  options.breaker = unknown_ip.breaker;
  return options;
}

namespace {

ledger::LedgerOptions ledger_options(const Configuration& configuration) {
  ledger::LedgerOptions options;
  options.enabled = configuration.ledger.enabled;
  options.directory = configuration.server.spool;
  options.keep.time = configuration.ledger.retention;
  options.keep.bytes_max = configuration.ledger.size_max;
  return options;
}

}  // namespace

LogOptions log_options(const Configuration& configuration) {
  LogOptions options;
  options.format = configuration.log.format;
  options.target = configuration.log.target;
  options.severity = configuration.log.severity;
  return options;
}

Result<server::ServerOptions> server_options(const Configuration& configuration) {
  server::ServerOptions options;
  options.session = session_options(configuration);
  options.unknown_ip = unknown_ip_options(configuration.unknown_ip);
  const Configuration::BreakerAlerts& alerts = configuration.unknown_ip.alerts;
  if (alerts.mail && !postmaster_leads_back(configuration))
    options.breaker_alerts.mail_to = configuration.server.postmaster;
  options.breaker_alerts.command = alerts.command;
  options.breaker_alerts.command_timeout = alerts.command_timeout;
  options.recipients = recipient_options(configuration.recipients);
  TRY(options.delivery, delivery_options(configuration));
  options.ledger = ledger_options(configuration);
  options.control_socket = configuration.server.control_socket;
  options.http_listen = configuration.admin.http_listen;
  options.version = version;
  return options;
}

}  // namespace postern::app
