#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "dns/resolver.h"
#include "io/world.h"
#include "lab/mailbox_server.h"
#include "queue/store.h"
#include "server/server.h"

namespace postern::lab {

/// Three mail servers and the clients that speak to them, on loopback addresses, as in the manual:
///
///     partner's server ----> Postern ----> company's server
///     mail.partner.example   gw.company.example   mail.company.example
///
/// The DNS says: 127.1.0.1 is mail.partner.example, and mail.partner.example is 127.1.0.1
/// (confirmed); 127.2.0.1 has no PTR record; 127.4.0.1 has one whose name leads elsewhere; the DNS
/// of 127.5.0.1 does not answer.
class LittleWorld {
 public:
  static constexpr const char* confirmed_client = "127.1.0.1";
  static constexpr const char* nameless_client = "127.2.0.1";
  static constexpr const char* mismatched_client = "127.4.0.1";
  static constexpr const char* broken_dns_client = "127.5.0.1";
  static constexpr const char* sender = "ann@partner.example";
  static constexpr const char* recipient = "bob@company.example";
  static constexpr const char* no_such_recipient = "nobody@company.example";

  /// The zone text to give to the resolver.
  static const char* zone();

  /// `gateway_port` 0: any. References outlive this object. `spool` is where `world.disk` stands,
  /// for the control socket.
  LittleWorld(const io::World& world, Log& log, dns::Resolver& resolver, queue::Store& store,
              std::string spool, std::uint16_t gateway_port);

  io::Task<Result<>> start();
  io::Task<> stop();

  [[nodiscard]] Endpoint gateway() const { return gateway_; }
  MailboxServer& company() { return company_; }
  MailboxServer& partner() { return partner_; }
  server::Server& postern() { return *postern_; }

 private:
  [[nodiscard]] server::ServerOptions options(Endpoint company, Endpoint partner) const;

  io::World world_;
  Log& log_;
  dns::Resolver& resolver_;
  queue::Store& store_;
  std::string spool_;
  std::uint16_t gateway_port_;
  MailboxServer company_;
  MailboxServer partner_;
  std::unique_ptr<server::Server> postern_;
  Endpoint gateway_;
};

}  // namespace postern::lab
