#include "lab/scenario.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/text.h"
#include "dns/zone_text.h"
#include "lab/scenario_postern.h"
#include "mail/address.h"
#include "settings/section.h"

namespace postern::lab {
namespace {

using settings::Findings;
using settings::object;
using settings::Parsed;
using settings::Section;

constexpr std::size_t mailboxes_max = 100;
constexpr std::size_t recipients_max = 20;
constexpr std::size_t pool_max = 20;
constexpr Duration late_max_max = std::chrono::hours(24);

Parsed<IpAddress> parse_address(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return *address;
  return object("is not an IP address", "write one such as \"192.0.2.7\" or \"2001:db8::7\"");
}

Parsed<std::string> parse_mailbox_address(std::string_view text) {
  const auto mailbox = mail::parse_mailbox(text);
  if (mailbox && !mailbox->domain.empty()) return mailbox->address();
  return object("is not a mail address", "write one such as \"ann@partner.example\"");
}

Parsed<Outlet> parse_outlet(std::string_view text) {
  const auto space = text.find(' ');
  const auto address = IpAddress::parse(text.substr(0, space));
  const std::string_view name =
      space == std::string_view::npos ? std::string_view{} : trim(text.substr(space));
  if (address && !name.empty() && !name.contains(' ')) return Outlet{*address, std::string(name)};
  return object("is not an address and a name", "write \"192.0.2.8 out-2.partner.example\"");
}

/// Reads a scenario section by section; what refers to something else is checked at the end, when
/// everything is known.
class Reader {
 public:
  explicit Reader(const upstream::Profiles& profiles) : profiles_(profiles) {}

  Scenario read(Section root) {
    root.text("title", scenario_.title);
    root.paragraph("story", scenario_.story);
    root.duration("run_for", scenario_.run_for, seconds(1), scenario_time_max);
    root.text("upstream", scenario_.upstream);
    root.paragraph("zone", scenario_.zone);
    check_zone(root, "zone", scenario_.zone);
    auto servers = root.sections("server", scenario_servers_max);
    if (servers.empty())
      root.problem("server", {"there is none", "describe each server in a [[server]]"});
    for (Section& section : servers) read_server(section);
    for (Section& section : root.sections("program", scenario_servers_max)) read_program(section);
    for (Section& section : servers) check_server(section);
    if (!scenario_.upstream.empty()) check_upstream(root);
    for (Section& section : root.sections("mail", scenario_mails_max)) read_mail(section);
    for (Section& section : root.sections("event", scenario_mails_max)) read_event(section);
    for (Section& section : root.sections("expect", scenario_mails_max)) read_expect(section);
    root.finish();
    return std::move(scenario_);
  }

 private:
  static void check_zone(Section& section, std::string_view key, const std::string& text) {
    if (const auto zone = dns::Zone::parse(text); !zone)
      section.problem(key, {"is no zone text: " + zone.error().what, "mend that line"});
  }

  static void require(Section& section, std::string_view key, std::string_view advice) {
    if (!section.has(key)) section.problem(key, {"is missing", std::string(advice)});
  }

  void read_id(Section& section, std::string& id) {
    section.text("id", id);
    require(section, "id", "give it a name that the rest of the file can use");
    if (!id.empty() && !ids_.insert(id).second)
      section.problem("id", {fmt::format("\"{}\" stands for another one already", id),
                             "give each server and program a name of its own"});
  }

  void read_own_address(Section& section, IpAddress& address) {
    section.parsed("address", address, parse_address);
    require(section, "address", "give its IP address");
    if (section.has("address")) claim_address(section, "address", address);
  }

  void claim_address(Section& section, std::string_view key, const IpAddress& address) {
    if (!addresses_.insert(address).second)
      section.problem(key, {"is another one's already", "give each an address of its own"});
  }

