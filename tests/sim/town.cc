#include "town.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "report_reader.h"

namespace postern::sim {
namespace {

constexpr std::size_t oddities_max = 20;
/// As the trace counts.
double since_start(SteadyTime now) {
  return std::chrono::duration<double>(now.time_since_epoch()).count();
}

/// RFC 5321 section 4.5.3.2.7: a server waits 5 minutes for the next command; and a little.
constexpr Duration silent_session_max = std::chrono::minutes(6);
constexpr std::uint64_t disk_bytes = std::uint64_t{1} << 40;

struct HopPlace {
  const char* name;
  const char* domain;
  const char* address;
  bool lmtp;
};
constexpr std::array<HopPlace, Town::next_hops> places = {{
    {"mx.one.example", "one.example", "198.51.100.1", false},
    {"mx.two.example", "two.example", "198.51.100.2", false},
    {"mx.three.example", "three.example", "198.51.100.4", true},
    {"mx.sender.example", "sender.example", "198.51.100.3", false},
}};

std::string reverse_line(ClientKind kind, std::string_view what) {
  return fmt::format("[{}] {}\n", Upstream::address_of(kind).text(), what);
}

dns::Zone zone_of(const DnsState& state) {
  std::string text = "$TTL 30\nelsewhere.example MX 10 mx.two.example\n";
  for (const HopPlace& place : places)
    text += state.forward_silent ? fmt::format("{} TIMEOUT\n{} TIMEOUT\n", place.domain, place.name)
                                 : fmt::format("{} MX 10 {}\n{} A {}\n", place.domain, place.name,
                                               place.name, place.address);
  const std::string_view broken = state.reverse_fails ? "SERVFAIL" : "";
  const auto or_broken = [&broken](std::string_view what) {
    return broken.empty() ? what : broken;
  };
  text += reverse_line(ClientKind::confirmed, or_broken("PTR confirmed.sender.example"));
  text += reverse_line(ClientKind::flaky,
                       state.flaky_fails ? "SERVFAIL" : or_broken("PTR flaky.sender.example"));
  text += reverse_line(ClientKind::nameless, or_broken("NXDOMAIN"));
  text += reverse_line(ClientKind::mismatched, or_broken("PTR mismatched.sender.example"));
  for (const auto& [kind, name] :
       {std::pair{ClientKind::confirmed, "confirmed"}, std::pair{ClientKind::flaky, "flaky"}})
    text += fmt::format("{}.sender.example A {}\n", name, Upstream::address_of(kind).text());
  text += "mismatched.sender.example A 192.0.2.99\n";
  auto zone = dns::Zone::parse(text);
  CHECK(zone.has_value());
  return *std::move(zone);
}

}  // namespace

void TownLog::line(Severity severity, std::string_view event,
                   std::initializer_list<LogField> fields) {
  note_outcome(event, fields);
  // Nothing in a town damages what was written.
  const bool odd = severity == Severity::error && event.contains("damaged") &&
                   history_.oddities.size() < oddities_max;
  if (!odd && !shown_) return;
  std::string text(event);
  for (const LogField& field : fields)
    if (const auto* value = std::get_if<std::string_view>(&field.value))
      text += fmt::format(" {}={}", field.key, printable(*value));
  if (odd) history_.oddities.push_back("the gateway says: " + text);
  if (shown_) fmt::print("{:.6f} {}\n", since_start(sim_.now()), text);
}

void TownLog::note_outcome(std::string_view event, std::initializer_list<LogField> fields) {
  const auto text = [&fields](std::string_view key) {
    for (const LogField& field : fields)
      if (field.key == key)
        if (const auto* value = std::get_if<std::string_view>(&field.value))
          return std::string(*value);
    return std::string();
  };
  const auto share = [&text] { return std::pair(text("id"), text("destination")); };
  if (event == "accepted") history_.accepted_ids.insert(text("id"));
  if (event == "outcome-not-recorded") history_.outcomes_unrecorded.emplace(share(), sim_.now());
  if (event == "outcome-recorded") history_.outcomes_recorded.emplace(share(), sim_.now());
  using Kind = Outcome::Kind;
  for (const auto& [name, kind] :
       {std::pair{"delivered", Kind::delivered}, std::pair{"deferred", Kind::deferred},
        std::pair{"bounced", Kind::bounced}, std::pair{"dead-letter", Kind::dead}})
    if (event == name)
      history_.outcomes.push_back({kind, text("id"), text("recipient"), text("reply"), sim_.now(),
                                   text("destination"), text("from")});
}

IpAddress Town::gateway_address() {
  return IpAddress::from_v4({198, 51, 100, 25});
}

Town::Town(const Plan& the_plan, StoreMaker make_store, Shown shown)
    : plan(the_plan),
      sim(the_plan.seed),
      director(sim.add_host("director", IpAddress::from_v4({192, 0, 2, 1}))),
      store_wrapper_(make_store != nullptr ? make_store(memory) : nullptr),
      store_(store_wrapper_ ? store_wrapper_.get() : &memory),
      log_(history, sim, shown),
      gateway_(sim.add_host("gateway", gateway_address())),
      clients_(sim.add_host("upstream", Upstream::addresses())),
      network_(gateway_.world().network, counts_) {
  if (shown == Shown::trace) sim.trace().keep_text();
  promise();
  build_next_hops();
  upstream = std::make_unique<Upstream>(clients_, Endpoint{gateway_address(), 25}, plan, history);
  upstream->start();
  silent_clients =
      std::make_unique<SilentClients>(clients_, Endpoint{gateway_address(), 25},
                                      Upstream::address_of(ClientKind::confirmed), plan, history);
  silent_clients->start();
  start_gateway();
}

void Town::promise() {
  history.faults = plan.faults();
  history.promises.retry = plan.retry;
  history.promises.lifetime = plan.lifetime;
  history.promises.report_lifetime = plan.report_lifetime;
  history.promises.delay_notice = plan.delay_notice;
  history.promises.connections_max = plan.connections_per_destination_max;
  history.promises.silent_session_max = silent_session_max;
  history.promises.exact_retries = plan.exact_retries();
  history.promises.busy_next_hops = plan.busy_next_hops;
}

// Whatever still runs, as in a run that did not heal, ends before what it refers to.
Town::~Town() {
  for (io::SimHost* host : hop_hosts_) host->crash(io::CrashKind::process);
  for (io::SimHost* host : {&director, &gateway_, &clients_}) host->crash(io::CrashKind::process);
}

void Town::build_next_hops() {
  for (std::size_t i = 0; i < places.size(); ++i) {
    const HopPlace& place = places[i];
    NextHopOptions hop;
    hop.name = place.name;
    hop.address = *IpAddress::parse(place.address);
    hop.is_mailbox = i + 1 == places.size();
    hop.lmtp = place.lmtp;
    hop.greylisting = plan.greylisting;
    hop.dsn = plan.dsn_offered && (plan.seed + i) % 2 == 0;
    hop.gateway_ends_sessions = !plan.partitions;
    hop.recipients_max = plan.recipients_max;
    hop.seed = plan.seed * 16 + i;
    hop_hosts_.push_back(&sim.add_host(place.name, hop.address));
    hops.push_back(std::make_unique<NextHop>(*hop_hosts_.back(), std::move(hop), history));
    hops.back()->start();
  }
}

std::vector<IpAddress> Town::neighbours() const {
  std::vector<IpAddress> out = Upstream::addresses();
  for (const HopPlace& place : places) out.push_back(*IpAddress::parse(place.address));
  return out;
}

server::ServerOptions Town::options() const {
  server::ServerOptions options;
  options.session.smtp.hostname = "gw.example.com";
  options.session.relay.domains = {"one.example", "two.example", "three.example"};
  options.unknown_ip.mode = policy::UnknownIpMode::enforce;
  options.unknown_ip.no_ptr = plan.refuse_with;
  options.unknown_ip.mismatch = plan.refuse_with;
  options.queue.inline_bytes_max = plan.inline_bytes_max;
  options.delivery.hostname = "gw.example.com";
  options.delivery.connections_per_destination_max = plan.connections_per_destination_max;
  options.delivery.retry = plan.retry;
  options.delivery.lifetime = plan.lifetime;
  options.delivery.report_lifetime = plan.report_lifetime;
  options.delivery.delay_notice = plan.delay_notice;
  for (const HopPlace& place : places)
    if (place.lmtp)
      options.delivery.routes.push_back(
          *delivery::parse_route(place.domain, {fmt::format("lmtp://{}:25", place.address)}));
  return options;
}

void Town::start_gateway() {
  CHECK(server_ == nullptr);
  const io::World world = gateway_.world();
  const io::World counted{world.executor,     world.clock,   network_,           world.disk,
                          world.store_worker, world.entropy, world.ledger_worker};
  resolver_ = std::make_unique<dns::ZoneResolver>(world.clock, zone_of(dns_));
  resolver_->set_latency(std::chrono::milliseconds(3));
  server_ = std::make_unique<server::Server>(counted, log_, *resolver_, *store_, options());
  auto listener = world.network.listen({gateway_address(), 25});
  CHECK(listener.has_value());
  CHECK(gateway_.spawn("start", start(server_.get(), *std::move(listener))));
}

io::Task<> Town::start(server::Server* server, std::unique_ptr<io::Listener> listener) {
  std::vector<std::unique_ptr<io::Listener>> listeners;
  listeners.push_back(std::move(listener));
  const auto started = co_await server->start(std::move(listeners));
  if (started)
    started_ = true;
  else
    gave_up_ = true;
}

void Town::crash_gateway(io::CrashKind kind, Dice& dice) {
  if (started_) history.records_damaged += server_->queue().counts().damaged;
  history.crashes.push_back(sim.now());
  gateway_.crash(kind);
  server_.reset();
  resolver_.reset();
  gave_up_ = started_ = false;
  if (kind == io::CrashKind::power) memory.crash(dice.below(memory.unsynced() + 1));
}

void Town::set_dns(const DnsState& state) {
  dns_ = state;
  if (resolver_) resolver_->set_zone(zone_of(dns_));
}

void Town::set_disk_full(bool full) {
  memory.set_full(full);
  gateway_.disk().capacity_bytes = full ? 0 : disk_bytes;
}

void Town::set_away(const NextHop& hop, bool away, io::ConnectRule how) {
  std::vector<Span>& spans = history.outages[hop.name()];
  if (away)
    spans.push_back({.begin = sim.now()});
  else if (!spans.empty())
    spans.back().end = sim.now();
  sim.network().set_connect_rule(hop.address(), away ? how : io::ConnectRule::allow);
  if (away) sim.network().reset_connections(hop.address());
}

bool Town::is_quiet() {
  if (!started_ || !upstream->done() || !silent_clients->done() ||
      sim.network().open_connections() != 0)
    return false;
  const queue::Queue::Counts counts = server_->queue().counts();
  return counts.messages == 0 && counts.leased == 0 &&
         std::ranges::all_of(hops, [](const auto& hop) { return hop->sessions() == 0; });
}

io::Task<> Town::stop_gateway() {
  co_await server_->stop(gateway_.clock().in(seconds(30)));
}

io::Task<> Town::read_ledger() {
  const auto kept = co_await server_->ledger().deferrals();
  if (!kept) {
    history.oddities.push_back("the ledger cannot be read: " + kept.error().what);
    co_return;
  }
  for (const ledger::Deferral& deferral : *kept)
    history.deferrals.push_back({deferral.sender, deferral.recipient, deferral.attempts_count,
                                 deferral.accepted.has_value()});
}

io::Task<> Town::read_dead_letters() {
  queue::Administration administration(server_->queue());
  queue::Walk walk;
  walk.box = queue::Box::dead;
  for (bool more = true; more;) {
    const auto listed = co_await administration.list(walk);
    CHECK(listed.has_value());
    for (const queue::Summary& summary : listed->messages)
      co_await read_dead_letter(administration, summary.id);
    walk.after = listed->step.last;
    walk.until = listed->step.until;
    more = listed->step.more;
  }
}

io::Task<> Town::read_dead_letter(queue::Administration& administration, queue::MessageId id) {
  const auto shown = co_await administration.show(queue::Box::dead, id);
  CHECK(shown.has_value());
  std::string content;
  while (true) {
    const auto part = co_await administration.content(queue::Box::dead, id, content.size());
    if (!part) {
      history.oddities.push_back("the content of a dead letter cannot be read: " +
                                 part.error().what);
      co_return;
    }
    if (part->bytes.empty()) break;
    content += part->bytes;
  }
  const queue::QueuedMessage& message = **shown;
  for (const queue::QueuedRecipient& recipient : message.recipients)
    if (recipient.state == queue::RecipientState::dead)
      history.dead_letters.push_back({id.text(), message.envelope.reverse_path,
                                      recipient.recipient.address, token_in(content),
                                      read_report(content).recipients});
}

void Town::close_down() {
  history.connections_left = sim.network().open_connections();
  for (const auto& hop : hops) history.connections_left += hop->sessions();
  if (started_) {
    const queue::Queue::Counts counts = server_->queue().counts();
    history.messages_left = counts.messages;
    history.leases_left = counts.leased;
    history.records_damaged += counts.damaged;
    if (!sim.run_task(gateway_, read_dead_letters(), std::chrono::minutes(1)))
      history.oddities.emplace_back("the dead letters cannot be read");
    if (!sim.run_task(gateway_, read_ledger(), std::chrono::minutes(1)))
      history.oddities.emplace_back("the ledger cannot be read in time");
    history.stopped = sim.run_task(gateway_, stop_gateway(), std::chrono::minutes(1));
  }
  for (const HopPlace& place : places)
    history.connections_most[place.name] = counts_.most[*IpAddress::parse(place.address)];
  history.trace_hash = sim.trace().hash();
  history.events = sim.events();
}

}  // namespace postern::sim
