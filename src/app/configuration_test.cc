#include "app/configuration.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/overrides.h"
#include "app/values.h"
#include "support/source_path.h"

namespace postern::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr const char* host = "gw.example.org";

ReadConfiguration read(const std::string& text) {
  return read_configuration(text, "p.toml", host);
}

std::vector<std::string> errors_of(const std::string& text) {
  std::vector<std::string> errors;
  for (const Diagnostic& diagnostic : read(text).diagnostics)
    if (diagnostic.weight == Weight::error) errors.push_back(diagnostic.text());
  return errors;
}

std::string shipped_text() {
  std::ifstream file(source_path("docs/postern.toml"));
  return {std::istreambuf_iterator<char>(file), {}};
}

struct WrongCase {
  const char* reason;
  const char* text;
  const char* expected;  ///< the one diagnostic's text begins so
};

// Each file has exactly one error, told with its line, column, key and what to do.
const WrongCase wrong_cases[] = {
    {"unknown key with a near one", "[unknown_ip]\nmod = \"off\"",
     R"(p.toml:2:1: [unknown_ip] mod: unknown key; did you mean "mode"?)"},
    {"letters swapped", "[limits]\nrecipinets_max = 100",
     R"(p.toml:2:1: [limits] recipinets_max: unknown key; did you mean "recipients_max"?)"},
    {"unknown key, none near", "[smtp]\nxyzzy_plugh_foo = 1",
     "p.toml:2:1: [smtp] xyzzy_plugh_foo: unknown key; remove it"},
    {"unknown section", "[unknownip]\nmode = \"off\"",
     R"(p.toml:1:2: unknownip: unknown section; did you mean "unknown_ip"?)"},
    {"HTTP without a port", "[admin]\nhttp_listen = \"127.0.0.1\"",
     R"(p.toml:2:15: [admin] http_listen: "127.0.0.1" is not an address with a port; write)"},
    {"unknown section in a section", "[unknown_ip.action]\nno_ptr = \"450\"",
     R"(p.toml:1:13: [unknown_ip] action: unknown section; did you mean "actions"?)"},
    {"key outside of any section", "hostname = \"a.example\"",
     "p.toml:1:1: hostname: unknown key; write the [section]"},
    {"section as a value", "server = 3",
     "p.toml:1:10: server: must be a section [server], but is a whole number"},
    {"not TOML", "[server]\nlisten = [\"0.0.0.0:25\"", "p.toml:2:"},
    {"key twice", "[log]\nformat = \"text\"\nformat = \"json\"", "p.toml:3:"},
    {"string for number", "[limits]\nsessions_max = \"100\"",
     "p.toml:2:16: [limits] sessions_max: must be a whole number (without quotes), but is a "
     "string"},
    {"number for string", "[server]\nuser = 5",
     "p.toml:2:8: [server] user: must be a string in quotes, but is a whole number"},
    {"fraction for number", "[limits]\nsessions_max = 1.5",
     "p.toml:2:16: [limits] sessions_max: must be a whole number"},
    {"string for flag", "[dns]\ndnssec = \"yes\"",
     "p.toml:2:10: [dns] dnssec: must be true or false (without quotes), but is a string"},
    {"number for duration", "[smtp]\ncommand_timeout = 300",
     "p.toml:2:19: [smtp] command_timeout: must be a duration in quotes"},
    {"string for list", "[relay]\ndomains = \"example.com\"",
     "p.toml:2:11: [relay] domains: must be a list of strings"},
    {"number in a list", "[relay]\ndomains = [\"example.com\", 5]",
     "p.toml:2:27: [relay] domains: must be a string in quotes"},
    {"date", "[smtp]\ndata_timeout = 2026-01-01",
     "p.toml:2:16: [smtp] data_timeout: must be a duration in quotes such as \"30s\", \"5m\" or "
     "\"1h30m\", but is a date or time"},
    {"negative", "[limits]\nsessions_max = -1", "p.toml:2:16: [limits] sessions_max: -1 is out of"},
    {"fewer recipients than the RFC's", "[limits]\nrecipients_max = 99",
     "p.toml:2:18: [limits] recipients_max: 99 is out of range; give a number from 100 to 100000"},
    {"smaller message than the RFC's", "[limits]\nmessage_bytes_max = 65535",
     "p.toml:2:21: [limits] message_bytes_max: 65535 is out of range"},
    {"per client above all", "[limits]\nsessions_max = 10\nsessions_per_client_max = 11",
     "p.toml:3:27: [limits] sessions_per_client_max: is above sessions_max (10)"},
    {"duration without unit", "[smtp]\ndata_timeout = \"30\"",
     R"(p.toml:2:16: [smtp] data_timeout: "30" is not a duration; write)"},
    {"duration too long", "[unknown_ip]\ndeadline = \"5m\"",
     R"(p.toml:2:12: [unknown_ip] deadline: "5m" is out of range; give a duration from 100ms)"},
    {"not a choice", "[unknown_ip]\nmode = \"on\"",
     R"(p.toml:2:8: [unknown_ip] mode: "on" is not a choice here; write one of "off", "observe")"},
    {"number for action", "[unknown_ip.actions]\nno_ptr = 450",
     R"(p.toml:2:10: [unknown_ip.actions] no_ptr: must be one of "accept", "tag", "450")"},
    {"an outage is never permanent", "[unknown_ip.actions]\ntemperror = \"550\"",
     R"(p.toml:2:13: [unknown_ip.actions] temperror: "550" would refuse mail for good)"},
    {"listen without port", "[server]\nlisten = [\"192.0.2.1\"]",
     R"(p.toml:2:11: [server] listen: "192.0.2.1" has no port; write "192.0.2.1:25")"},
    {"listen by name", "[server]\nlisten = [\"localhost:25\"]",
     R"(p.toml:2:11: [server] listen: "localhost:25" is not an address with a port)"},
    {"listen nowhere", "[server]\nlisten = []", "p.toml:2:10: [server] listen: is empty"},
    {"listen twice", "[server]\nlisten = [\"[::]:25\", \"[::]:25\"]",
     R"(p.toml:2:22: [server] listen: "[::]:25" stands in the list twice)"},
    {"hostname is an address", "[server]\nhostname = \"192.0.2.1\"",
     R"(p.toml:2:12: [server] hostname: "192.0.2.1" is not a host name)"},
    {"hostname with a space", "[server]\nhostname = \"my host\"",
     R"(p.toml:2:12: [server] hostname: "my host" is not a host name)"},
    {"spool relative", "[server]\nspool = \"spool\"",
     R"(p.toml:2:9: [server] spool: "spool" is not a full path)"},
    {"postmaster without domain", "[server]\npostmaster = \"root\"",
     R"(p.toml:2:14: [server] postmaster: "root" is not a mail address)"},
    {"control characters", "[server]\nuser = \"a\\u0007b\"",
     "p.toml:2:8: [server] user: holds a control character"},
    {"star would relay all", "[relay]\ndomains = [\"*\"]",
     R"(p.toml:2:12: [relay] domains: "*" would relay mail for every domain)"},
    {"star for subdomains", "[relay]\ndomains = [\"*.example.com\"]",
     R"(p.toml:2:12: [relay] domains: "*.example.com" is not a domain; write ".example.com")"},
    {"unicode domain", "[relay]\ndomains = [\"b\xc3\xbc.example\"]",
     R"(p.toml:2:12: [relay] domains: "b\xc3\xbc.example" is not a domain; write the name in its)"},
    {"address as domain", "[relay]\ndomains = [\"a@example.com\"]",
     R"(p.toml:2:12: [relay] domains: "a@example.com" is not a domain; leave out the part)"},
    {"domain twice, other case", "[relay]\ndomains = [\"a.example\", \"A.example\"]",
     R"(p.toml:2:25: [relay] domains: "A.example" stands in the list twice)"},
    {"bits behind the prefix", "[relay]\nnetworks = [\"192.0.2.1/24\"]",
     R"(p.toml:2:13: [relay] networks: "192.0.2.1/24" is not a network)"},
    {"open relay", "[relay]\nnetworks = [\"0.0.0.0/0\"]",
     R"(p.toml:2:13: [relay] networks: "0.0.0.0/0" would let the whole Internet relay)"},
    {"everybody a proxy", "[proxies]\nproxy_protocol = [\"0.0.0.0/0\"]",
     R"(p.toml:2:19: [proxies] proxy_protocol: "0.0.0.0/0" would have everybody say who they are)"},
    {"everybody a known host", "[unknown_ip]\nknown_hosts = [\"::/0\"]",
     R"(p.toml:2:16: [unknown_ip] known_hosts: "::/0" would have everybody say who they are)"},
    {"a header without end", "[proxies]\nheader_timeout = \"1h\"",
     R"(p.toml:2:18: [proxies] header_timeout: "1h" is out of range)"},
    {"a wrong choice for known hosts", "[unknown_ip]\nknown_hosts_decide = \"450\"",
     R"(p.toml:2:22: [unknown_ip] known_hosts_decide: "450" is not a choice here)"},
    {"certificate without key", "[smtp]\ntls_certificate = \"/etc/passwd\"",
     "p.toml:2:19: [smtp] tls_certificate: is set without tls_key; give both"},
    {"missing zone file", "[dns]\nzone_files = [\"/nonexistent/zone\"]",
     R"(p.toml:2:15: [dns] zone_files: there is no file "/nonexistent/zone")"},
    {"a directory as a file", "[dns]\nzone_files = [\"/tmp\"]",
     R"(p.toml:2:15: [dns] zone_files: the file "/tmp" cannot be read)"},
    {"an override for everybody", "[[unknown_ip.override]]\naction = \"accept\"",
     "p.toml:1:1: [unknown_ip.override]: has no condition, so that it would hold for everybody; "
     "add"},
    {"an override without action", "[[unknown_ip.override]]\nnetwork = \"192.0.2.0/24\"",
     "p.toml:1:1: [unknown_ip.override]: has no action"},
    {"an override until no day",
     "[[unknown_ip.override]]\nnetwork = \"192.0.2.0/24\"\naction = \"450\"\nexpires = "
     "\"2027-02-30\"",
     R"(p.toml:4:11: [unknown_ip.override] expires: "2027-02-30" is no day; write the last day)"},
    {"recipients of a domain that is not ours",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"b.example\"\n"
     "check = \"any\"",
     R"(p.toml:4:10: [recipients.domain] domain: "b.example" is not in [relay] domains)"},
    {"recipients of no domain", "[[recipients.domain]]\ncheck = \"any\"",
     "p.toml:1:1: [recipients.domain]: has no domain; add one"},
    {"recipients without check",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"",
     "p.toml:3:1: [recipients.domain]: has no check"},
    {"a list that is not asked for",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"any\"\nlist = [\"bob@a.example\"]",
     "p.toml:6:8: [recipients.domain] list: is not looked at; write check = \"list\""},
    {"a list without addresses of the domain",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"list\"\nlist = [\"bob@b.example\"]",
     "p.toml:6:8: [recipients.domain] list: has no address of a.example: all of its mail would be "
     "refused"},
    {"neither list nor file",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"list\"",
     "p.toml:5:9: [recipients.domain] check: \"list\" needs either file or list"},
    {"no address in the list",
     "[relay]\ndomains = [\".a.example\"]\n[[recipients.domain]]\ndomain = \"b.a.example\"\n"
     "check = \"list\"\nlist = [\"bob@b.a.example\", \"carol\"]",
     R"(p.toml:6:28: [recipients.domain] list: "carol" has no domain; write one address)"},
    {"a delimiter of many",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"list\"\nlist = [\"bob@a.example\"]\ndelimiter = \"+-\"",
     "p.toml:7:13: [recipients.domain] delimiter: must be one character"},
    {"two checks of a domain",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"any\"\n[[recipients.domain]]\ndomain = \"A.example\"\ncheck = \"any\"",
     R"(p.toml:7:10: [recipients.domain] domain: there are two checks for "a.example")"},
    {"a list where the next hop is asked",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"probe\"\nlist = [\"bob@a.example\"]",
     "p.toml:6:8: [recipients.domain] list: is not looked at; write check = \"list\""},
    {"undecided where nothing can be",
     "[relay]\ndomains = [\"a.example\"]\n[[recipients.domain]]\ndomain = \"a.example\"\n"
     "check = \"list\"\nlist = [\"bob@a.example\"]\nwhen_undecided = \"accept\"",
     "p.toml:7:18: [recipients.domain] when_undecided: is not looked at; write check = \"probe\""},
    {"undecided is never permanent", "[recipients]\nwhen_undecided = \"550\"",
     R"(p.toml:2:18: [recipients] when_undecided: "550" is not a choice here; write one of)"},
    {"probe sender", "[recipients.probe]\nsender = \"<>\"",
     R"(p.toml:2:10: [recipients.probe] sender: "<>" is not a mail address)"},
    {"probe timeout above what clients wait", "[recipients.probe]\ntimeout = \"5m\"",
     R"(p.toml:2:11: [recipients.probe] timeout: "5m" is out of range)"},
    {"refreshed after its end", "[recipients.probe]\nknown_ttl = \"1d\"",
     "p.toml:1:1: [recipients.probe] known_refresh: is longer than the answer counts (1d)"},
    {"breaker that closes before it opens", "[unknown_ip.breaker]\nopen_time = \"2h\"",
     "p.toml:2:13: [unknown_ip.breaker] open_time: open_time (2h) is longer than open_time_max"},
    {"breaker by more than all", "[unknown_ip.breaker]\ntemperror_percent = 101",
     "p.toml:2:21: [unknown_ip.breaker] temperror_percent: 101 is out of"},
    {"a command for a shell", "[unknown_ip.breaker]\ncommand = [\"mail -s x ops\"]",
     R"(p.toml:2:11: [unknown_ip.breaker] command: "mail -s x ops" is not a full path)"},
    {"a command that is none", "[unknown_ip.breaker]\ncommand = [\"/etc/passwd\"]",
     "p.toml:2:11: [unknown_ip.breaker] command: /etc/passwd is not a program"},
    {"breaker by nobody", "[unknown_ip.breaker]\nrefused_networks_min = 0",
     "p.toml:2:24: [unknown_ip.breaker] refused_networks_min: 0 is out of"},
    {"dns by name", "[dns]\nservers = [\"dns.example\"]",
     R"(p.toml:2:12: [dns] servers: "dns.example" is not the address of a DNS server)"},
    {"a stub zone for everything", "[[dns.stub_zone]]\nname = \".\"\nservers = [\"10.0.0.53\"]",
     R"(p.toml:2:8: [dns.stub_zone] name: "." is not the name of a zone; give one below the root)"},
    {"a stub zone without servers", "[[dns.stub_zone]]\nname = \"10.in-addr.arpa\"",
     "p.toml:1:1: [dns.stub_zone] servers: is missing; give the addresses of the zone's own"},
    {"recursive and forwarders", "[dns]\nservers = [\"127.0.0.1\"]\nrecursive = true",
     "p.toml:3:13: [dns] recursive: is true although servers are given"},
    {"no retry", "[delivery]\nretry = []", "p.toml:2:9: [delivery] retry: is empty"},
    {"retry of 0", "[delivery]\nretry = [\"0s\"]",
     R"(p.toml:2:10: [delivery] retry: "0s" is out of range)"},
    {"lifetime shorter than a retry", "[delivery]\nretry = [\"1h\"]\nlifetime = \"30m\"",
     "p.toml:2:9: [delivery] retry: the first delay is longer than lifetime (30m)"},
    {"two notices of delay", "[delivery]\ndelay_notice = [\"4h\", \"1d\"]",
     "p.toml:2:16: [delivery] delay_notice: has"},
    {"notice of delay at the end", "[delivery]\nlifetime = \"4h\"\ndelay_notice = [\"4h\"]",
     "p.toml:3:16: [delivery] delay_notice: is not before the end of lifetime (4h)"},
    {"double bounces to nobody", "[reports]\ndouble_bounce = \"postmaster\"",
     "p.toml:2:17: [reports] double_bounce: mail for postmaster@"},
    {"port 0 to deliver to", "[delivery]\nport = 0", "p.toml:2:8: [delivery] port: 0 is out of"},
    {"route with single brackets", "[route]\ndomain = \"*\"",
     "p.toml:1:1: route: must be [[route]] with two pairs of brackets"},
    {"route without domain", "[[route]]\nnext_hop = [\"smtp://192.0.2.1\"]",
     "p.toml:1:1: [route]: has no domain"},
    {"route without next hop", "[[route]]\ndomain = \"*\"", "p.toml:1:1: [route]: has no next_hop"},
    {"route to nowhere", "[[route]]\ndomain = \"*\"\nnext_hop = []",
     "p.toml:3:12: [route] next_hop: names no server"},
    {"next hop without scheme", "[[route]]\ndomain = \"*\"\nnext_hop = [\"192.0.2.1:25\"]",
     R"(p.toml:3:13: [route] next_hop: "192.0.2.1:25" does not begin with smtp:// or lmtp://)"},
    {"next hop IPv6 without brackets",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://2001:db8::1\"]",
     R"(p.toml:3:13: [route] next_hop: "smtp://2001:db8::1" has a wrong port)"},
    {"route without connections",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nconnections_max = 0",
     "p.toml:4:19: [route] connections_max: 0 is out of"},
    {"route with one message and less",
     "[[route]]\ndomain = \"*\"\nnext_hop = "
     "[\"smtp://mx.example.com\"]\nmessages_per_connection_max = 0",
     "p.toml:4:31: [route] messages_per_connection_max: 0 is out of"},
    {"route with a rate of nothing",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nmessages_per_minute_max = "
     "0",
     "p.toml:4:27: [route] messages_per_minute_max: 0 is out of"},
    {"route with a rate in words",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nmessages_per_minute_max = "
     "\"10/m\"",
     "p.toml:4:27: [route] messages_per_minute_max: "},
    {"route with no retry",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nretry = []",
     "p.toml:4:9: [route] retry: is empty"},
    {"route with a wrong delay",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nretry = [\"soon\"]",
     "p.toml:4:10: [route] retry: \"soon\""},
    {"route with a short lifetime",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nlifetime = \"1m\"",
     "p.toml:4:12: [route] lifetime: the first delay between attempts (5m) is longer than the "
     "lifetime (1m)"},
    {"route with a long delay",
     "[[route]]\ndomain = \"*\"\nnext_hop = [\"smtp://mx.example.com\"]\nretry = "
     "[\"1h\"]\nlifetime = \"30m\"",
     "p.toml:4:9: [route] retry: the first delay between attempts (1h) is longer than the "
     "lifetime (30m)"},
    {"two limits for the same servers",
     "[[route]]\ndomain = \"a.example\"\nnext_hop = [\"smtp://192.0.2.1\"]\n"
     "[[route]]\ndomain = \"b.example\"\nnext_hop = [\"smtp://192.0.2.1:25\"]\n"
     "connections_max = 3",
     R"(p.toml:6:12: [route] next_hop: the route for "a.example" leads to the same servers, with)"},
    {"two routes for a domain",
     "[[route]]\ndomain = \"a.example\"\nnext_hop = [\"smtp://192.0.2.1\"]\n"
     "[[route]]\ndomain = \"A.example\"\nnext_hop = [\"smtp://192.0.2.2\"]",
     R"(p.toml:5:10: [route] domain: there are two routes for "a.example")"},
    {"log to a relative file", "[log]\ntarget = \"postern.log\"",
     R"(p.toml:2:10: [log] target: "postern.log" is not a full path)"},
};

TEST(Configuration, TellsWhatIsWrong) {
  for (const WrongCase& wrong : wrong_cases) {
    const auto errors = errors_of(wrong.text);
    EXPECT_THAT(errors, testing::ElementsAre(testing::StartsWith(wrong.expected))) << wrong.reason;
  }
}

TEST(Configuration, TellsAllProblemsAtOnceInTheOrderOfTheFile) {
  const auto errors = errors_of(
      "[log]\nformat = \"xml\"\n[limits]\nsessions_max = 0\nfoo = 1\n[server]\nlisten = [\"x\", "
      "\"y\"]\n");
  ASSERT_EQ(errors.size(), 5U);
  EXPECT_THAT(errors[0], HasSubstr("p.toml:2:"));
  EXPECT_THAT(errors[1], HasSubstr("p.toml:4:"));
  EXPECT_THAT(errors[2], HasSubstr("p.toml:5:1: [limits] foo"));
  EXPECT_THAT(errors[3], HasSubstr("\"x\""));
  EXPECT_THAT(errors[4], HasSubstr("\"y\""));
}

TEST(Configuration, WarnsOfHttpThatOthersCanReach) {
  for (const char* safe : {"", "127.0.0.1:9125", "[::1]:0"})
    EXPECT_THAT(read("[relay]\ndomains = [\"a.example\"]\n[admin]\nhttp_listen = \"" +
                     std::string(safe) + "\"")
                    .diagnostics,
                IsEmpty())
        << safe;
  for (const char* open : {"0.0.0.0:9125", "[::]:0", "192.0.2.1:9125"}) {
    const auto [c, diagnostics] = read(
        "[relay]\ndomains = [\"a.example\"]\n[admin]\n"
        "http_listen = \"" +
        std::string(open) + "\"");
    ASSERT_EQ(diagnostics.size(), 1U) << open;
    EXPECT_EQ(diagnostics[0].weight, Weight::warning);
    EXPECT_THAT(diagnostics[0].text(), HasSubstr("can be reached from other hosts")) << open;
    EXPECT_EQ(c.admin.http_listen, Endpoint::parse(open));
  }
}

TEST(Configuration, BoundsTheNumberOfProblems) {
  std::string text = "[server]\n";
  for (int i = 0; i < 5000; ++i) text += "nonsense" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(errors_of(text).size(), 200U);
}

TEST(Configuration, EscapesWhatItQuotes) {
  const auto errors = errors_of("[log]\nformat = \"\\u001b[31mred\"");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], HasSubstr("\\x1b[31mred"));
}

