#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "delivery/route.h"
#include "dsn/wording.h"
#include "smtp/client_machine.h"

namespace postern::delivery {

/// Of probes: whether a next hop takes mail for a recipient, asked without mail.
struct ProberOptions {
  /// MAIL FROM; empty: the null reverse path, which every server has to take.
  std::string sender;
  std::size_t connections_per_destination_max = 4;
  std::size_t connections_max = 50;
  /// Recipients of one destination that wait for their turn.
  std::size_t waiting_max = 100;
  /// Half of what a client waits by default, so that a second host gets its turn in time.
  Duration connect_timeout = std::chrono::seconds(3);
  Duration lookup_timeout = std::chrono::seconds(5);
  /// Of one probe, from its beginning to its answer.
  Duration duration_max = std::chrono::seconds(30);
  /// How long nothing is asked of a destination that could not be asked.
  Duration pause = std::chrono::seconds(30);
};

/// What becomes of a message with the null reverse path, mostly a report, that fails for good: RFC
/// 5321 section 6.1 forbids to tell anybody by its reverse path.
enum class DoubleBounce : std::uint8_t {
  dead_letter,  ///< the queue keeps it for the administrator
  postmaster,   ///< a report goes to the postmaster; if that one fails, it is a dead letter
};

struct DeliveryOptions {
  std::string hostname;    ///< ours: EHLO, reports, and what in an MX list means ourselves
  std::string postmaster;  ///< named in reports; empty: postmaster@hostname

  /// RFC 5321 section 4.5.4.1: the pause before the second, third, ... attempt; the last repeats.
  /// That section wants 30 minutes at least; the first retries are sooner, as it allows, since most
  /// refusals (greylisting, a restart) are over soon. Not empty.
  std::vector<Duration> retry = {std::chrono::minutes(5),  std::chrono::minutes(5),
                                 std::chrono::minutes(10), std::chrono::minutes(20),
                                 std::chrono::minutes(40), std::chrono::hours(1)};
  /// RFC 5321 section 4.5.4.1: give up after 4 to 5 days at the earliest.
  Duration lifetime = std::chrono::hours(5 * 24);
  /// Of messages with the null reverse path: nobody hears of it when they fail.
  Duration report_lifetime = std::chrono::hours(24);

  /// How long a message waits before its sender hears that it still does, once. 0: never.
  Duration delay_notice = std::chrono::hours(4);

  std::size_t connections_per_destination_max = 20;
  std::size_t connections_max = 500;
  std::uint32_t messages_per_connection_max = 100;
  /// How long an open connection waits for more mail for its destination.
  Duration idle_max = std::chrono::seconds(2);
  Duration connect_timeout = std::chrono::seconds(30);
  Duration lookup_timeout = std::chrono::seconds(20);  ///< of each DNS lookup
  smtp::ClientTimeouts timeouts;

  smtp::ClientTls starttls = smtp::ClientTls::when_offered;  ///< without a TlsClient: off
  std::uint16_t port = 25;                                   ///< of hosts found by MX
  std::vector<Route> routes;

  ProberOptions probes;

  DoubleBounce double_bounce = DoubleBounce::dead_letter;
  std::uint64_t report_content_bytes_max = 64 * 1024;  ///< larger originals: only their header
  std::vector<dsn::Wording> report_wordings;           ///< the languages of reports; none: English
};

}  // namespace postern::delivery
