#include "lab/little_world.h"

#include <utility>

namespace postern::lab {
namespace {

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

}  // namespace

const char* LittleWorld::zone() {
  return R"(
[127.1.0.1]           PTR mail.partner.example
mail.partner.example  A   127.1.0.1
[127.2.0.1]           NXDOMAIN
[127.4.0.1]           PTR mail.elsewhere.example
mail.elsewhere.example A  192.0.2.9
[127.5.0.1]           SERVFAIL
)";
}

LittleWorld::LittleWorld(const io::World& world, Log& log, dns::Resolver& resolver,
                         queue::Store& store, std::string spool, std::uint16_t gateway_port)
    : world_(world),
      log_(log),
      resolver_(resolver),
      store_(store),
      spool_(std::move(spool)),
      gateway_port_(gateway_port),
      company_(world, "mail.company.example", {recipient}),
      partner_(world, "mail.partner.example", {sender}) {}

io::Task<Result<>> LittleWorld::start() {
  CO_TRY(const Endpoint company, company_.start({address("127.3.0.1"), 0}));
  CO_TRY(const Endpoint partner, partner_.start({address(confirmed_client), 0}));
  postern_ =
      std::make_unique<server::Server>(world_, log_, resolver_, store_, options(company, partner));
  std::vector<std::unique_ptr<io::Listener>> listeners;
  CO_TRY(auto listener, world_.network.listen({address("127.0.0.1"), gateway_port_}));
  gateway_ = listener->local();
  listeners.push_back(std::move(listener));
  co_return co_await postern_->start(std::move(listeners));
}

io::Task<> LittleWorld::stop() {
  if (postern_) co_await postern_->stop(world_.clock.in(std::chrono::seconds(5)));
  co_await company_.stop();
  co_await partner_.stop();
}

server::ServerOptions LittleWorld::options(Endpoint company, Endpoint partner) const {
  const std::string hostname = "gw.company.example";
  server::ServerOptions options;
  options.session.smtp.hostname = hostname;
  options.session.relay.domains = {"company.example"};
  options.unknown_ip.mode = policy::UnknownIpMode::enforce;
  options.unknown_ip.check_private = true;  // every client here has a loopback address
  options.delivery.hostname = hostname;
  options.delivery.postmaster = "postmaster@company.example";
  for (const auto& [domain, at] :
       {std::pair{"company.example", company}, std::pair{"partner.example", partner}})
    options.delivery.routes.push_back(
        {domain, {{smtp::ClientProtocol::smtp, at.address.text(), at.port}}});
  options.control_socket = spool_ + "/control.sock";
  options.version = "demo";
  return options;
}

}  // namespace postern::lab
