#include <algorithm>
#include <fmt/format.h>
#include <functional>

#include "app/configuration.h"
#include "base/text.h"

namespace postern::app {
namespace {

constexpr std::size_t listed_max = 8;

template <typename T, typename Text>
std::string joined(const std::vector<T>& values, Text text) {
  std::string line;
  for (std::size_t i = 0; i < values.size() && i < listed_max; ++i)
    line += (i > 0 ? ", " : "") + text(values[i]);
  if (values.size() > listed_max) line += fmt::format(" and {} more", values.size() - listed_max);
  return line;
}

std::string text_of(const std::string& text) {
  return text;
}

std::string_view step_word(policy::AnswerAt step) {
  switch (step) {
    case policy::AnswerAt::connect:
      return "the greeting";
    case policy::AnswerAt::ehlo:
      return "EHLO";
    case policy::AnswerAt::mail:
      return "MAIL";
    case policy::AnswerAt::rcpt:
      return "RCPT";
  }
  return "RCPT";
}

std::string unknown_ip_line(const Configuration::UnknownIp& unknown_ip) {
  using policy::UnknownIpMode;
  switch (unknown_ip.mode) {
    case UnknownIpMode::off:
      return "off: clients' reverse names are not looked up";
    case UnknownIpMode::observe:
      return "observe: clients without a confirmed reverse name are recorded, nobody is refused";
    case UnknownIpMode::enforce:
      return fmt::format(
          "enforce: clients without a confirmed reverse name are refused at {}, {} exempt "
          "network{}",
          step_word(unknown_ip.answer_at), unknown_ip.exempt_networks.size(),
          unknown_ip.exempt_networks.size() == 1 ? "" : "s");
  }
  return {};
}

std::string breaker_line(const Configuration& configuration) {
  const Configuration::UnknownIp& unknown_ip = configuration.unknown_ip;
  if (!unknown_ip.breaker.enabled)
    return "off: when the resolver fails, the check refuses everybody";
  std::string tells = "tells the log";
  if (unknown_ip.alerts.mail && postmaster_leads_back(configuration))
    tells += fmt::format(" only: mail for {} would lead back to this server",
                         configuration.server.postmaster);
  else if (unknown_ip.alerts.mail)
    tells += " and " + configuration.server.postmaster;
  if (!unknown_ip.alerts.command.empty())
    tells += ", runs " + printable(unknown_ip.alerts.command.front());
  return "the check only observes while it cannot be trusted; " + tells;
}

std::string networks_text(const std::vector<IpNetwork>& networks) {
  return joined(networks, [](const IpNetwork& network) { return network.text(); });
}

using Add = std::function<void(std::string_view what, std::string_view value)>;

/// Who the client is, and what is done when its address is unknown.
void add_clients(const Add& add, const Configuration::Proxies& proxies,
                 const Configuration::UnknownIp& unknown_ip) {
  if (!proxies.proxy_protocol.empty())
    add("proxies", "PROXY protocol from " + networks_text(proxies.proxy_protocol));
  if (!proxies.xclient.empty()) add("proxies", "XCLIENT from " + networks_text(proxies.xclient));
  if (!proxies.xforward.empty()) add("proxies", "XFORWARD from " + networks_text(proxies.xforward));
  add("unknown IP", unknown_ip_line(unknown_ip));
  if (unknown_ip.known_hosts.empty()) return;
  add("known hosts",
      fmt::format("{}; the host before them is {}", networks_text(unknown_ip.known_hosts),
                  unknown_ip.known_hosts_decide == policy::KnownHostsDecide::refuse
                      ? "checked and decided upon at the end of the message"
                      : "checked and recorded, never refused"));
}

std::string recipients_line(const Configuration::RecipientDomain& domain) {
  const std::string_view reply =
      domain.when_unknown == policy::WhenUnknown::reply_550 ? "550" : "450";
  if (domain.check == policy::RecipientSource::any) return "every address is taken";
  if (domain.check == policy::RecipientSource::probe)
    return fmt::format("asked of the next hop, others get {}; when it cannot be asked, {}", reply,
                       domain.when_undecided == policy::WhenUndecided::accept ? "all are taken"
                                                                              : "new ones get 450");
  return fmt::format(
      "{} in {}{}, others get {}", domain.list.size(), domain.file.empty() ? "list" : domain.file,
      domain.delimiter.empty() ? "" : " (delimiter " + domain.delimiter + ")", reply);
}

}  // namespace

std::string summary(const Configuration& configuration) {
  const auto& [server, limits, smtp, relay, proxies, unknown_ip, recipients, dns, delivery, reports,
               routes, ledger, log, admin] = configuration;
  std::string lines;
  const auto add = [&lines](std::string_view what, std::string_view value) {
    lines += fmt::format("  {:<12} {}\n", what, value);
  };
  add("server", fmt::format("{}, spool {}, control socket {}", server.hostname, server.spool,
                            server.control_socket));
  add("listen", joined(server.listen, [](const Endpoint& at) { return at.text(); }));
  add("limits", fmt::format("{} bytes a message, {} recipients, {} sessions ({} for each client)",
                            limits.message_bytes_max, limits.recipients_max, limits.sessions_max,
                            limits.sessions_per_client_max));
  add("STARTTLS", smtp.tls_certificate.empty() ? "not offered: no tls_certificate"
                                               : "offered with " + smtp.tls_certificate);
  add("relays for", relay.domains.empty() ? "no domain" : joined(relay.domains, text_of));
  add("relays from", relay.networks.empty() ? "no network" : networks_text(relay.networks));
  add_clients(add, proxies, unknown_ip);
  if (unknown_ip.mode != policy::UnknownIpMode::off) add("breaker", breaker_line(configuration));
  for (std::size_t i = 0; i < recipients.domains.size() && i < listed_max; ++i)
    add("recipients", fmt::format("{}: {}", recipients.domains[i].domain,
                                  recipients_line(recipients.domains[i])));
  if (recipients.domains.size() > listed_max)
    add("recipients", fmt::format("and {} more domains", recipients.domains.size() - listed_max));
  add("recipients", recipients.domains.empty() ? "every address of the domains relayed for is taken"
                                               : "of other domains: every address is taken");
  std::string lookups = "servers of /etc/resolv.conf";
  if (dns.recursive) lookups = "asks the authoritative servers itself";
  if (!dns.servers.empty())
    lookups = joined(dns.servers, [](const Endpoint& at) { return at.text(); });
  add("DNS", lookups + (dns.dnssec ? ", DNSSEC validated" : ""));
  for (const dns::StubZone& zone : dns.stub_zones)
    add("DNS", fmt::format("{}: {}", zone.name,
                           joined(zone.servers, [](const Endpoint& at) { return at.text(); })));
  for (std::size_t i = 0; i < routes.size() && i < listed_max; ++i)
    add("route",
        fmt::format("{} -> {}", routes[i].domain,
                    joined(routes[i].next_hop, [](const NextHop& h) { return h.text(); })));
  if (routes.size() > listed_max)
    add("route", fmt::format("and {} more", routes.size() - listed_max));
  const bool has_catch_all =
      std::ranges::any_of(routes, [](const auto& route) { return route.domain == "*"; });
  if (!has_catch_all) add("route", "all others -> by MX");
  add("gives up",
      fmt::format("after {}; retries begin after {}; {}", format_duration(delivery.lifetime),
                  format_duration(delivery.retry.front()),
                  delivery.delay_notice.empty()
                      ? "no notice of delay"
                      : "notice of delay after " + format_duration(delivery.delay_notice.front())));
  add("reports", fmt::format("in {}{}", joined(reports.languages, text_of),
                             reports.templates.empty() ? ", in the words that are shipped"
                                                       : ", templates in " + reports.templates));
  add("ledger", ledger.enabled ? fmt::format("refusals are kept for {}, in {} bytes at the most",
                                             format_duration(ledger.retention), ledger.size_max)
                               : "off: refusals stand in the log only");
  add("log", fmt::format("{} to {}", log.format == LogFormat::json ? "JSON" : "text", log.target));
  add("metrics", admin.http_listen
                     ? fmt::format("http://{}/metrics", admin.http_listen->text())
                     : "not served over HTTP; `postern top` and `postern status` show them");
  return lines;
}

}  // namespace postern::app