TEST(Configuration, ReadsEveryValue) {
  const auto [c, diagnostics] = read(R"(
[server]
hostname = "GW.example.com"
listen = ["127.0.0.1:0", "[2001:db8::1]:25"]
spool = "/s"
user = "nobody"
[limits]
recipients_max = 200
[smtp]
bare_newline = "normalize"
command_timeout = "1m30s"
[relay]
domains = ["Example.com", ".example.com"]
networks = ["192.0.2.0/24", "2001:db8::/32"]
[unknown_ip]
mode = "enforce"
reply_style = "postfix"
check_private = true
exempt_networks = ["198.51.100.7"]
[unknown_ip.actions]
no_ptr = "550"
temperror = "tag"
[dns]
servers = ["127.0.0.1", "[::1]:5353"]
[delivery]
retry = ["1s", "1s"]
starttls = "off"
[[route]]
domain = "example.com"
next_hop = ["smtp://MX.example.com", "lmtp://[::1]:2424", "lmtp://127.0.0.1"]
[[route]]
domain = "*"
next_hop = ["smtp://192.0.2.1:2525"]
connections_max = 3
lifetime = "2h"
[log]
format = "json"
target = "/var/log/postern.log"
severity = "debug"
)");
  EXPECT_THAT(diagnostics, IsEmpty());
  EXPECT_EQ(c.server.hostname, "gw.example.com");
  EXPECT_EQ(c.server.listen.at(1).text(), "[2001:db8::1]:25");
  EXPECT_EQ(c.server.control_socket, "/s/control.sock");
  EXPECT_EQ(c.server.postmaster, "postmaster@gw.example.com");
  EXPECT_EQ(c.limits.recipients_max, 200U);
  EXPECT_EQ(c.smtp.bare_newline, BareNewline::normalize);
  EXPECT_EQ(c.smtp.command_timeout, 90s);
  EXPECT_THAT(c.relay.domains, testing::ElementsAre("example.com", ".example.com"));
  EXPECT_EQ(c.relay.networks.size(), 2U);
  EXPECT_EQ(c.unknown_ip.mode, policy::UnknownIpMode::enforce);
  EXPECT_EQ(c.unknown_ip.no_ptr, policy::Action::reply_550);
  EXPECT_EQ(c.unknown_ip.mismatch, policy::Action::reply_450);
  EXPECT_EQ(c.unknown_ip.temperror, policy::Action::tag);
  EXPECT_EQ(c.dns.servers.at(0).text(), "127.0.0.1:53");
  EXPECT_EQ(c.dns.servers.at(1).text(), "[::1]:5353");
  EXPECT_THAT(c.delivery.retry, testing::ElementsAre(1s, 1s));
  ASSERT_EQ(c.routes.size(), 2U);
  EXPECT_EQ(c.routes[0].connections_max, std::nullopt);
  EXPECT_EQ(c.routes[1].connections_max, 3U);
  EXPECT_EQ(c.routes[1].lifetime, 2h);
  EXPECT_EQ(c.routes[0].next_hop.at(0).text(), "smtp://mx.example.com:25");
  EXPECT_EQ(c.routes[0].next_hop.at(1).text(), "lmtp://[::1]:2424");
  EXPECT_EQ(c.routes[0].next_hop.at(2).text(), "lmtp://127.0.0.1:24");
  EXPECT_EQ(c.log.format, LogFormat::json);
  EXPECT_EQ(c.log.target, "/var/log/postern.log");
}

