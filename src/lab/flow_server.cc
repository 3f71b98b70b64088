#include "lab/flow_server.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace postern::lab {
namespace {

constexpr std::uint16_t smtp_port = 25;
/// A resolver that hears nothing from anybody says so after this.
constexpr Duration outage_patience = std::chrono::seconds(5);

std::string field_text(const LogField& field) {
  return std::visit(
      [](const auto& value) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>)
          return printable(value);
        else
          return fmt::to_string(value);
      },
      field.value);
}

std::set<std::string> lower_case(const std::vector<std::string>& addresses) {
  std::set<std::string> lower;
  for (const std::string& address : addresses) lower.insert(to_lower(address));
  return lower;
}

}  // namespace

io::Task<dns::Answer> FlowResolver::lookup(std::string name, dns::Type type,
                                           io::Deadline deadline) {
  dns::Answer answer;
  if (down_) {
    answer.status = dns::Status::serv_fail;
    co_await clock_.sleep_until(deadline.sooner(clock_.in(outage_patience)).time());
  } else {
    answer = co_await zones_.lookup(name, type, deadline);
  }
  on_lookup_(name, type, answer.status);
  co_return answer;
}

void FlowLog::line(Severity severity, std::string_view event,
                   std::initializer_list<LogField> fields) {
  if (severity == Severity::debug) return;
  std::string text(event);
  std::string sender;
  std::string recipient;
  for (const LogField& field : fields) {
    const std::string value = field_text(field);
    if (field.key == "from") sender = value;
    if (field.key == "recipient") recipient = value;
    text += fmt::format(" {}={}", field.key, value.contains(' ') ? "\"" + value + "\"" : value);
  }
  on_line_(event, sender, recipient, std::move(text));
}

FlowServer::FlowServer(Flow& flow, const ScenarioServer& scenario, io::SimHost& host,
                       const io::World& world)
    : flow_(flow),
      scenario_(scenario),
      host_(host),
      world_(world),
      resolver_(host.clock(), flow.zone_,
                [this](const std::string& name, dns::Type type, dns::Status status) {
                  if (flow_.history_.lookups.size() < History::entries_max)
                    flow_.history_.lookups.push_back({flow_.now(), scenario_.id, name,
                                                      std::string(dns::type_name(type)),
                                                      std::string(dns::status_name(status))});
                }),
      log_([this](std::string_view event, const std::string& sender, const std::string& recipient,
                  std::string text) {
        // In the log "bounced" is Postern's giving up; a report follows, as it does "delay-told".
        const auto kind = event == "bounced"       ? Happening::Kind::gave_up
                          : event == "dead-letter" ? Happening::Kind::kept
                          : event == "delay-told"  ? Happening::Kind::reported
                                                   : Happening::Kind::log;
        flow_.happened(kind, scenario_.id, sender, recipient, std::move(text));
      }) {
  build();
}

FlowServer::~FlowServer() = default;

void FlowServer::build() {
  switch (scenario_.engine) {
    case Engine::postern:
      postern_ =
          std::make_unique<server::Server>(world_, log_, resolver_, store_, postern_options());
      return;
    case Engine::profile:
      profile_ = std::make_unique<ProfileServer>(
          world_, resolver_, profile_options(), [this](const Letter& letter) { keep(letter); },
          [this](Happening::Kind kind, const std::string& sender, const std::string& recipient,
                 std::string text) {
            flow_.happened(kind, scenario_.id, sender, recipient, std::move(text));
          });
      return;
    case Engine::mailboxes:
      mailboxes_ =
          std::make_unique<MailboxServer>(world_, scenario_.name, lower_case(scenario_.mailboxes));
      mailboxes_->on_letter([this](const Letter& letter) { keep(letter); });
      return;
  }
  CHECK(false);
}

void FlowServer::keep(const Letter& letter) {
  if (flow_.history_.letters.size() >= History::entries_max) {
    flow_.history_.full = true;
    return;
  }
  flow_.history_.letters.push_back(
      {flow_.now(), scenario_.id, to_lower(letter.recipient), letter.reverse_path, letter.content});
}

server::ServerOptions FlowServer::postern_options() const {
  server::ServerOptions options = scenario_.postern;
  options.session.smtp.hostname = scenario_.name;
  options.delivery.hostname = scenario_.name;
  options.version = "lab";
  const auto hop_to = [this](const std::string& id) {
    return delivery::NextHop{smtp::ClientProtocol::smtp, flow_.scenario_.server(id)->address.text(),
                             smtp_port};
  };
  if (!scenario_.route.empty())
    for (const std::string& domain : options.session.relay.domains)
      options.delivery.routes.push_back({domain, {hop_to(scenario_.route)}});
  if (!scenario_.smarthost.empty())
    options.delivery.routes.push_back({"*", {hop_to(scenario_.smarthost)}});
  // Its own users may send anywhere, and are no strangers.
  for (const ScenarioProgram& program : flow_.scenario_.programs) {
    if (program.server != scenario_.id) continue;
    const IpNetwork own = *IpNetwork::parse(program.address.text());
    options.session.relay.networks.push_back(own);
    options.unknown_ip.exempt_networks.push_back(own);
  }
  return options;
}

ProfileServerOptions FlowServer::profile_options() const {
  ProfileServerOptions options;
  options.hostname = scenario_.name;
  options.address = scenario_.address;
  options.pool = scenario_.pool;
  options.late_max = scenario_.late_max;
  options.mailboxes = lower_case(scenario_.mailboxes);
  for (const ScenarioProgram& program : flow_.scenario_.programs)
    if (program.server == scenario_.id) options.relay_clients.insert(program.address);
  for (const ScenarioServer& server : flow_.scenario_.servers)
    if (server.smarthost == scenario_.id) {
      options.relay_clients.insert(server.address);
      for (const Outlet& outlet : server.pool) options.relay_clients.insert(outlet.address);
    }
  if (!scenario_.smarthost.empty())
    options.smarthost = Endpoint{flow_.scenario_.server(scenario_.smarthost)->address, smtp_port};
  options.profile = *flow_.profiles_.find(scenario_.profile);
  return options;
}

io::Task<> FlowServer::start() {
  if (profile_)
    started_ = profile_->start();
  else if (postern_)
    started_ = co_await start_postern();
  else if (const auto at = mailboxes_->start({scenario_.address, smtp_port}); !at)
    started_ = fail(at.error());
}

io::Task<Result<>> FlowServer::start_postern() {
  std::vector<std::unique_ptr<io::Listener>> listeners;
  CO_TRY(auto listener, world_.network.listen({scenario_.address, smtp_port}));
  listeners.push_back(std::move(listener));
  co_return co_await postern_->start(std::move(listeners));
}

void FlowServer::look_at_ledger() {
  if (!postern_) return;
  ledger_changed_ = true;
  if (!std::exchange(reading_ledger_, true)) host_.spawn("look at ledger", read_ledger());
}

io::Task<> FlowServer::read_ledger() {
  while (std::exchange(ledger_changed_, false)) {
    const Duration asked_at = flow_.now();
    auto kept = co_await postern_->ledger().deferrals();
    if (kept) flow_.keep_ledger(asked_at, scenario_.id, *std::move(kept));
  }
  reading_ledger_ = false;
}

bool FlowServer::is_quiet() const {
  if (profile_) return profile_->messages() == 0;
  if (postern_) return postern_->queue().counts().messages == 0;
  return true;
}

}  // namespace postern::lab
