#include "lab/flow.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "lab/dialogue.h"
#include "lab/flow_server.h"

namespace postern::lab {
namespace {

constexpr std::uint16_t smtp_port = 25;
/// How often it is looked whether anything will still happen.
constexpr Duration look_every = std::chrono::minutes(10);
/// After the last thing that happened: connections end.
constexpr Duration settling_time = std::chrono::seconds(30);

dns::Zone zone_of(const std::string& text) {
  auto zone = dns::Zone::parse(text);
  CHECK(zone.has_value());
  return *std::move(zone);
}

bool changed(const ledger::Deferral& before, const ledger::Deferral& after) {
  return before.attempts_count != after.attempts_count || before.accepted != after.accepted ||
         before.refused_for_good != after.refused_for_good ||
         before.addresses.size() != after.addresses.size();
}

std::string name_of(const Scenario& scenario, const std::string& id) {
  const ScenarioServer* server = scenario.server(id);
  return server == nullptr ? id : server->name;
}

}  // namespace

Flow::Flow(Scenario scenario, const upstream::Profiles& profiles, std::uint64_t seed)
    : scenario_(std::move(scenario)),
      profiles_(profiles),
      sim_(seed),
      beginning_(sim_.now()),
      zone_(zone_of(scenario_.zone)),
      on_attempt_([this](Attempt attempt) {
        for (const auto& server : servers_)
          if (server->scenario().id == attempt.to_host) server->look_at_ledger();
        if (history_.attempts.size() < History::entries_max)
          history_.attempts.push_back(std::move(attempt));
        else
          history_.full = true;
      }) {
  for (const ScenarioServer& server : scenario_.servers) {
    ids_[server.address] = server.id;
    for (const Outlet& outlet : server.pool) ids_[outlet.address] = server.id;
  }
  for (const ScenarioProgram& program : scenario_.programs) ids_[program.address] = program.id;
  for (const ScenarioServer& server : scenario_.servers) {
    std::vector<IpAddress> addresses{server.address};
    for (const Outlet& outlet : server.pool) addresses.push_back(outlet.address);
    io::SimHost& host = sim_.add_host(server.id, std::move(addresses));
    hosts_.push_back(&host);
    servers_.push_back(
        std::make_unique<FlowServer>(*this, server, host, tapped(host, server.address)));
  }
}

io::World Flow::tapped(io::SimHost& host, const IpAddress& address) {
  const io::World world = host.world();
  networks_.push_back(std::make_unique<TappedNetwork>(world.network, host.clock(), beginning_,
                                                      address, ids_, on_attempt_));
  return {world.executor,     world.clock,   *networks_.back(),  world.disk,
          world.store_worker, world.entropy, world.ledger_worker};
}

// What still runs ends before what it refers to.
Flow::~Flow() {
  for (io::SimHost* host : hosts_) host->crash(io::CrashKind::process);
}

Result<> Flow::start() {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!sim_.run_task(*hosts_[i], servers_[i]->start(), std::chrono::minutes(1)))
      return our_failure(Cause::timed_out, servers_[i]->scenario().name + " does not start");
    TRY_VOID(Result<>(servers_[i]->started()));
  }
  beginning_ = sim_.now();
  wall_beginning_ = hosts_.front()->clock().wall_now();
  for (const auto& network : networks_) network->set_beginning(beginning_);
  add_programs();
  io::SimHost& director = sim_.add_host("director", *IpAddress::parse("203.0.113.255"));
  hosts_.push_back(&director);
  for (const ScenarioEvent& event : scenario_.events) {
    ++tasks_left_;
    director.spawn("event", direct(event, director.world()));
  }
  return {};
}

void Flow::add_programs() {
  for (const ScenarioProgram& program : scenario_.programs) {
    io::SimHost& host = sim_.add_host(program.id, program.address);
    hosts_.push_back(&host);
    const io::World world = tapped(host, program.address);
    for (const ScenarioMail& mail : scenario_.mails) {
      if (mail.program != program.id) continue;
      ++tasks_left_;
      host.spawn("send", send(program, mail, world));
    }
  }
}

io::Task<> Flow::send(const ScenarioProgram& program, const ScenarioMail& mail, io::World world) {
  co_await world.clock.sleep_until(beginning_ + mail.at);
  for (const std::string& to : mail.to)
    happened(Happening::Kind::sent, program.id, mail.from, to, mail.subject);
  const Endpoint server{scenario_.server(program.server)->address, smtp_port};
  const auto refused = co_await submit(world, program.address, server, mail);
  if (!refused)
    happened(Happening::Kind::refused, program.id, mail.from, "", refused.error().what);
  else if (!refused->empty())
    happened(Happening::Kind::refused, program.id, mail.from, "", *refused);
  --tasks_left_;
}

