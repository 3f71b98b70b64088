#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/log_format.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/time.h"
#include "delivery/options.h"
#include "dns/unbound_resolver.h"
#include "dsn/wording.h"
#include "policy/recipient_check.h"
#include "policy/unknown_ip.h"
#include "session/options.h"
#include "settings/diagnostic.h"

namespace postern::app {

using settings::Diagnostic;
using settings::has_errors;
using settings::Place;
using settings::Weight;

enum class BareNewline : std::uint8_t { refuse, normalize };
enum class StartTls : std::uint8_t { off, opportunistic };

/// One server that a route leads to.
struct NextHop {
  enum class Protocol : std::uint8_t { smtp, lmtp };
  Protocol protocol = Protocol::smtp;
  std::string host;  ///< a name, or an address without brackets
  std::uint16_t port = 25;
  [[nodiscard]] std::string text() const;
  bool operator==(const NextHop&) const = default;
};

/// Everything docs/postern.toml can say, as plain values; the member initialisers are the
/// documented defaults. Two with equal content are equal.
struct Configuration {
  struct Server {
    std::string hostname;  ///< after reading never empty
    std::vector<Endpoint> listen;
    std::string spool = "/var/lib/postern";
    std::string control_socket;  ///< after reading never empty
    std::string user;
    std::string postmaster;  ///< after reading never empty
    bool operator==(const Server&) const = default;
  };
  struct Limits {
    std::uint64_t message_bytes_max = 52'428'800;
    std::uint64_t recipients_max = 1000;
    std::uint64_t sessions_max = 10'000;
    std::uint64_t sessions_per_client_max = 100;
    std::uint64_t received_max = 50;
    bool operator==(const Limits&) const = default;
  };
  struct Smtp {
    BareNewline bare_newline = BareNewline::refuse;
    Duration command_timeout = std::chrono::minutes(5);
    Duration data_timeout = std::chrono::minutes(3);
    std::uint64_t errors_max = 20;
    std::string tls_certificate;
    std::string tls_key;
    bool operator==(const Smtp&) const = default;
  };
  struct Relay {
    std::vector<std::string> domains;  ///< lower case; ".example.com": and its subdomains
    std::vector<IpNetwork> networks;
    bool operator==(const Relay&) const = default;
  };
  /// Who is believed about who the client is.
  struct Proxies {
    std::vector<IpNetwork> proxy_protocol;
    Duration header_timeout = std::chrono::seconds(5);
    std::vector<IpNetwork> xclient;
    std::vector<IpNetwork> xforward;
    bool operator==(const Proxies&) const = default;
  };
  /// Who hears of the breaker, beside the log.
  struct BreakerAlerts {
    bool mail = true;                  ///< the postmaster
    std::vector<std::string> command;  ///< a program and its arguments
    Duration command_timeout = std::chrono::seconds(30);
    bool operator==(const BreakerAlerts&) const = default;
  };
  struct UnknownIp {
    policy::UnknownIpMode mode = policy::UnknownIpMode::observe;
    policy::ReplyStyle reply_style = policy::ReplyStyle::postern;
    Duration deadline = std::chrono::seconds(8);
    policy::AnswerAt answer_at = policy::AnswerAt::rcpt;
    bool check_private = false;
    Duration stale_max = std::chrono::hours(24);
    session::UnknownIpHeader header = session::UnknownIpHeader::tagged;
    std::vector<IpNetwork> exempt_networks;
    policy::EscalationOptions escalation;
    std::vector<IpNetwork> known_hosts;
    policy::KnownHostsDecide known_hosts_decide = policy::KnownHostsDecide::record;
    policy::Overrides overrides;
    policy::BreakerOptions breaker;
    BreakerAlerts alerts;
    policy::Action no_ptr = policy::Action::reply_450;
    policy::Action bad_name = policy::Action::reply_450;
    policy::Action no_forward = policy::Action::reply_450;
    policy::Action mismatch = policy::Action::reply_450;
    policy::Action temperror = policy::Action::reply_451;
    bool operator==(const UnknownIp&) const = default;
  };
  struct RecipientDomain {
    std::string domain;  ///< lower case; ".example.com": its subdomains
    policy::RecipientSource check = policy::RecipientSource::any;
    std::string file;  ///< where the list was read from; empty: it stood in the configuration
    policy::RecipientList list;
    std::string delimiter;
    policy::WhenUnknown when_unknown = policy::WhenUnknown::reply_550;
    policy::WhenUndecided when_undecided = policy::WhenUndecided::reply_450;
    bool operator==(const RecipientDomain&) const = default;
  };
  struct Probe {
    std::string sender;
    Duration timeout = std::chrono::seconds(6);
    Duration known_ttl = std::chrono::hours(31 * 24);
    Duration known_refresh = std::chrono::hours(7 * 24);
    Duration unknown_ttl = std::chrono::hours(3 * 24);
    Duration unknown_refresh = std::chrono::hours(3);
    std::uint64_t entries_max = 100'000;
    std::uint64_t connections_per_destination_max = 4;
    bool operator==(const Probe&) const = default;
  };
  struct Recipients {
    policy::WhenUnknown when_unknown = policy::WhenUnknown::reply_550;
    policy::WhenUndecided when_undecided = policy::WhenUndecided::reply_450;
    Probe probe;
    std::vector<RecipientDomain> domains;
    bool operator==(const Recipients&) const = default;
  };
  struct Dns {
    std::vector<Endpoint> servers;
    bool recursive = false;
    bool dnssec = false;
    std::vector<std::string> zone_files;
    std::vector<dns::StubZone> stub_zones;
    bool operator==(const Dns&) const = default;
  };
  struct Delivery {
    std::vector<Duration> retry{std::chrono::minutes(5),  std::chrono::minutes(5),
                                std::chrono::minutes(10), std::chrono::minutes(20),
                                std::chrono::minutes(40), std::chrono::hours(1)};
    Duration lifetime = std::chrono::hours(5 * 24);
    Duration report_lifetime = std::chrono::hours(24);
    std::vector<Duration> delay_notice{std::chrono::hours(4)};  ///< at most one; empty: none
    std::uint64_t connections_per_destination_max = 20;
    std::uint64_t messages_per_connection_max = 100;
    StartTls starttls = StartTls::opportunistic;
    std::uint64_t port = 25;
    Duration connect_timeout = std::chrono::seconds(30);
    bool operator==(const Delivery&) const = default;
  };
  struct Reports {
    std::vector<std::string> languages{"en"};
    std::string templates;               ///< a directory; empty: none
    std::vector<dsn::Wording> wordings;  ///< after reading one for each language
    delivery::DoubleBounce double_bounce = delivery::DoubleBounce::dead_letter;
    bool operator==(const Reports&) const = default;
  };
  struct Route {
    std::string domain;  ///< lower case; ".example.com": its subdomains; "*": all others
    std::vector<NextHop> next_hop;
    // What is absent is as in Delivery.
    std::optional<std::uint64_t> connections_max;
    std::optional<std::uint64_t> messages_per_connection_max;
    std::optional<std::uint64_t> messages_per_minute_max;  ///< absent: no bound
    std::vector<Duration> retry;                           ///< empty: absent
    std::optional<Duration> lifetime;
    [[nodiscard]] bool same_limits(const Route& other) const;
    bool operator==(const Route&) const = default;
  };
  struct Ledger {
    bool enabled = true;
    Duration retention = std::chrono::hours(90 * 24);
    std::uint64_t size_max = 2'147'483'648;
    bool operator==(const Ledger&) const = default;
  };
  struct Log {
    LogFormat format = LogFormat::text;
    std::string target = "stderr";
    bool postfix_rejects = false;
    Severity severity = Severity::info;
    bool operator==(const Log&) const = default;
  };

