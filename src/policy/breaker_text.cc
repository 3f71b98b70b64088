#include "policy/breaker_text.h"

#include <chrono>
#include <fmt/format.h>

namespace postern::policy {
namespace {

std::string rounded(Duration duration) {
  return format_duration(std::chrono::ceil<std::chrono::seconds>(duration));
}

}  // namespace

std::string reading_text(const BreakerReading& reading) {
  switch (reading.signal) {
    case BreakerSignal::temperror:
      return fmt::format(
          "{} of {} client networks whose reverse names could be looked up before get no answer "
          "now",
          reading.bad, reading.total);
    case BreakerSignal::one_client:
      if (reading.bad == 0)
        return fmt::format("none of {} connections is from a private or own address",
                           reading.total);
      return fmt::format("{} of {} connections come from one private or own address, {}",
                         reading.bad, reading.total, reading.client.text());
    case BreakerSignal::refused:
      return fmt::format(
          "{} of {} networks of clients that had a confirmed name before have none now ({} % in "
          "the "
          "long run)",
          reading.bad, reading.total, reading.average);
  }
  return {};
}

std::string_view breaker_advice(BreakerSignal signal) {
  switch (signal) {
    case BreakerSignal::temperror:
      return "The resolver that this server asks does not answer, or cannot reach the Internet. "
             "Try "
             "dig -x ADDRESS @RESOLVER for a client that the log names; the resolver is in [dns] "
             "servers, or in /etc/resolv.conf. Look at its log and load, and at firewalls on port "
             "53.";
    case BreakerSignal::one_client:
      return "A proxy, a load balancer or the NAT of a container hides the clients' addresses. Let "
             "it pass them on (the PROXY protocol, host networking, no masquerading), or, if that "
             "one client really sends that much, add it to [unknown_ip] exempt_networks.";
    case BreakerSignal::refused:
      return "The resolver that this server asks denies names that did exist: it may filter "
             "reverse "
             "lookups, answer from an empty zone, or have been replaced. Compare dig -x ADDRESS "
             "@RESOLVER with dig -x ADDRESS @9.9.9.9 for a client that the log names.";
  }
  return {};
}

std::string what_closes(const BreakerStatus& status) {
  if (status.state == BreakerState::closed) return {};
  const std::string_view samples =
      status.signal == BreakerSignal::one_client ? "connections" : "client networks";
  const BreakerReading& reading = status.readings.at(static_cast<std::size_t>(status.signal));
  const std::string condition = fmt::format("{} {} were seen of which at most {} % are bad",
                                            reading.total_min, samples, reading.closes_at);
  const Duration left = status.next.value_or(Duration::zero());
  if (status.state == BreakerState::open)
    return fmt::format("looks again in {}, and closes some time later if {}", rounded(left),
                       condition);
  if (left > Duration::zero())
    return fmt::format("closes in {} at the earliest, when {}", rounded(left), condition);
  return fmt::format("closes when {}; so far {} of {} are bad", condition, reading.bad,
                     reading.total);
}

}  // namespace postern::policy