TEST(Configuration, StubZones) {
  const auto [c, diagnostics] = read(
      "[relay]\ndomains = [\"example.com\"]\n"
      "[[dns.stub_zone]]\nname = \"10.IN-ADDR.ARPA.\"\n"
      "servers = [\"10.0.0.53\", \"10.0.1.53:5353\"]\n");
  EXPECT_THAT(diagnostics, IsEmpty());
  ASSERT_EQ(c.dns.stub_zones.size(), 1U);
  EXPECT_EQ(c.dns.stub_zones[0].name, "10.in-addr.arpa");
  EXPECT_EQ(c.dns.stub_zones[0].servers.at(1).text(), "10.0.1.53:5353");
}

TEST(Configuration, WarnsWithoutRefusing) {
  const auto read_short = read_configuration("", "p.toml", "debian");
  EXPECT_FALSE(has_errors(read_short.diagnostics));
  ASSERT_EQ(read_short.diagnostics.size(), 2U);
  EXPECT_THAT(read_short.diagnostics[0].text(), HasSubstr("warning: [server] hostname: "));
  EXPECT_THAT(read_short.diagnostics[1].text(), HasSubstr("warning: [relay]: neither"));
}

TEST(Configuration, ShippedFileHoldsTheDefaults) {
  const ReadConfiguration shipped = read(shipped_text());
  EXPECT_FALSE(has_errors(shipped.diagnostics));
  EXPECT_EQ(shipped.configuration, read("").configuration);
}