// Nothing, or what the server said against it.
io::Task<Result<std::string>> Flow::submit(const io::World& world, IpAddress from, Endpoint to,
                                           const ScenarioMail& mail) {
  CO_TRY(const auto dialogue, co_await Dialogue::open(world, from, to));
  CO_TRY(auto reply, co_await dialogue->command(fmt::format("EHLO {}", from.literal())));
  CO_TRY(reply, co_await dialogue->command(fmt::format("MAIL FROM:<{}>", mail.from)));
  std::string refused;
  for (const std::string& recipient : mail.to) {
    CO_TRY(reply, co_await dialogue->command(fmt::format("RCPT TO:<{}>", recipient)));
    if (reply.code >= 300) refused = reply.lines.back();
  }
  if (refused.empty()) {
    CO_TRY(reply, co_await dialogue->command("DATA"));
    if (reply.code == 354) {
      CO_TRY(reply,
             co_await dialogue->content(fmt::format(
                 "From: <{}>\nTo: {}\nSubject: {}\nDate: {}\nMessage-ID: <{:016x}@{}>\n\n{}",
                 mail.from, "<" + fmt::format("{}", fmt::join(mail.to, ">, <")) + ">", mail.subject,
                 format_rfc5322(world.clock.wall_now()), world.entropy.next_u64(),
                 mail.from.substr(mail.from.find('@') + 1), mail.text)));
    }
    if (reply.code >= 300) refused = reply.lines.back();
  }
  CO_TRY_VOID(co_await dialogue->command("QUIT"));
  co_return refused;
}

io::Task<> Flow::direct(ScenarioEvent event, io::World world) {
  co_await world.clock.sleep_until(beginning_ + event.at);
  begin_event(event);
  if (event.publish.empty()) {
    co_await world.clock.sleep_until(beginning_ + event.until);
    end_event(event);
  }
  --tasks_left_;
}

void Flow::begin_event(const ScenarioEvent& event) {
  std::string text = event.says;
  if (!event.publish.empty()) {
    publish(event.publish);
    if (text.empty()) text = "published in the DNS: " + event.publish;
  } else if (!event.dns_outage.empty()) {
    if (text.empty())
      text = fmt::format("the DNS stops answering {}", name_of(scenario_, event.dns_outage));
    for (const auto& server : servers_)
      if (server->scenario().id == event.dns_outage) server->resolver().set_down(true);
  } else {
    if (text.empty()) text = fmt::format("{} goes down", name_of(scenario_, event.down));
    sim_.network().set_connect_rule(scenario_.server(event.down)->address, io::ConnectRule::refuse);
  }
  happened(Happening::Kind::world, "", "", "", std::move(text));
}

void Flow::end_event(const ScenarioEvent& event) {
  std::string text;
  if (!event.dns_outage.empty()) {
    text = fmt::format("the DNS answers {} again", name_of(scenario_, event.dns_outage));
    for (const auto& server : servers_)
      if (server->scenario().id == event.dns_outage) server->resolver().set_down(false);
  } else {
    text = fmt::format("{} is up again", name_of(scenario_, event.down));
    sim_.network().set_connect_rule(scenario_.server(event.down)->address, io::ConnectRule::allow);
  }
  happened(Happening::Kind::world, "", "", "", std::move(text));
}

void Flow::publish(const std::string& zone_text) {
  zone_.add(zone_of(zone_text));
  for (const auto& server : servers_) server->resolver().set_zone(zone_);
}

void Flow::happened(Happening::Kind kind, const std::string& host, const std::string& sender,
                    const std::string& recipient, std::string text) {
  if (history_.happenings.size() < History::entries_max)
    history_.happenings.push_back({now(), kind, host, sender, recipient, std::move(text)});
  else
    history_.full = true;
}

void Flow::keep_ledger(Duration at, const std::string& host,
                       std::vector<ledger::Deferral> deferrals) {
  std::vector<ledger::Deferral>& before = ledgers_[host];
  LedgerState state{at, host, {}};
  for (std::size_t i = 0; i < deferrals.size(); ++i)
    if (i >= before.size() || changed(before[i], deferrals[i]))
      state.deferrals.push_back(deferrals[i]);
  before = std::move(deferrals);
  if (state.deferrals.empty()) return;
  if (history_.ledgers.size() < History::entries_max)
    history_.ledgers.push_back(std::move(state));
  else
    history_.full = true;
}

bool Flow::is_quiet() const {
  return tasks_left_ == 0 &&
         std::ranges::all_of(servers_, [](const auto& server) { return server->is_quiet(); });
}

Result<> Flow::run(Duration until) {
  until = std::min(until, scenario_.run_for);
  while (now() < until && !history_.over) {
    const bool was_quiet = is_quiet();
    const Duration step = was_quiet ? settling_time : std::min(look_every, until - now());
    if (!sim_.run_for(step))
      return our_failure(Cause::limit, "so much happens that it seems to have no end");
    history_.over = was_quiet && is_quiet();
  }
  history_.now = now();
  history_.over = history_.over || now() >= scenario_.run_for;
  return {};
}

}  // namespace postern::lab
