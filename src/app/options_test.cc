#include "app/options.h"

#include <gtest/gtest.h>

namespace postern::app {
namespace {

Configuration configured(const std::string& text) {
  const ReadConfiguration read = read_configuration(text, "p.toml", "gw.example.com");
  EXPECT_FALSE(has_errors(read.diagnostics));
  return read.configuration;
}

// The documented default and the room's own must not drift apart.
TEST(Options, DefaultsAreThoseOfTheRooms) {
  const auto options = server_options(configured(""));
  ASSERT_TRUE(options.has_value());
  const session::Options session;
  EXPECT_EQ(options->session.smtp.message_bytes_max, session.smtp.message_bytes_max);
  EXPECT_EQ(options->session.smtp.recipients_max, session.smtp.recipients_max);
  EXPECT_EQ(options->session.smtp.errors_max, session.smtp.errors_max);
  EXPECT_EQ(options->session.smtp.bare_newline, session.smtp.bare_newline);
  EXPECT_EQ(options->session.smtp.command_timeout, session.smtp.command_timeout);
  EXPECT_EQ(options->session.smtp.data_timeout, session.smtp.data_timeout);
  EXPECT_EQ(options->session.sessions_max, session.sessions_max);
  EXPECT_EQ(options->session.sessions_per_client_max, session.sessions_per_client_max);
  EXPECT_EQ(options->session.received_max, session.received_max);
  EXPECT_EQ(options->session.postfix_rejects, session.postfix_rejects);
  EXPECT_EQ(options->session.proxies.header_timeout, session.proxies.header_timeout);

  const ledger::LedgerOptions ledger;
  EXPECT_EQ(options->ledger.enabled, ledger.enabled);
  EXPECT_EQ(options->ledger.keep.time, ledger.keep.time);
  EXPECT_EQ(options->ledger.keep.bytes_max, ledger.keep.bytes_max);

  const policy::UnknownIpOptions unknown_ip;
  EXPECT_EQ(options->unknown_ip.mode, unknown_ip.mode);
  EXPECT_EQ(options->unknown_ip.reply_style, unknown_ip.reply_style);
  EXPECT_EQ(options->unknown_ip.deadline, unknown_ip.deadline);
  EXPECT_EQ(options->unknown_ip.check_private, unknown_ip.check_private);
  EXPECT_EQ(options->unknown_ip.known_hosts_decide, unknown_ip.known_hosts_decide);
  EXPECT_EQ(options->unknown_ip.no_ptr, unknown_ip.no_ptr);
  EXPECT_EQ(options->unknown_ip.bad_name, unknown_ip.bad_name);
  EXPECT_EQ(options->unknown_ip.no_forward, unknown_ip.no_forward);
  EXPECT_EQ(options->unknown_ip.mismatch, unknown_ip.mismatch);
  EXPECT_EQ(options->unknown_ip.temp_error, unknown_ip.temp_error);
  EXPECT_EQ(options->unknown_ip.answer_at, unknown_ip.answer_at);
  EXPECT_EQ(options->unknown_ip.stale_max, unknown_ip.stale_max);
  EXPECT_EQ(options->unknown_ip.escalation, unknown_ip.escalation);
  EXPECT_EQ(options->unknown_ip.breaker, unknown_ip.breaker);

  const delivery::DeliveryOptions delivery;
  EXPECT_EQ(options->delivery.retry, delivery.retry);
  EXPECT_EQ(options->delivery.lifetime, delivery.lifetime);
  EXPECT_EQ(options->delivery.report_lifetime, delivery.report_lifetime);
  EXPECT_EQ(options->delivery.delay_notice, delivery.delay_notice);
  EXPECT_EQ(options->delivery.double_bounce, delivery.double_bounce);
  EXPECT_EQ(options->delivery.connections_per_destination_max,
            delivery.connections_per_destination_max);
  EXPECT_EQ(options->delivery.messages_per_connection_max, delivery.messages_per_connection_max);
  EXPECT_EQ(options->delivery.connect_timeout, delivery.connect_timeout);
  EXPECT_EQ(options->delivery.starttls, delivery.starttls);
  EXPECT_EQ(options->delivery.port, delivery.port);
  EXPECT_EQ(options->delivery.probes.sender, delivery.probes.sender);
  EXPECT_EQ(options->delivery.probes.connections_per_destination_max,
            delivery.probes.connections_per_destination_max);
  EXPECT_EQ(options->recipients.probe, policy::ProbeOptions());
  EXPECT_FALSE(options->http_listen);
}

TEST(Options, TheBreakersMailGoesWhereItArrives) {
  struct Case {
    const char* reason;
    const char* text;
    const char* to;
  };
  const Case cases[] = {
      {"our own name has no route, so that the mail would come back", "", ""},
      {"a route for all", "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://192.0.2.1\"]",
       "postmaster@gw.example.com"},
      {"a mailbox elsewhere", "[server]\npostmaster = \"ops@example.net\"", "ops@example.net"},
      {"not wanted",
       "[server]\npostmaster = \"ops@example.net\"\n[unknown_ip.breaker]\nmail = false", ""},
  };
  for (const Case& c : cases)
    EXPECT_EQ(server_options(configured(c.text)).value().breaker_alerts.mail_to, c.to) << c.reason;
}

// Every key away from its default.
constexpr const char* every_key = R"(
[server]
hostname = "mx.example.org"
postmaster = "hostmaster@example.org"
[limits]
message_bytes_max = 70000
recipients_max = 101
sessions_max = 12
sessions_per_client_max = 11
received_max = 13
[smtp]
bare_newline = "normalize"
command_timeout = "14s"
data_timeout = "15s"
errors_max = 16
[relay]
domains = ["example.org"]
networks = ["192.0.2.0/24"]
[proxies]
proxy_protocol = ["203.0.113.1"]
header_timeout = "32s"
xclient = ["203.0.113.2", "203.0.113.3"]
xforward = ["203.0.113.4", "203.0.113.5", "203.0.113.6"]
[unknown_ip]
mode = "enforce"
reply_style = "postfix"
deadline = "17s"
answer_at = "mail"
stale_max = "18h"
header = "always"
check_private = true
exempt_networks = ["198.51.100.0/24"]
known_hosts = ["203.0.113.7"]
known_hosts_decide = "refuse"
[unknown_ip.breaker]
enabled = false
window = "18s"
temperror_percent = 51
temperror_networks_min = 9
one_client_percent = 91
one_client_connections_min = 101
refused_jump_percent = 52
refused_networks_min = 10
open_time = "19s"
open_time_max = "20s"
recovery_time = "21s"
recovery_networks_min = 4
mail = false
command = ["/bin/sh", "-c", "true", "true"]
command_timeout = "22s"
[unknown_ip.actions]
no_ptr = "550"
bad_name = "accept"
no_forward = "tag"
mismatch = "451"
temperror = "450"
[unknown_ip.escalation]
enabled = true
after_attempts = 19
after = "20h"
[recipients]
when_undecided = "accept"
[recipients.probe]
sender = "probe@example.org"
timeout = "25s"
known_ttl = "26h"
known_refresh = "27m"
unknown_ttl = "28h"
unknown_refresh = "29m"
entries_max = 130
connections_per_destination_max = 31
[[recipients.domain]]
domain = "example.org"
check = "probe"
[delivery]
retry = ["18s"]
lifetime = "19s"
report_lifetime = "20s"
delay_notice = ["5s"]
connections_per_destination_max = 21
messages_per_connection_max = 22
starttls = "off"
port = 23
connect_timeout = "24s"
[reports]
double_bounce = "postmaster"
[[route]]
domain = "example.org"
next_hop = ["lmtp://[::1]:24", "smtp://mx.example.net:2525"]
connections_max = 25
messages_per_connection_max = 26
messages_per_minute_max = 27
retry = ["28s"]
lifetime = "29s"
[log]
postfix_rejects = true
format = "json"
severity = "warning"
target = "/var/log/postern.log"
[admin]
http_listen = "127.0.0.1:9125"
)";

TEST(Options, TheBreakerGoesThrough) {
  const auto options = server_options(configured(every_key));
  ASSERT_TRUE(options.has_value());
  const policy::BreakerOptions breaker{.enabled = false,
                                       .window = seconds(18),
                                       .temperror_percent = 51,
                                       .temperror_networks_min = 9,
                                       .one_client_percent = 91,
                                       .one_client_connections_min = 101,
                                       .refused_jump_percent = 52,
                                       .refused_networks_min = 10,
                                       .open_time = seconds(19),
                                       .open_time_max = seconds(20),
                                       .recovery_time = seconds(21),
                                       .recovery_networks_min = 4};
  EXPECT_EQ(options->unknown_ip.breaker, breaker);
  EXPECT_EQ(options->breaker_alerts.mail_to, "");
  EXPECT_EQ(options->breaker_alerts.command,
            (std::vector<std::string>{"/bin/sh", "-c", "true", "true"}));
  EXPECT_EQ(options->breaker_alerts.command_timeout, seconds(22));
}

TEST(Options, PassOnWhatTheFileSaysOfUnknownAddresses) {
  const auto options = server_options(configured(every_key));
  ASSERT_TRUE(options.has_value());
  const policy::UnknownIpOptions& unknown_ip = options->unknown_ip;
  EXPECT_EQ(unknown_ip.mode, policy::UnknownIpMode::enforce);
  EXPECT_EQ(unknown_ip.reply_style, policy::ReplyStyle::postfix);
  EXPECT_EQ(unknown_ip.deadline, seconds(17));
  EXPECT_EQ(unknown_ip.answer_at, policy::AnswerAt::mail);
  EXPECT_EQ(unknown_ip.stale_max, std::chrono::hours(18));
  EXPECT_EQ(unknown_ip.escalation,
            (policy::EscalationOptions{
                .enabled = true, .after_attempts = 19, .after = std::chrono::hours(20)}));
  EXPECT_TRUE(unknown_ip.check_private);
  EXPECT_EQ(unknown_ip.exempt_networks.size(), 1U);
  EXPECT_EQ(unknown_ip.known_hosts.size(), 1U);
  EXPECT_EQ(unknown_ip.known_hosts_decide, policy::KnownHostsDecide::refuse);
  EXPECT_EQ(unknown_ip.no_ptr, policy::Action::reply_550);
  EXPECT_EQ(unknown_ip.bad_name, policy::Action::accept);
  EXPECT_EQ(unknown_ip.no_forward, policy::Action::tag);
  EXPECT_EQ(unknown_ip.mismatch, policy::Action::reply_451);
  EXPECT_EQ(unknown_ip.temp_error, policy::Action::reply_450);
}

TEST(Options, PassOnWhatTheFileSays) {
  const auto options = server_options(configured(every_key));
  ASSERT_TRUE(options.has_value());
  const session::Options& session = options->session;
  EXPECT_EQ(session.smtp.hostname, "mx.example.org");
  EXPECT_EQ(session.postmaster, "hostmaster@example.org");
  EXPECT_EQ(session.smtp.message_bytes_max, 70000U);
  EXPECT_EQ(session.smtp.recipients_max, 101U);
  EXPECT_EQ(session.sessions_max, 12U);
  EXPECT_EQ(session.sessions_per_client_max, 11U);
  EXPECT_EQ(session.received_max, 13U);
  EXPECT_EQ(session.smtp.bare_newline, smtp::BareNewline::normalize);
  EXPECT_EQ(session.smtp.command_timeout, seconds(14));
  EXPECT_EQ(session.smtp.data_timeout, seconds(15));
  EXPECT_EQ(session.smtp.errors_max, 16U);
  EXPECT_EQ(session.relay.domains.size(), 1U);
  EXPECT_EQ(session.relay.networks.size(), 1U);
  EXPECT_EQ(session.proxies.proxy_protocol.size(), 1U);
  EXPECT_EQ(session.proxies.header_timeout, seconds(32));
  EXPECT_EQ(session.proxies.xclient.size(), 2U);
  EXPECT_EQ(session.proxies.xforward.size(), 3U);
  EXPECT_TRUE(session.postfix_rejects);
  EXPECT_EQ(options->http_listen, Endpoint::parse("127.0.0.1:9125"));
  const delivery::DeliveryOptions& delivery = options->delivery;
  EXPECT_EQ(delivery.hostname, "mx.example.org");
  EXPECT_EQ(delivery.postmaster, "hostmaster@example.org");
  EXPECT_EQ(delivery.retry, std::vector<Duration>{seconds(18)});
  EXPECT_EQ(delivery.lifetime, seconds(19));
  EXPECT_EQ(delivery.report_lifetime, seconds(20));
  EXPECT_EQ(delivery.delay_notice, seconds(5));
  EXPECT_EQ(delivery.double_bounce, delivery::DoubleBounce::postmaster);
  EXPECT_EQ(delivery.connections_per_destination_max, 21U);
  EXPECT_EQ(delivery.messages_per_connection_max, 22U);
  EXPECT_EQ(delivery.starttls, smtp::ClientTls::off);
  EXPECT_EQ(delivery.port, 23);
  EXPECT_EQ(delivery.connect_timeout, seconds(24));
  ASSERT_EQ(delivery.routes.size(), 1U);
  EXPECT_EQ(delivery.probes.sender, "probe@example.org");
  EXPECT_EQ(delivery.probes.connections_per_destination_max, 31U);
  const policy::ProbeOptions& probe = options->recipients.probe;
  EXPECT_EQ(probe.timeout, seconds(25));
  EXPECT_EQ(probe.known_ttl, std::chrono::hours(26));
  EXPECT_EQ(probe.known_refresh, std::chrono::minutes(27));
  EXPECT_EQ(probe.unknown_ttl, std::chrono::hours(28));
  EXPECT_EQ(probe.unknown_refresh, std::chrono::minutes(29));
  EXPECT_EQ(probe.entries_max, 130U);
  ASSERT_EQ(options->recipients.rules.size(), 1U);
  EXPECT_EQ(options->recipients.rules[0].source, policy::RecipientSource::probe);
  EXPECT_EQ(options->recipients.rules[0].when_undecided, policy::WhenUndecided::accept);
  EXPECT_EQ(delivery.routes[0].next_hops.at(1).text(), "smtp://mx.example.net:2525");
  const delivery::RouteLimits& limits = delivery.routes[0].limits;
  EXPECT_EQ(limits.connections_max, 25U);
  EXPECT_EQ(limits.messages_per_connection_max, 26U);
  EXPECT_EQ(limits.messages_per_minute_max, 27U);
  EXPECT_EQ(limits.retry, std::vector<Duration>{seconds(28)});
  EXPECT_EQ(limits.lifetime, seconds(29));
}

TEST(Options, OfRecipients) {
  const auto options = server_options(configured(
      "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
      "check = \"list\"\nlist = [\"bob@a.example\"]\ndelimiter = \"-\"\nwhen_unknown = \"450\""));
  ASSERT_TRUE(options.has_value());
  ASSERT_EQ(options->recipients.rules.size(), 1U);
  const policy::RecipientRule& rule = options->recipients.rules[0];
  EXPECT_EQ(rule.domain, "a.example");
  EXPECT_EQ(rule.source, policy::RecipientSource::list);
  EXPECT_EQ(rule.list.size(), 1U);
  EXPECT_EQ(rule.list_name, "[recipients.domain] list");
  EXPECT_EQ(rule.delimiter, "-");
  EXPECT_EQ(rule.when_unknown, policy::WhenUnknown::reply_450);
  EXPECT_EQ(configured("").recipients.when_unknown, policy::RecipientRule().when_unknown);
  EXPECT_EQ(configured("").recipients.when_undecided, policy::RecipientRule().when_undecided);
}

TEST(Options, OfTheLog) {
  const LogOptions options = log_options(
      configured("[log]\nformat = \"json\"\nseverity = \"warning\"\ntarget = \"/l\"\n"));
  EXPECT_EQ(options.format, LogFormat::json);
  EXPECT_EQ(options.severity, Severity::warning);
  EXPECT_EQ(options.target, "/l");
}

TEST(Options, NoDelayNoticeIsNone) {
  const auto options = server_options(configured("[delivery]\ndelay_notice = []"));
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->delivery.delay_notice, Duration::zero());
}

}  // namespace
}  // namespace postern::app