  void read_server(Section& section) {
    ScenarioServer server;
    read_id(section, server.id);
    section.text("name", server.name);
    require(section, "name", "give its host name, such as \"mail.partner.example\"");
    read_own_address(section, server.address);
    section.choice("engine", server.engine,
                   {{"postern", Engine::postern},
                    {"profile", Engine::profile},
                    {"mailboxes", Engine::mailboxes}});
    require(section, "engine", "write \"postern\", \"profile\" or \"mailboxes\"");
    section.text("profile", server.profile);
    section.list("mailboxes", server.mailboxes, mailboxes_max, parse_mailbox_address);
    section.text("smarthost", server.smarthost);
    section.list("pool", server.pool, pool_max, parse_outlet);
    for (const Outlet& outlet : server.pool) claim_address(section, "pool", outlet.address);
    section.duration("late_max", server.late_max, Duration{}, late_max_max);
    Section postern = section.section("postern");
    read_postern(postern, server);
    if (postern.present() && server.engine != Engine::postern)
      section.problem("postern", {"is for engine = \"postern\" only", "remove it"});
    section.finish();
    scenario_.servers.push_back(std::move(server));
  }

  // In the order of the file, as read_server has left them.
  void check_server(Section& section) {
    const ScenarioServer& server = scenario_.servers[checked_++];
    const bool is_profile = server.engine == Engine::profile;
    if (is_profile) require(section, "profile", "name one that `postern lab profiles` shows");
    if (is_profile && section.has("profile") && profiles_.find(server.profile) == nullptr)
      unknown(section, "profile", server.profile, profiles_.names());
    for (const char* key : {"profile", "pool", "late_max"})
      if (!is_profile && section.has(key))
        section.problem(key, {"is for engine = \"profile\" only", "remove it"});
    if (server.engine == Engine::postern && !server.mailboxes.empty())
      section.problem("mailboxes", {"Postern has none", "put them on a server behind it"});
    if (server.engine == Engine::mailboxes && !server.smarthost.empty())
      section.problem("smarthost", {"this engine sends nothing", "remove it"});
    check_server_id(section, "smarthost", server.smarthost);
    check_server_id(section, "postern", server.route);
  }

  void check_upstream(Section& root) {
    check_server_id(root, "upstream", scenario_.upstream);
    const ScenarioServer* server = scenario_.server(scenario_.upstream);
    if (server != nullptr && server->engine != Engine::profile)
      root.problem("upstream", {"is a server without a profile", "name one with a profile"});
  }

  void read_program(Section& section) {
    ScenarioProgram program;
    read_id(section, program.id);
    read_own_address(section, program.address);
    section.text("server", program.server);
    require(section, "server", "name the server that it hands its mail to");
    check_server_id(section, "server", program.server);
    section.finish();
    scenario_.programs.push_back(std::move(program));
  }

  void read_mail(Section& section) {
    ScenarioMail mail;
    section.text("program", mail.program);
    require(section, "program", "name the program that sends it");
    if (!mail.program.empty() && scenario_.program(mail.program) == nullptr) {
      std::vector<std::string> known;
      known.reserve(scenario_.programs.size());
      for (const ScenarioProgram& program : scenario_.programs) known.push_back(program.id);
      unknown(section, "program", mail.program, known);
    }
    section.duration("at", mail.at, Duration{}, scenario_time_max);
    section.parsed("from", mail.from, parse_mailbox_address);
    require(section, "from", "write the sender's address");
    section.list("to", mail.to, recipients_max, parse_mailbox_address);
    if (mail.to.empty()) section.problem("to", {"has no address", "write the recipients"});
    section.text("subject", mail.subject);
    section.paragraph("text", mail.text);
    for (const std::string& to : mail.to)
      if (!pairs_.insert(to_lower(mail.from) + " " + to_lower(to)).second)
        section.problem("to",
                        {fmt::format("another mail goes from {} to {} already", mail.from, to),
                         "use another sender or recipient, so that they can be told apart"});
    section.finish();
    scenario_.mails.push_back(std::move(mail));
  }

  void read_event(Section& section) {
    ScenarioEvent event;
    section.duration("at", event.at, Duration{}, scenario_time_max);
    require(section, "at", "write when it happens");
    section.duration("until", event.until, Duration{}, scenario_time_max);
    section.paragraph("publish", event.publish);
    section.text("dns_outage", event.dns_outage);
    section.text("down", event.down);
    section.text("says", event.says);
    const int kinds = static_cast<int>(section.has("publish")) +
                      static_cast<int>(section.has("dns_outage")) +
                      static_cast<int>(section.has("down"));
    if (kinds != 1)
      section.problem("", {fmt::format("says {} things that happen", kinds),
                           "write one of publish, dns_outage and down"});
    check_server_id(section, "dns_outage", event.dns_outage);
    check_server_id(section, "down", event.down);
    if (section.has("publish"))
      check_zone(section, "publish", event.publish);
    else if (event.until <= event.at)
      section.problem("until", {"is missing, or not after `at`", "write when it is over"});
    section.finish();
    scenario_.events.push_back(std::move(event));
  }

