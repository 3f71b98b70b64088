#include "server/queue_commands.h"

#include <algorithm>
#include <utility>

#include "dsn/rules.h"
#include "io/task_group.h"

namespace postern::server {
namespace {

// Each has its report composed and committed: few a request, some at once, so that they share
// syncs.
constexpr std::size_t bounces_per_request = 128;
constexpr std::size_t bounces_at_once = 32;

}  // namespace

struct QueueCommands::Bounce {
  std::string reason;
  queue::Acted acted;
};

io::Task<> QueueCommands::bounce_one(Bounce& bounce, queue::MessageId id) {
  auto lease = co_await administration_.lease_all(id);
  if (lease) {
    co_await dispatcher_.remove_with_report(*std::move(lease), bounce.reason);
    // A failed commit is told in the log; the message waits as before.
    if (co_await administration_.show(queue::Box::queue, id))
      bounce.acted.unchanged.push_back({.id = id, .why = queue::Left::in_delivery});
    else
      ++bounce.acted.changed;
    co_return;
  }
  if (lease.error().cause == Cause::in_use)
    bounce.acted.unchanged.push_back({.id = id, .why = queue::Left::in_delivery});
  else if (lease.error().cause == Cause::not_found)
    bounce.acted.step.missing.push_back(id);
  else
    bounce.acted.unchanged.push_back({.id = id, .why = queue::Left::damaged});
}

io::Task<Result<queue::Acted>> QueueCommands::bounce(queue::Walk walk, std::string reason) {
  if (walk.box == queue::Box::dead)
    co_return operator_failure(Cause::refused,
                               "the senders of dead letters cannot be told; remove them without");
  walk.count = std::min(walk.count, bounces_per_request);
  CO_TRY(queue::Listed listed, co_await administration_.list(std::move(walk)));
  Bounce bounce{.reason = std::move(reason), .acted = {}};
  bounce.acted.chosen = listed.messages.size();
  bounce.acted.step = std::move(listed.step);
  std::vector<queue::MessageId> ids;
  for (const queue::Summary& message : listed.messages) {
    if (dsn::may_report(message.reverse_path))
      ids.push_back(message.id);
    else
      bounce.acted.unchanged.push_back({.id = message.id, .why = queue::Left::no_sender});
  }
  for (std::size_t at = 0; at < ids.size();) {
    io::TaskGroup group(world_.executor, world_.clock, bounces_at_once);
    for (; at < ids.size() && !group.full(); ++at)
      if (!group.spawn("remove with report", bounce_one(bounce, ids[at]))) break;
    if (group.size() == 0) break;  // the shard ends
    co_await group.join();
  }
  co_return std::move(bounce.acted);
}

}  // namespace postern::server
