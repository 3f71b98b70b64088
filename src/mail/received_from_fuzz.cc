#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mail/received.h"
#include "mail/received_from.h"

using namespace postern;

/// Bounds hold; and whatever a client says of itself, what Postern writes about it is read as the
/// address that it came from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const mail::ReceivedFrom from = mail::parse_received_from(text);
  CHECK(from.kind == mail::ReceivedFrom::Kind::address || from.address == IpAddress());

  mail::Received received;
  received.helo = text.substr(0, 255);
  received.client = *IpAddress::parse("192.0.2.7");
  received.by = "gw.example.com";
  received.protocol = "ESMTP";
  received.id = "1";
  const std::string field = mail::compose_received(received);
  const mail::ReceivedFrom own = mail::parse_received_from(field.substr(field.find(':') + 1));
  CHECK(own.kind == mail::ReceivedFrom::Kind::address && own.address == received.client);

  mail::HopWalk walk([](const IpAddress& address) { return address.is_private(); });
  walk.feed(text);
  walk.feed(field.substr(field.find(':') + 1));
  if (from.kind == mail::ReceivedFrom::Kind::local) CHECK(walk.hop() == received.client);
  return 0;
}