TEST(Configuration, ShippedFileSetsEveryKey) {
  const std::string text = shipped_text();
  const std::vector<std::string> keys = known_keys();
  EXPECT_GT(keys.size(), 50U);
  for (const std::string& path : keys) {
    const auto dot = path.rfind('.');
    const std::string section = dot == std::string::npos ? path : path.substr(0, dot);
    const std::string key = dot == std::string::npos ? "" : path.substr(dot + 1);
    const auto begin =
        std::min(text.find("\n[" + section + "]"), text.find("\n# [[" + section + "]]"));
    ASSERT_NE(begin, std::string::npos) << "no section for " << path;
    const std::string body = text.substr(begin, text.find("\n[", begin + 1) - begin);
    const bool is_section =
        dot == std::string::npos || text.contains("\n[" + path + "]") || text.contains("[[" + path);
    EXPECT_TRUE(is_section || body.find("\n" + key + " = ") != std::string::npos ||
                body.find("\n# " + key + " = ") != std::string::npos)
        << path << " is missing in docs/postern.toml";
  }
}

TEST(Configuration, AnOverrideThatChangesNothingIsAWarning) {
  const std::string spared =
      "[relay]\ndomains = [\"a.example\"]\n[[unknown_ip.override]]\nptr_domain = \"b.example\"\n"
      "action = \"accept\"\n";
  const auto useless = read(spared);
  ASSERT_EQ(useless.diagnostics.size(), 1U);
  EXPECT_THAT(
      useless.diagnostics[0].text(),
      testing::StartsWith("p.toml:4:14: warning: [unknown_ip.override] ptr_domain: changes"));

  for (const char* refuses : {"network = \"192.0.2.0/24\"", "ptr_domain = \".c.example\""})
    EXPECT_TRUE(
        read(spared + "[[unknown_ip.override]]\naction = \"550\"\n" + refuses).diagnostics.empty())
        << "it may spare a client from the other one";
  EXPECT_EQ(
      read(spared + "[[unknown_ip.override]]\naction = \"550\"\nsender_domain = \"c.example\"")
          .diagnostics.size(),
      1U)
      << "which refuses no confirmed client";
}

