#include "silent_clients.h"

#include <array>

#include "base/check.h"
#include "line_stream.h"

namespace postern::sim {
namespace {

constexpr std::size_t tasks_max = 10;
constexpr Duration patience = std::chrono::hours(1);

/// What was said before the silence; the replies do not matter.
constexpr std::array<std::string_view, 6> beginnings = {
    "",
    "EH",
    "EHLO silent.example\r\n",
    "EHLO silent.example\r\nMAIL FROM:<silent@sender.example>\r\nRCPT TO:<r@one.example>\r\n",
    "EHLO silent.example\r\nMAIL FROM:<silent@sender.example>\r\nRCPT TO:<r@one.example>\r\n"
    "DATA\r\n",
    "EHLO silent.example\r\nMAIL FROM:<silent@sender.example>\r\nRCPT TO:<r@one.example>\r\n"
    "DATA\r\nSubject: half\r\n\r\nno e",
};

}  // namespace

SilentClients::SilentClients(io::SimHost& host, Endpoint gateway, const IpAddress& from,
                             const Plan& plan, History& history)
    : world_(host.world()),
      gateway_(gateway),
      from_(from),
      plan_(plan),
      history_(history),
      tasks_(world_.executor, world_.clock, tasks_max) {}

void SilentClients::start() {
  Dice dice(plan_.seed * 64 + 9);
  for (std::size_t i = 0; i < plan_.silent_clients; ++i)
    CHECK(tasks_.spawn("silent client", stop_somewhere(Dice(dice.next()))));
}

io::Task<> SilentClients::stop_somewhere(Dice dice) {
  co_await world_.clock.sleep_for(dice.between(Duration{}, plan_.fault_time));
  auto stream =
      co_await world_.network.connect(gateway_, world_.clock.in(std::chrono::minutes(1)), &from_);
  if (!stream) co_return;
  LineStream lines(*std::move(stream), world_.clock, patience);
  if (!co_await lines.reply()) co_return;
  const auto sent = co_await lines.send(std::string(beginnings[dice.below(beginnings.size())]));
  const SteadyTime begin = world_.clock.now();
  while (sent && (co_await lines.line()).has_value()) {
  }
  // A partition keeps the gateway's goodbye from us.
  if (!plan_.partitions) history_.silent_sessions.push_back(world_.clock.now() - begin);
  lines.close();
}

}  // namespace postern::sim
