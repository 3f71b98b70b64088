#include "clerk.h"

#include <utility>

namespace postern::sim {

io::Task<> Clerk::act(server::Server& server, Dice dice) {
  if (dice.one_in(8)) {
    server.queue().flush();
    co_return;
  }
  admin::Commands& commands = server.commands();
  queue::Walk all;
  all.box = dice.one_in(4) ? queue::Box::dead : queue::Box::queue;
  all.count = queue::walk_count_max;
  const auto listed = co_await commands.list(all);
  if (!listed || listed->messages.empty()) co_return;
  queue::Walk one;
  one.box = all.box;
  one.ids = {dice.pick(listed->messages).id};
  if (one.box == queue::Box::dead) {
    if (dice.one_in(3)) co_return co_await remove(commands, std::move(one), Removal::silent);
    co_return co_await change(commands, queue::Command::retry, std::move(one));
  }
  if (dice.one_in(6)) co_return co_await remove(commands, std::move(one), Removal::silent);
  if (dice.one_in(6)) co_return co_await remove(commands, std::move(one), Removal::with_report);
  const auto command = dice.one_in(3)   ? queue::Command::hold
                       : dice.one_in(2) ? queue::Command::release
                                        : queue::Command::retry;
  co_await change(commands, command, std::move(one));
}

io::Task<> Clerk::change(admin::Commands& commands, queue::Command command, queue::Walk one) {
  const bool takes_up = one.box == queue::Box::dead && command == queue::Command::retry;
  const std::string id = one.ids.front().text();
  // Before the command: a crash may come before its answer.
  if (takes_up) history_.taken_up_in_doubt.insert(id);
  const auto acted = co_await commands.act(command, std::move(one));
  if (!acted) co_return;
  history_.commands += acted->changed;
  if (takes_up) history_.taken_up_in_doubt.erase(id);
}

io::Task<> Clerk::remove(admin::Commands& commands, queue::Walk one, Removal removal) {
  const auto shown = co_await commands.show(one.box, one.ids.front());
  if (!shown) co_return;
  const queue::QueuedMessage& message = **shown;
  const bool has_sender = !message.envelope.reverse_path.empty();
  // Before the command: it may be done though its answer never comes.
  for (const queue::QueuedRecipient& recipient : message.recipients) {
    const auto token = history_.tokens.find(recipient.recipient.address);
    if (token == history_.tokens.end()) continue;
    Mail& mail = history_.mails.at(token->second);
    if (removal == Removal::silent)
      mail.removed = true;
    else if (has_sender)  // without one the gateway refuses to
      mail.sent_back = true;
  }
  if (removal == Removal::silent)
    co_return co_await change(commands, queue::Command::remove, std::move(one));
  const auto acted = co_await commands.bounce(std::move(one), "not today");
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