TEST(Configuration, AnOverrideThatIsAnsweredTooEarlyIsAWarning) {
  const std::string overrides =
      "[relay]\ndomains = [\"a.example\"]\n[[unknown_ip.override]]\nsender_domain = \"b.example\"\n"
      "action = \"accept\"\n[[unknown_ip.override]]\nrecipient_domain = \"c.example\"\n"
      "network = \"192.0.2.0/24\"\naction = \"accept\"\n[unknown_ip]\nanswer_at = ";
  EXPECT_TRUE(read(overrides + "\"rcpt\"\n").diagnostics.empty());
  const auto at_mail = read(overrides + "\"mail\"\n");
  ASSERT_EQ(at_mail.diagnostics.size(), 1U);
  EXPECT_THAT(
      at_mail.diagnostics[0].text(),
      testing::StartsWith("p.toml:7:20: warning: [unknown_ip.override] recipient_domain: the "
                          "override never counts: answer_at = \"mail\" answers clients "
                          "before the recipient is known"));
  EXPECT_EQ(read(overrides + "\"ehlo\"\n").diagnostics.size(), 2U);
  EXPECT_EQ(read(overrides + "\"connect\"\n").diagnostics.size(), 2U);
}

TEST(Configuration, WhatIsAnsweredTooEarlyToBeFollowedIsAWarning) {
  const std::string before = "[relay]\ndomains = [\"a.example\"]\n[unknown_ip]\nmode = ";
  const auto at_mail = read(before + "\"enforce\"\nanswer_at = \"mail\"\n");
  ASSERT_EQ(at_mail.diagnostics.size(), 1U);
  EXPECT_THAT(at_mail.diagnostics[0].text(),
              testing::StartsWith("p.toml:5:13: warning: [unknown_ip] answer_at: refuses clients "
                                  "before they name a recipient"));
  EXPECT_TRUE(read(before + "\"enforce\"\nanswer_at = \"rcpt\"\n").diagnostics.empty());
  EXPECT_TRUE(read(before + "\"observe\"\nanswer_at = \"mail\"\n").diagnostics.empty());
}

