// What counting costs: everything that one session with one accepted and one refused recipient
// counts, beside composing the replies of that session, which is a small part of what it does.
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "io/real/shard.h"
#include "session/metrics.h"
#include "smtp/reply.h"

namespace postern::session {
namespace {

constexpr int sessions = 1'000'000;

std::string replies() {
  std::string text;
  for (const smtp::Reply& reply :
       {smtp::Reply(220, "gw.example.com ESMTP"), smtp::Reply(250, "gw.example.com"),
        smtp::Reply(250, {2, 1, 0}, "Sender ok"), smtp::Reply(250, {2, 1, 5}, "Recipient ok"),
        smtp::Reply(450, {4, 7, 25}, "Client host rejected: cannot find your hostname"),
        smtp::Reply(354, "Go ahead"), smtp::Reply(250, {2, 0, 0}, "Queued"),
        smtp::Reply(221, {2, 0, 0}, "Bye")})
    text += reply.format();
  return text;
}

void count_session(Metrics& metrics, const std::string& sent, const IpAddress& client,
                   io::Clock& clock) {
  const SteadyTime asked = clock.now();
  metrics.verdict_wait.observe(clock.now() - asked);
  ++metrics.enforced[DecidedAt::rcpt][policy::UnknownIpState::pass][policy::Action::accept];
  ++metrics.recipients[RecipientResult::accepted];
  ++metrics.enforced[DecidedAt::rcpt][policy::UnknownIpState::no_ptr][policy::Action::reply_450];
  ++metrics.recipients[RecipientResult::unknown_ip];
  metrics.count_refusal(client, policy::state_name(policy::UnknownIpState::no_ptr), clock.now());
  ++metrics.messages[MessageResult::accepted];
  metrics.accepted_bytes += 2048;
  metrics.count_replies(sent);
}

int measure() {
  const auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) return 1;
  io::Clock& clock = (*shard)->world().clock;
  const auto nanoseconds_each = [&clock](auto work) {
    const SteadyTime start = clock.now();
    for (int i = 0; i < sessions; ++i) work(i);
    return static_cast<double>((clock.now() - start).count()) / sessions;
  };
  const auto metrics = std::make_unique<Metrics>();
  const std::string sent = replies();
  std::size_t bytes = 0;
  const double composing = nanoseconds_each([&bytes](int) { bytes += replies().size(); });
  // As many clients as there are: each takes the place of another.
  const double counting = nanoseconds_each([&](int i) {
    const auto byte = [i](int shift) { return static_cast<std::uint8_t>(i >> shift); };
    count_session(*metrics, sent, IpAddress::from_v4({10, byte(16), byte(8), byte(0)}), clock);
  });
  fmt::print("{{\"sessions\":{},\"counting_ns\":{:.0f},\"composing_replies_ns\":{:.0f}}}\n",
             sessions, counting, composing);
  return bytes > 0 && metrics->messages[MessageResult::accepted].value() == sessions ? 0 : 1;
}

}  // namespace
}  // namespace postern::session

int main() {
  return postern::session::measure();
}
