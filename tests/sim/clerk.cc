#include "clerk.h"

#include <utility>

namespace postern::sim {

io::Task<> Clerk::act(queue::Queue& queue, Dice dice) {
  queue::Administration administration(queue);
  if (dice.one_in(8)) {
    queue.flush();
    co_return;
  }
  queue::Walk all;
  all.count = queue::walk_count_max;
  const auto listed = co_await administration.list(std::move(all));
  if (!listed || listed->messages.empty()) co_return;
  const queue::MessageId id = dice.pick(listed->messages).id;
  if (dice.one_in(6)) co_return co_await remove(administration, id);
  const auto command = dice.one_in(3)   ? queue::Command::hold
                       : dice.one_in(2) ? queue::Command::release
                                        : queue::Command::retry;
  queue::Walk walk;
  walk.ids = {id};
  const auto acted = co_await administration.act(command, std::move(walk));
  if (acted) history_.commands += acted->changed;
}

io::Task<> Clerk::remove(queue::Administration& administration, queue::MessageId id) {
  const auto shown = co_await administration.show(queue::Box::queue, id);
  if (!shown) co_return;
  // Before the command: it may be done though its answer never comes.
  for (const queue::QueuedRecipient& recipient : (*shown)->recipients) {
    const auto token = history_.tokens.find(recipient.recipient.address);
    if (token != history_.tokens.end()) history_.mails.at(token->second).removed = true;
  }
  queue::Walk walk;
  walk.ids = {id};
  const auto acted = co_await administration.act(queue::Command::remove, std::move(walk));
  if (acted) history_.commands += acted->changed;
}

io::Task<> Clerk::release_all(queue::Queue& queue) {
  queue::Administration administration(queue);
  queue::Walk walk;
  walk.selection.held = true;
  walk.count = queue::walk_count_max;
  const auto acted = co_await administration.act(queue::Command::release, std::move(walk));
  all_released_ = acted && queue.counts().held == 0;
}

}  // namespace postern::sim