TEST(Configuration, Overrides) {
  const auto taken = read(
      "[relay]\ndomains = [\"a.example\"]\n[[unknown_ip.override]]\nsender_domain = \"B.example\"\n"
      "action = \"accept\"\ncomment = \"why\"\nexpires = \"2026-12-31\"\n[[unknown_ip.override]]\n"
      "network = \"192.0.2.0/24\"\nrecipient_domain = \".c.example\"\naction = \"550\"\n");
  ASSERT_TRUE(taken.diagnostics.empty()) << taken.diagnostics[0].text();
  const auto& rules = taken.configuration.unknown_ip.overrides.all();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].network->text(), "192.0.2.0/24");
  EXPECT_EQ(rules[0].recipient_domain, ".c.example");
  EXPECT_EQ(rules[0].action, policy::Action::reply_550);
  EXPECT_FALSE(rules[0].expires.has_value());
  EXPECT_EQ(rules[1].sender_domain, "b.example");
  EXPECT_EQ(rules[1].comment, "why");
  EXPECT_EQ(format_iso8601(*rules[1].expires), "2027-01-01T00:00:00.000Z") << "its last day counts";
}

TEST(Configuration, FileThatCannotBeUsed) {
  const auto missing = load_configuration("/nonexistent/postern.toml");
  ASSERT_EQ(missing.diagnostics.size(), 1U);
  EXPECT_THAT(missing.diagnostics[0].text(),
              testing::StartsWith("/nonexistent/postern.toml: there is no such file; copy"));
  const auto directory = load_configuration("/tmp");
  ASSERT_EQ(directory.diagnostics.size(), 1U);
  EXPECT_THAT(directory.diagnostics[0].text(), HasSubstr("/tmp: the file cannot be read"));
  const auto endless = load_configuration("/dev/zero");
  ASSERT_EQ(endless.diagnostics.size(), 1U);
}

