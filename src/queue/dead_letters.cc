// Dead letters: messages that failed while nobody might be told. They lie under dead/ until the
// administrator takes them up again or removes them.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "queue/core.h"

namespace postern::queue {

void Core::log_dead_letter(const StoredMessage& stored) {
  const QueuedMessage& message = stored.message;
  const auto dead =
      std::ranges::find(message.recipients, RecipientState::dead, &QueuedRecipient::state);
  CHECK(dead != message.recipients.end());
  const std::string id = message.id.text();
  log_.line(
      Severity::warning, "dead-letter-kept",
      {{"id", id},
       {"from", message.envelope.reverse_path},
       {"recipient", dead->recipient.address},
       {"recipients", static_cast<std::uint64_t>(std::ranges::count(
                          message.recipients, RecipientState::dead, &QueuedRecipient::state))},
       {"reply", dead->last_reply},
       {"do", "look at it with `postern queue dead show`; export, retry or remove it"}});
}

io::Task<Result<std::shared_ptr<const StoredMessage>>> Core::load_dead(MessageId id) {
  CO_TRY(const std::string bytes, co_await get(dead_key(id)));
  CO_TRY(StoredMessage stored, decode_record(bytes));
  co_return std::make_shared<const StoredMessage>(std::move(stored));
}

io::Task<Result<>> Core::count_dead(std::unordered_set<std::uint64_t>& ids) {
  auto scanned = std::make_shared<Scanned>();
  scanned->prefix = dead_prefix;
  do {
    CO_TRY_VOID(co_await scan_step(scanned));
    keep_all_files_ = keep_all_files_ || !scanned->damaged.empty();
    for (const auto& [key, value] : scanned->entries) {
      const auto id = id_of_key(key);
      if (!id) continue;
      ids.insert(id->value);
      last_id_ = std::max(last_id_, *id);
    }
  } while (scanned->more);
  dead_letters_ = ids.size();
  co_return Result<>();
}

io::Task<Result<Acted>> Core::act_on_dead(Command command, Walk walk) {
  if (command != Command::retry && command != Command::remove)
    co_return operator_failure(Cause::refused, "dead letters can be retried or removed");
  CO_TRY(Walked walked, co_await this->walk(std::move(walk)));
  Acted out;
  out.step = std::move(walked.step);
  out.chosen = walked.messages.size();
  std::vector<Next> changes;
  Batch batch;
  for (auto& stored : walked.messages) {
    const MessageId id = stored->message.id;
    // Another command is at it, or has done it since the walk read it.
    if (!dead_changing_.insert(id.value).second) {
      out.unchanged.push_back({.id = id, .why = Left::in_delivery});
      continue;
    }
    Next next{.before = std::move(stored), .after = nullptr};
    if (command == Command::retry) next.after = revived(*next.before);
    changes.push_back(std::move(next));
  }
  co_await drop_changed(changes, out);
  for (const Next& next : changes) plan_dead(next, batch);
  Result<> committed;
  if (!changes.empty()) committed = co_await committer.commit(std::move(batch), Store::Sync::now);
  out.changed = changes.size();
  for (const Next& next : changes)
    if (committed || co_await is_gone(dead_key(next.before->message.id))) finish_dead(next);
  for (const Next& next : changes) dead_changing_.erase(next.before->message.id.value);
  if (!committed) {
    note_failure(committed.error());
    co_return fail(committed.error());
  }
  co_return out;
}

io::Task<bool> Core::is_gone(std::string key) {
  const Result<std::string> value = co_await get(std::move(key));
  co_return !value && value.error().cause == Cause::not_found;
}

// Those that another command took away between our reading and our turn.
io::Task<> Core::drop_changed(std::vector<Next>& changes, Acted& out) {
  std::vector<Next> kept;
  for (Next& next : changes) {
    const MessageId id = next.before->message.id;
    if (!co_await is_gone(dead_key(id))) {
      kept.push_back(std::move(next));
      continue;
    }
    dead_changing_.erase(id.value);
    out.step.missing.push_back(id);
    --out.chosen;
  }
  changes = std::move(kept);
}

std::shared_ptr<const StoredMessage> Core::revived(const StoredMessage& dead) const {
  auto out = std::make_shared<StoredMessage>(dead);
  const WallTime now = world.clock.wall_now();
  out->message.lifetime_from = now;
  for (QueuedRecipient& recipient : out->message.recipients) {
    if (recipient.state != RecipientState::dead) continue;
    recipient.state = RecipientState::waiting;
    recipient.attempts = 0;
    recipient.next_attempt = now;
  }
  return out;
}

void Core::plan_dead(const Next& next, Batch& batch) {
  const MessageId id = next.before->message.id;
  batch.deletes.push_back(dead_key(id));
  if (next.after == nullptr) {
    batch.deletes.push_back(content_key(id));
    return;
  }
  Result<std::string> record = encode_record(*next.after);
  CHECK(record.has_value());  // it was read from one, and has grown by nothing
  batch.puts.push_back({.key = message_key(id), .value = *std::move(record)});
}

void Core::finish_dead(const Next& next) {
  --dead_letters_;
  if (next.after != nullptr)
    schedule_recipients(next.after->message);
  else if (next.before->place == ContentPlace::file)
    remove_file(content_file(next.before->message.id), When::after_sync);
}

}  // namespace postern::queue