  void read_expect(Section& section) {
    Expectation expectation;
    expectation.place = section.place();
    read_expect_kind(section, expectation);
    section.text("from_server", expectation.from_server);
    section.text("by", expectation.by);
    check_server_id(section, "from_server", expectation.from_server);
    check_server_id(section, "by", expectation.by);
    if (section.has("count")) {
      expectation.count = 0;
      section.integer("count", *expectation.count, 0, 1'000'000);
    }
    if (section.has("at")) {
      expectation.at = Duration{};
      section.duration("at", *expectation.at, Duration{}, scenario_time_max);
    }
    section.duration("within", expectation.within, Duration{}, scenario_time_max);
    if (section.has("quotes_reply")) {
      expectation.quotes_reply = false;
      section.flag("quotes_reply", *expectation.quotes_reply);
    }
    section.finish();
    scenario_.expectations.push_back(std::move(expectation));
  }

  static void read_expect_kind(Section& section, Expectation& expectation) {
    section.text("refused", expectation.reply);
    section.choice("report", expectation.report,
                   {{"failure", std::string("failure")}, {"delay", std::string("delay")}});
    section.parsed("to", expectation.to, parse_mailbox_address);
    std::string delivered;
    section.parsed("delivered", delivered, parse_mailbox_address);
    const int kinds = static_cast<int>(section.has("refused")) +
                      static_cast<int>(section.has("report")) +
                      static_cast<int>(section.has("delivered"));
    if (kinds != 1)
      section.problem("", {fmt::format("expects {} things", kinds),
                           "write one of refused, report and delivered"});
    if (section.has("refused")) expectation.kind = Expectation::Kind::refused;
    if (section.has("report")) require(section, "to", "write whom the report must reach");
    if (!section.has("delivered")) return;
    expectation.kind = Expectation::Kind::delivered;
    expectation.to = delivered;
  }

  void check_server_id(Section& section, std::string_view key, const std::string& id) {
    if (id.empty() || scenario_.server(id) != nullptr) return;
    std::vector<std::string> known;
    known.reserve(scenario_.servers.size());
    for (const ScenarioServer& server : scenario_.servers) known.push_back(server.id);
    unknown(section, key, id, known);
  }

  static void unknown(Section& section, std::string_view key, const std::string& word,
                      const std::vector<std::string>& known) {
    const std::string_view meant = settings::nearest(word, known);
    section.problem(key, {fmt::format("there is no \"{}\"", printable(word)),
                          meant.empty() ? fmt::format("there are: {}", fmt::join(known, ", "))
                                        : fmt::format("did you mean \"{}\"?", meant)});
  }

  const upstream::Profiles& profiles_;
  Scenario scenario_;
  std::set<std::string> ids_;
  std::set<IpAddress> addresses_;
  std::set<std::string> pairs_;
  std::size_t checked_ = 0;
};

}  // namespace

const ScenarioServer* Scenario::server(std::string_view id) const {
  const auto found = std::ranges::find_if(servers, [id](const auto& one) { return one.id == id; });
  return found == servers.end() ? nullptr : &*found;
}

ScenarioServer* Scenario::server(std::string_view id) {
  const auto found = std::ranges::find_if(servers, [id](const auto& one) { return one.id == id; });
  return found == servers.end() ? nullptr : &*found;
}

const ScenarioProgram* Scenario::program(std::string_view id) const {
  const auto found = std::ranges::find_if(programs, [id](const auto& one) { return one.id == id; });
  return found == programs.end() ? nullptr : &*found;
}

ReadScenario read_scenario(std::string_view text, std::string file,
                           const upstream::Profiles& profiles) {
  ReadScenario read;
  Findings findings;
  findings.file = std::move(file);
  findings.reference = "docs/lab.md";
  auto table = settings::parse_toml(text);
  if (!table) {
    table.error().file = findings.file;
    read.diagnostics.push_back(std::move(table.error()));
    return read;
  }
  Reader reader(profiles);
  read.scenario = reader.read(Section("", {}, &*table, findings));
  read.diagnostics = std::move(findings.diagnostics);
  return read;
}

}  // namespace postern::lab