TEST(Configuration, AnOverrideThatIsOverIsAWarningOfCheck) {
  const auto overrides =
      read(
          "[relay]\ndomains = [\"a.example\"]\n[[unknown_ip.override]]\nnetwork = \"192.0.2.7\"\n"
          "action = \"accept\"\nexpires = \"2026-11-24\"\n")
          .configuration.unknown_ip.overrides;
  const auto over = parse_last_day("2026-11-24");
  ASSERT_TRUE(over.has_value());
  EXPECT_THAT(warn_of_expired(overrides, "p.toml", *over - std::chrono::seconds(1)), IsEmpty());
  const auto warnings = warn_of_expired(overrides, "p.toml", *over);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].text(),
            "p.toml: warning: [unknown_ip.override] expires: the override network 192.0.2.7/32 is "
            "over since 2026-11-25 and never counts; remove it, or give it a later day");
}

TEST(Configuration, DefaultsOnlyWithoutAFile) {
  const auto defaults = configuration_or_defaults("/nonexistent.toml", "/nonexistent.toml");
  ASSERT_TRUE(defaults.has_value());
  EXPECT_THAT(defaults->server.hostname, testing::Not(IsEmpty()));
  EXPECT_EQ(defaults->server.postmaster, "postmaster@" + defaults->server.hostname);
  EXPECT_FALSE(configuration_or_defaults("/nonexistent.toml", "/etc/postern/postern.toml"));
  // What cannot be looked at may hold anything: here a link to itself, else mostly a permission.
  const std::string loop = testing::TempDir() + "postern_loop.toml";
  std::filesystem::remove(loop);
  std::filesystem::create_symlink(loop, loop);
  EXPECT_FALSE(configuration_or_defaults(loop, loop));
  std::filesystem::remove(loop);
}

