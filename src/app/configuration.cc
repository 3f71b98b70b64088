#include "app/configuration.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <tuple>
#include <unistd.h>

#include "app/breaker.h"
#include "app/overrides.h"
#include "app/proxies.h"
#include "app/recipients.h"
#include "app/reports.h"
#include "app/values.h"
#include "base/text.h"
#include "dns/name.h"
#include "mail/address.h"
#include "settings/section.h"

namespace postern::app {

using settings::Findings;
using settings::parse_toml;
using settings::Section;
using settings::TomlTable;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t list_count_max = 10'000;
constexpr std::size_t routes_max = 10'000;
constexpr std::size_t next_hops_max = 16;
constexpr std::size_t listen_count_max = 64;
constexpr std::size_t dns_servers_max = 16;
constexpr std::size_t stub_zones_max = 100;
constexpr std::size_t file_bytes_max = 1 << 20;

std::vector<Endpoint> default_listen() {
  return {*Endpoint::parse("0.0.0.0:25"), *Endpoint::parse("[::]:25")};
}

void read_server(Section section, Configuration::Server& server,
                 const std::string& system_hostname) {
  server.listen = default_listen();
  std::string hostname;
  section.text("hostname", hostname);
  if (!hostname.empty()) section.parsed("hostname", server.hostname, parse_hostname);
  section.list("listen", server.listen, listen_count_max, parse_listen);
  if (server.listen.empty())
    section.problem("listen", {"is empty: no client could reach this server",
                               "give at least one address, such as \"0.0.0.0:25\""});
  section.parsed("spool", server.spool, parse_absolute_path);
  std::string control_socket;
  section.text("control_socket", control_socket);
  if (!control_socket.empty())
    section.parsed("control_socket", server.control_socket, parse_absolute_path);
  section.text("user", server.user);
  std::string postmaster;
  section.text("postmaster", postmaster);
  if (!postmaster.empty()) section.parsed("postmaster", server.postmaster, parse_mailbox);
  section.finish();

  if (server.hostname.empty()) {
    server.hostname = to_lower(system_hostname);
    if (hostname.empty() && server.hostname.find('.') == std::string::npos)
      section.problem(
          "hostname",
          {fmt::format("the system calls itself \"{}\", which is not a full host name; many "
                       "servers refuse mail from such a greeting",
                       printable(server.hostname)),
           "set it to the name that DNS gives this server's address, such as \"gw.example.com\""},
          Weight::warning);
  }
  if (server.control_socket.empty()) server.control_socket = server.spool + "/control.sock";
  if (server.postmaster.empty()) server.postmaster = "postmaster@" + server.hostname;
  // The kernel's sockaddr_un has room for 107 characters.
  constexpr std::size_t socket_path_length_max = 107;
  if (server.control_socket.size() > socket_path_length_max)
    section.problem("control_socket",
                    {fmt::format("the path is {} characters long", server.control_socket.size()),
                     fmt::format("use one of {} at most", socket_path_length_max)});
}

void read_limits(Section section, Configuration::Limits& limits) {
  // RFC 5321 section 4.5.3.1.7: at least 64 KiB of message must be taken.
  section.integer("message_bytes_max", limits.message_bytes_max, 65'536, 1ULL << 40);
  // RFC 5321 section 4.5.3.1.8: at least 100 recipients must be taken.
  section.integer("recipients_max", limits.recipients_max, 100, 100'000);
  section.integer("sessions_max", limits.sessions_max, 1, 1'000'000);
  section.integer("sessions_per_client_max", limits.sessions_per_client_max, 1, 1'000'000);
  section.integer("received_max", limits.received_max, 10, 1000);
  section.finish();
  if (limits.sessions_per_client_max > limits.sessions_max &&
      section.has("sessions_per_client_max"))
    section.problem("sessions_per_client_max",
                    {fmt::format("is above sessions_max ({})", limits.sessions_max),
                     "one client could then take every session: make it smaller"});
}

/// A key that others can read is worth a word, whoever owns it.
void check_key_file(Section& section, const std::string& path) {
  std::error_code error;
  const auto mode = std::filesystem::status(path, error).permissions();
  using std::filesystem::perms;
  if (!error && (mode & (perms::others_read | perms::others_write)) != perms::none)
    section.problem("tls_key",
                    {"every user of this system can read the key",
                     fmt::format("chmod 640 {}", printable(path))},
                    Weight::warning);
}

void read_smtp(Section section, Configuration::Smtp& smtp) {
  section.choice("bare_newline", smtp.bare_newline,
                 {{"refuse", BareNewline::refuse}, {"normalize", BareNewline::normalize}});
  section.duration("command_timeout", smtp.command_timeout, 1s, 1h);
  section.duration("data_timeout", smtp.data_timeout, 1s, 1h);
  section.integer("errors_max", smtp.errors_max, 1, 1000);
  section.text("tls_certificate", smtp.tls_certificate);
  section.text("tls_key", smtp.tls_key);
  section.finish();
  if (smtp.tls_certificate.empty() != smtp.tls_key.empty()) {
    const bool lacks_key = smtp.tls_key.empty();
    section.problem(lacks_key ? "tls_certificate" : "tls_key",
                    {fmt::format("is set without {}", lacks_key ? "tls_key" : "tls_certificate"),
                     "give both for STARTTLS, or neither"});
  }
  if (!smtp.tls_certificate.empty())
    section.parsed("tls_certificate", smtp.tls_certificate, parse_readable_file);
  if (!smtp.tls_key.empty()) {
    section.parsed("tls_key", smtp.tls_key, parse_readable_file);
    check_key_file(section, smtp.tls_key);
  }
}

void read_relay(Section section, Configuration::Relay& relay) {
  section.list("domains", relay.domains, list_count_max, parse_domain);
  section.list("networks", relay.networks, list_count_max, parse_relay_network);
  section.finish();
  if (relay.domains.empty() && relay.networks.empty())
    section.problem("",
                    {"neither domains nor networks are given, so that every message is refused",
                     "list your own domains: domains = [\"example.com\"]"},
                    Weight::warning);
}

void read_actions(Section section, Configuration::UnknownIp& unknown_ip) {
  using policy::Action;
  const auto action = [&section](std::string_view key, Action& into) {
    section.choice(key, into,
                   {{"accept", Action::accept},
                    {"tag", Action::tag},
                    {"450", Action::reply_450},
                    {"451", Action::reply_451},
                    {"550", Action::reply_550}});
  };
  action("no_ptr", unknown_ip.no_ptr);
  action("bad_name", unknown_ip.bad_name);
  action("no_forward", unknown_ip.no_forward);
  action("mismatch", unknown_ip.mismatch);
  action("temperror", unknown_ip.temperror);
  section.finish();
  if (unknown_ip.temperror == Action::reply_550)
    section.problem("temperror", {"\"550\" would refuse mail for good because a DNS server did not "
                                  "answer",
                                  "write \"451\", \"450\", \"tag\" or \"accept\""});
}

void read_escalation(Section section, policy::EscalationOptions& escalation) {
  section.flag("enabled", escalation.enabled);
  section.integer("after_attempts", escalation.after_attempts, 2, 1000);
  section.duration("after", escalation.after, 30min, 7 * 24h);
  section.finish();
}

void read_unknown_ip(Section section, Configuration::UnknownIp& unknown_ip) {
  using policy::AnswerAt;
  using policy::ReplyStyle;
  using policy::UnknownIpMode;
  using session::UnknownIpHeader;
  section.choice("mode", unknown_ip.mode,
                 {{"off", UnknownIpMode::off},
                  {"observe", UnknownIpMode::observe},
                  {"enforce", UnknownIpMode::enforce}});
  section.choice("reply_style", unknown_ip.reply_style,
                 {{"postern", ReplyStyle::postern}, {"postfix", ReplyStyle::postfix}});
  section.duration("deadline", unknown_ip.deadline, 100ms, 60s);
  section.choice("answer_at", unknown_ip.answer_at,
                 {{"rcpt", AnswerAt::rcpt},
                  {"mail", AnswerAt::mail},
                  {"ehlo", AnswerAt::ehlo},
                  {"connect", AnswerAt::connect}});
  if (unknown_ip.mode == UnknownIpMode::enforce && unknown_ip.answer_at != AnswerAt::rcpt)
    section.problem(
        "answer_at",
        {"refuses clients before they name a recipient, so that `postern ledger` cannot "
         "follow what becomes of their mail",
         "write \"rcpt\" unless there is a reason"},
        settings::Weight::warning);
  section.duration("stale_max", unknown_ip.stale_max, 0s, 7 * 24h);
  section.choice("header", unknown_ip.header,
                 {{"never", UnknownIpHeader::never},
                  {"tagged", UnknownIpHeader::tagged},
                  {"always", UnknownIpHeader::always}});
  section.flag("check_private", unknown_ip.check_private);
  section.list("exempt_networks", unknown_ip.exempt_networks, list_count_max, parse_network);
  read_known_hosts(section, unknown_ip);
  read_actions(section.section("actions"), unknown_ip);
  read_escalation(section.section("escalation"), unknown_ip.escalation);
  read_breaker(section.section("breaker"), unknown_ip);
  unknown_ip.overrides = read_overrides(section, unknown_ip.answer_at);
  section.finish();
}

Parsed<std::string> parse_zone_name(std::string_view text) {
  const auto name = dns::normalize_name(text);
  if (name && !name->empty()) return *name;
  return object(fmt::format("\"{}\" is not the name of a zone", printable(text, 80)),
                "give one below the root, such as \"10.in-addr.arpa\" or \"example.internal\"");
}

void read_stub_zone(Section section, Configuration::Dns& dns) {
  dns::StubZone zone;
  section.parsed("name", zone.name, parse_zone_name);
  section.list("servers", zone.servers, dns_servers_max, parse_dns_server);
  section.finish();
  if (!section.present()) return;
  if (!section.has("name"))
    section.problem("name", {"is missing", "give the zone, such as \"10.in-addr.arpa\""});
  if (!section.has("servers"))
    section.problem("servers", {"is missing", "give the addresses of the zone's own servers"});
  dns.stub_zones.push_back(std::move(zone));
}

void read_dns(Section section, Configuration::Dns& dns) {
  section.list("servers", dns.servers, dns_servers_max, parse_dns_server);
  section.flag("recursive", dns.recursive);
  section.flag("dnssec", dns.dnssec);
  section.list("zone_files", dns.zone_files, 100, parse_readable_file);
  const std::vector<Section> stubs = section.sections("stub_zone", stub_zones_max);
  for (const Section& stub : stubs) read_stub_zone(stub, dns);
  if (stubs.empty()) read_stub_zone(section.absent("stub_zone"), dns);
  section.finish();
  if (dns.recursive && !dns.servers.empty())
    section.problem("recursive", {"is true although servers are given",
                                  "remove servers, or set recursive = false: the one asks the "
                                  "authoritative servers itself, the other leaves it to yours"});
}

void read_delivery(Section section, Configuration::Delivery& delivery) {
  section.list("retry", delivery.retry, 100, parse_delay, Section::Repeats::allowed);
  if (delivery.retry.empty())
    section.problem("retry", {"is empty", "give at least one delay, such as [\"15m\"]"});
  section.duration("lifetime", delivery.lifetime, 1s, 30 * 24h);
  section.duration("report_lifetime", delivery.report_lifetime, 1s, 30 * 24h);
  section.list("delay_notice", delivery.delay_notice, 1, parse_delay);
  section.integer("connections_per_destination_max", delivery.connections_per_destination_max, 1,
                  1000);
  section.integer("messages_per_connection_max", delivery.messages_per_connection_max, 1, 10'000);
  section.choice("starttls", delivery.starttls,
                 {{"opportunistic", StartTls::opportunistic}, {"off", StartTls::off}});
  section.integer("port", delivery.port, 1, 65'535);
  section.duration("connect_timeout", delivery.connect_timeout, 100ms, 10min);
  section.finish();
  if (!delivery.retry.empty() && delivery.retry.front() > delivery.lifetime)
    section.problem("retry", {fmt::format("the first delay is longer than lifetime ({})",
                                          format_duration(delivery.lifetime)),
                              "no message would be tried twice: make the delay shorter or the "
                              "lifetime longer"});
  if (!delivery.delay_notice.empty() && delivery.delay_notice.front() >= delivery.lifetime &&
      section.has("delay_notice"))
    section.problem("delay_notice", {fmt::format("is not before the end of lifetime ({})",
                                                 format_duration(delivery.lifetime)),
                                     "nobody would hear of a delay: make it shorter, or write []"});
}

void read_route_limits(Section& section, const Configuration::Delivery& delivery,
                       Configuration::Route& route) {
  const auto integer = [&section](std::string_view key, std::optional<std::uint64_t>& into,
                                  std::uint64_t max) {
    std::uint64_t value = 0;
    section.integer(key, value, 1, max);
    if (value > 0) into = value;
  };
  integer("connections_max", route.connections_max, 1000);
  integer("messages_per_connection_max", route.messages_per_connection_max, 10'000);
  integer("messages_per_minute_max", route.messages_per_minute_max, 1'000'000);
  const bool has_retry =
      section.list("retry", route.retry, 100, parse_delay, Section::Repeats::allowed);
  if (has_retry && route.retry.empty())
    section.problem("retry", {"is empty",
                              "give at least one delay, such as [\"15m\"], or remove the line: the "
                              "delays of [delivery] count then"});
  Duration lifetime{};
  section.duration("lifetime", lifetime, 1s, 30 * 24h);
  if (lifetime > Duration::zero()) route.lifetime = lifetime;
  const std::vector<Duration>& retry = route.retry.empty() ? delivery.retry : route.retry;
  const Duration ends = route.lifetime.value_or(delivery.lifetime);
  if ((!route.retry.empty() || route.lifetime) && !retry.empty() && retry.front() > ends)
    section.problem(route.retry.empty() ? "lifetime" : "retry",
                    {fmt::format("the first delay between attempts ({}) is longer than the "
                                 "lifetime ({})",
                                 format_duration(retry.front()), format_duration(ends)),
                     "no message would be tried twice: make the delay shorter or the lifetime "
                     "longer, here or in [delivery]"});
}

void read_route(Section section, const Configuration::Delivery& delivery,
                std::vector<Configuration::Route>& routes) {
  Configuration::Route route;
  section.parsed("domain", route.domain, parse_route_domain);
  const bool has_hops = section.list("next_hop", route.next_hop, next_hops_max, parse_next_hop);
  read_route_limits(section, delivery, route);
  section.finish();
  if (!section.present()) return;
  if (!section.has("domain"))
    section.problem("", {"has no domain", "add one: domain = \"example.com\""});
  if (!section.has("next_hop"))
    section.problem("", {"has no next_hop", "add one: next_hop = [\"smtp://192.0.2.1:25\"]"});
  else if (has_hops && route.next_hop.empty())
    section.problem("next_hop", {"names no server", "give at least one"});
  if (!route.domain.empty() && std::ranges::any_of(routes, [&route](const auto& other) {
        return other.domain == route.domain;
      }))
    section.problem("domain", {fmt::format("there are two routes for \"{}\"", route.domain),
                               "put all of its servers into one next_hop list, in the order in "
                               "which they are to be tried"});
  const auto twin = std::ranges::find_if(routes, [&route](const auto& other) {
    return !route.next_hop.empty() && other.next_hop == route.next_hop;
  });
  if (twin != routes.end() && !twin->same_limits(route))
    section.problem(
        "next_hop",
        {fmt::format("the route for \"{}\" leads to the same servers, with other limits",
                     twin->domain),
         "what leads to the same servers shares its connections: give both the same limits"});
  routes.push_back(std::move(route));
}

void read_ledger(Section section, Configuration::Ledger& ledger) {
  section.flag("enabled", ledger.enabled);
  section.duration("retention", ledger.retention, 1h, 10 * 365 * 24h);
  section.integer("size_max", ledger.size_max, 16ULL << 20, 1ULL << 44);
  section.finish();
}

void read_log(Section section, Configuration::Log& log) {
  section.choice("format", log.format, {{"text", LogFormat::text}, {"json", LogFormat::json}});
  std::string target = log.target;
  section.text("target", target);
  if (target != "stderr") section.parsed("target", log.target, parse_absolute_path);
  section.flag("postfix_rejects", log.postfix_rejects);
  section.choice("severity", log.severity,
                 {{"debug", Severity::debug},
                  {"info", Severity::info},
                  {"warning", Severity::warning},
                  {"error", Severity::error}});
  section.finish();
}

void read_admin(Section section, Configuration::Admin& admin) {
  section.parsed("http_listen", admin.http_listen, parse_http_listen);
  section.finish();
  if (admin.http_listen && !admin.http_listen->address.is_loopback())
    section.problem("http_listen",
                    {fmt::format("{} can be reached from other hosts, and HTTP has neither "
                                 "encryption nor passwords here",
                                 admin.http_listen->text()),
                     "use 127.0.0.1, or let a firewall admit the scraper alone"},
                    Weight::warning);
}

void check_double_bounce(Section reports, const Configuration& configuration) {
  if (configuration.reports.double_bounce != delivery::DoubleBounce::postmaster ||
      !postmaster_leads_back(configuration))
    return;
  reports.problem("double_bounce",
                  {fmt::format("mail for {} would lead back to this server",
                               printable(configuration.server.postmaster)),
                   "write an address elsewhere as [server] postmaster, or a [[route]] for it"});
}

Configuration read_all(const TomlTable& table, Findings& findings,
                       const std::string& system_hostname) {
  Configuration configuration;
  Section root("", {}, &table, findings);
  read_server(root.section("server"), configuration.server, system_hostname);
  read_limits(root.section("limits"), configuration.limits);
  read_smtp(root.section("smtp"), configuration.smtp);
  read_relay(root.section("relay"), configuration.relay);
  read_proxies(root.section("proxies"), configuration.proxies);
  read_unknown_ip(root.section("unknown_ip"), configuration.unknown_ip);
  read_recipients(root.section("recipients"), configuration.relay, configuration.recipients);
  read_dns(root.section("dns"), configuration.dns);
  read_delivery(root.section("delivery"), configuration.delivery);
  const Section reports = root.section("reports");
  read_reports(reports, configuration.reports);
  const std::vector<Section> routes = root.sections("route", routes_max);
  for (const Section& route : routes)
    read_route(route, configuration.delivery, configuration.routes);
  // Without a route its keys are known all the same.
  if (routes.empty())
    read_route({"route", {}, nullptr, findings}, configuration.delivery, configuration.routes);
  read_ledger(root.section("ledger"), configuration.ledger);
  read_log(root.section("log"), configuration.log);
  read_admin(root.section("admin"), configuration.admin);
  check_double_bounce(reports, configuration);
  root.finish();
  return configuration;
}

std::string system_hostname() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

ReadConfiguration unreadable(const std::string& path, Objection objection) {
  ReadConfiguration read;
  read.diagnostics.push_back(
      {Weight::error, path, {}, "", "", std::move(objection.what), std::move(objection.advice)});
  return read;
}

}  // namespace

bool Configuration::Route::same_limits(const Route& other) const {
  Route here = other;
  here.domain = domain;
  here.next_hop = next_hop;
  return *this == here;
}

bool postmaster_leads_back(const Configuration& configuration) {
  const std::string domain = to_lower(mail::domain_of(configuration.server.postmaster));
  return domain == to_lower(configuration.server.hostname) &&
         std::ranges::none_of(configuration.routes, [&domain](const Configuration::Route& route) {
           return route.domain == "*" || route.domain == domain ||
                  (route.domain.starts_with('.') && domain.ends_with(route.domain));
         });
}

ReadConfiguration read_configuration(std::string_view text, const std::string& file,
                                     const std::string& system_hostname) {
  Findings findings;
  findings.file = file;
  ReadConfiguration read;
  const auto table = parse_toml(text);
  if (table) {
    read.configuration = read_all(*table, findings, system_hostname);
  } else {
    findings.diagnostics.push_back(table.error());
    findings.diagnostics.back().file = file;
  }
  std::multimap<std::tuple<std::string, int, int>, Diagnostic> in_file_order;
  for (Diagnostic& diagnostic : findings.diagnostics) {
    const std::tuple place(diagnostic.file == file ? "" : diagnostic.file, diagnostic.place.line,
                           diagnostic.place.column);
    in_file_order.emplace(place, std::move(diagnostic));
  }
  for (auto& [place, diagnostic] : in_file_order) read.diagnostics.push_back(std::move(diagnostic));
  return read;
}

ReadConfiguration load_configuration(const std::string& path) {
  std::error_code error;
  if (std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found)
    return unreadable(path, {"there is no such file",
                             "copy docs/postern.toml there and edit it, or give another with "
                             "--config FILE"});
  std::ifstream file(path, std::ios::binary);
  std::string text(file_bytes_max + 1, '\0');
  if (!std::filesystem::is_regular_file(path, error) || !file.is_open() ||
      (file.read(text.data(), static_cast<std::streamsize>(text.size())), file.bad()))
    return unreadable(path, {"the file cannot be read",
                             "give the path of a file that the user running postern may read"});
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_bytes_max)
    return unreadable(path, {"the file is larger than 1 MiB", "is it the right one?"});
  return read_configuration(text, path, system_hostname());
}

std::optional<Configuration> configuration_or_defaults(const std::string& path,
                                                       const std::string& usual_path) {
  std::error_code error;
  // One that may not be looked at is no absent one.
  if (path == usual_path &&
      std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found) {
    fmt::print(stderr, "there is no {}: these are the defaults (--config FILE)\n", path);
    Configuration defaults;
    defaults.server.hostname = to_lower(system_hostname());
    defaults.server.postmaster = "postmaster@" + defaults.server.hostname;
    return defaults;
  }
  ReadConfiguration read = load_configuration(path);
  for (const Diagnostic& diagnostic : read.diagnostics)
    if (diagnostic.weight == Weight::error) fmt::print(stderr, "{}\n", diagnostic.text());
  if (has_errors(read.diagnostics)) return std::nullopt;
  return std::move(read.configuration);
}

std::vector<std::string> known_keys() {
  Findings findings;
  const TomlTable nothing;
  const Configuration unused = read_all(nothing, findings, "localhost");
  return findings.known;
}

}  // namespace postern::app