  struct Admin {
    std::optional<Endpoint> http_listen;  ///< nothing: no HTTP
    bool operator==(const Admin&) const = default;
  };

  Server server;
  Limits limits;
  Smtp smtp;
  Relay relay;
  Proxies proxies;
  UnknownIp unknown_ip;
  Recipients recipients;
  Dns dns;
  Delivery delivery;
  Reports reports;
  std::vector<Route> routes;
  Ledger ledger;
  Log log;
  Admin admin;
  bool operator==(const Configuration&) const = default;
};

/// A configuration with everything that is wrong with it. Not to be used when
/// has_errors(diagnostics): the values named there have kept their defaults.
struct ReadConfiguration {
  Configuration configuration;
  std::vector<Diagnostic> diagnostics;  ///< in the order of the file
};

/// Reads configuration text; `file` stands in the diagnostics. Looks at the files that the
/// configuration names (certificate, key, zones, lists of recipients, templates of reports), at
/// nothing else.
ReadConfiguration read_configuration(std::string_view text, const std::string& file,
                                     const std::string& system_hostname);
/// Reads the file at `path`. A file that is missing, unreadable or above 1 MiB is a diagnostic.
ReadConfiguration load_configuration(const std::string& path);
/// For commands that need no server: the same, but without a file at the usual place
/// (`usual_path`) the defaults, which standard error is told. Mistakes go there too; with an error
/// in it, or when it may not be read, nullopt.
std::optional<Configuration> configuration_or_defaults(const std::string& path,
                                                       const std::string& usual_path);

/// Whether mail for the postmaster would come back to this server: without a route the MX record of
/// our own name leads here.
bool postmaster_leads_back(const Configuration& configuration);

/// Every key there is, "unknown_ip.actions.no_ptr", in the reading order.
std::vector<std::string> known_keys();

/// What a server with this configuration will do, for people, a few lines.
std::string summary(const Configuration& configuration);

}  // namespace postern::app