TEST(Configuration, FilesOfTls) {
  const std::string key = testing::TempDir() + "postern_key.pem";
  std::ofstream(key) << "key";
  std::filesystem::permissions(key, std::filesystem::perms(0644));
  const std::string text = "[relay]\ndomains = [\"a.example\"]\n[smtp]\ntls_key = \"" + key +
                           "\"\ntls_certificate = \"" + key + "\"\n";
  const auto open_key = read(text);
  ASSERT_EQ(open_key.diagnostics.size(), 1U);
  EXPECT_THAT(open_key.diagnostics[0].text(), HasSubstr("every user of this system can read"));
  EXPECT_FALSE(has_errors(open_key.diagnostics));
  std::filesystem::permissions(key, std::filesystem::perms(0600));
  EXPECT_THAT(read(text).diagnostics, IsEmpty());
  std::filesystem::remove(key);
  EXPECT_EQ(errors_of(text).size(), 2U);
}

TEST(Configuration, FilesOfRecipients) {
  const std::string path = testing::TempDir() + "example.recipients";
  const std::string text =
      "[relay]\ndomains = [\"a.example\"]\n[recipients]\nwhen_unknown = \"450\"\n"
      "[[recipients.domain]]\ndomain = \"a.example\"\ncheck = \"list\"\ndelimiter = \"+\"\n"
      "file = \"" +
      path + "\"\n";
  std::ofstream(path) << "# ours\nbob@a.example\ncarol@a.example\n";
  const auto [c, diagnostics] = read(text);
  EXPECT_THAT(diagnostics, IsEmpty());
  ASSERT_EQ(c.recipients.domains.size(), 1U);
  EXPECT_EQ(c.recipients.domains[0].list.size(), 2U);
  EXPECT_EQ(c.recipients.domains[0].when_unknown, policy::WhenUnknown::reply_450);
  EXPECT_EQ(c, read(text).configuration);
  EXPECT_THAT(summary(c), HasSubstr("a.example: 2 in " + path + " (delimiter +), others get 450"));

  std::ofstream(path) << "bob@a.example\n\ncarol\n";
  EXPECT_THAT(errors_of(text), testing::ElementsAre(testing::StartsWith(
                                   path + ":3:1: \"carol\" has no domain; write one address")));
  std::ofstream(path) << "";
  EXPECT_THAT(errors_of(text),
              testing::ElementsAre(HasSubstr("file: has no address of a.example")));
  std::filesystem::remove(path);
  EXPECT_THAT(errors_of(text), testing::ElementsAre(HasSubstr("there is no file")));
}

TEST(Configuration, RecipientsByProbe) {
  const auto [c, diagnostics] = read(
      "[relay]\ndomains = [\"a.example\", \"b.example\"]\n"
      "[recipients]\nwhen_undecided = \"accept\"\n"
      "[recipients.probe]\nsender = \"probe@a.example\"\ntimeout = \"4s\"\nunknown_ttl = \"2h\"\n"
      "unknown_refresh = \"1h\"\nentries_max = 500\nconnections_per_destination_max = 2\n"
      "[[recipients.domain]]\ndomain = \"a.example\"\ncheck = \"probe\"\n"
      "[[recipients.domain]]\ndomain = \"b.example\"\ncheck = \"probe\"\nwhen_undecided = "
      "\"450\"\n");
  EXPECT_THAT(diagnostics, IsEmpty());
  ASSERT_EQ(c.recipients.domains.size(), 2U);
  EXPECT_EQ(c.recipients.domains[0].check, policy::RecipientSource::probe);
  EXPECT_EQ(c.recipients.domains[0].when_undecided, policy::WhenUndecided::accept);
  EXPECT_EQ(c.recipients.domains[1].when_undecided, policy::WhenUndecided::reply_450);
  EXPECT_EQ(c.recipients.probe.sender, "probe@a.example");
  EXPECT_EQ(c.recipients.probe.timeout, 4s);
  EXPECT_EQ(c.recipients.probe.unknown_refresh, 1h);
  EXPECT_EQ(c.recipients.probe.entries_max, 500U);
  EXPECT_THAT(summary(c), HasSubstr("a.example: asked of the next hop, others get 550; when it "
                                    "cannot be asked, all are taken"));
}

TEST(Configuration, SummaryTellsWhatWillBeDone) {
  const auto [c, diagnostics] = read(
      "[relay]\ndomains=[\"a.example\"]\n[unknown_ip]\nmode=\"enforce\"\n"
      "[[route]]\ndomain=\"a.example\"\nnext_hop=[\"lmtp://127.0.0.1:24\"]");
  const std::string told = summary(c);
  EXPECT_THAT(told, HasSubstr("0.0.0.0:25, [::]:25"));
  EXPECT_THAT(told, HasSubstr("a.example -> lmtp://127.0.0.1:24"));
  EXPECT_THAT(told, HasSubstr("enforce: clients without a confirmed reverse name are refused"));
  EXPECT_THAT(told, HasSubstr("all others -> by MX"));
}

}  // namespace
}  // namespace postern::app
