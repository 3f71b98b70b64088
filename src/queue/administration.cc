#include "queue/administration.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "mail/address_pattern.h"
#include "queue/core.h"

namespace postern::queue {
namespace {

// How much of the store one step of a walk reads.
constexpr std::size_t walk_entries_max = 1000;
constexpr std::size_t walk_bytes_max = 4 << 20;

std::unexpected<Error> no_such_message(Box box, MessageId id) {
  return operator_failure(
      Cause::not_found,
      "no message " + id.text() + (box == Box::dead ? " among the dead letters" : " in the queue"));
}

std::unexpected<Error> in_delivery(MessageId id) {
  return operator_failure(
      Cause::in_use,
      "message " + id.text() + " is being delivered: try again when the attempt has ended");
}

RecipientState wanted_state(Box box) {
  return box == Box::dead ? RecipientState::dead : RecipientState::waiting;
}

}  // namespace

bool matches_address(std::string_view pattern, std::string_view address) {
  return mail::matches_pattern(pattern, address);
}

bool matches(const QueuedMessage& message, Box box, const Selection& selection, WallTime now) {
  const Duration age = now - message.provenance.arrived;
  if (selection.older_than && age < *selection.older_than) return false;
  if (selection.younger_than && age > *selection.younger_than) return false;
  if (!selection.sender.empty() &&
      !matches_address(selection.sender, message.envelope.reverse_path))
    return false;
  return selection.recipient.empty() ||
         std::ranges::any_of(message.recipients, [&](const QueuedRecipient& recipient) {
           return recipient.state == wanted_state(box) &&
                  matches_address(selection.recipient, recipient.recipient.address);
         });
}

io::Task<Result<Listed>> Administration::list(Walk walk) {
  return core_->list(std::move(walk));
}
io::Task<Result<std::shared_ptr<const QueuedMessage>>> Administration::show(Box box, MessageId id) {
  return core_->show(box, id);
}
io::Task<Result<Acted>> Administration::act(Command command, Walk walk) {
  return walk.box == Box::dead ? core_->act_on_dead(command, std::move(walk))
                               : core_->act(command, std::move(walk));
}
io::Task<Result<Lease>> Administration::lease_all(MessageId id) {
  return core_->lease_all(id);
}
io::Task<Result<ContentPart>> Administration::content(Box box, MessageId id, std::uint64_t offset) {
  return core_->content_part(box, id, offset);
}

// --- walking

std::string Core::key_in(Box box, MessageId id) {
  return box == Box::dead ? dead_key(id) : message_key(id);
}

bool Core::is_chosen(const QueuedMessage& message, const Walk& walk) const {
  if (walk.box == Box::queue && !contains(message.id)) return false;  // just removed
  if (walk.selection.held && !message.held) return false;
  if (!matches(message, walk.box, walk.selection, world.clock.wall_now())) return false;
  const std::string& destination = walk.selection.destination;
  return destination.empty() ||
         std::ranges::any_of(message.recipients, [&](const QueuedRecipient& recipient) {
           return recipient.state == wanted_state(walk.box) &&
                  equal_ignoring_case(destination_of(recipient), destination);
         });
}

io::Task<Result<Core::Walked>> Core::walk(Walk walk) {
  Walked out;
  out.step.until = walk.until == MessageId() ? last_id_ : walk.until;
  out.step.last = walk.after;
  walk.count = std::clamp<std::size_t>(walk.count, 1, walk_count_max);
  if (!walk.ids.empty()) CO_TRY_VOID(co_await walk_ids(walk, out));
  if (walk.ids.empty()) CO_TRY_VOID(co_await walk_box(walk, out));
  co_return out;
}

io::Task<Result<>> Core::walk_ids(const Walk& walk, Walked& out) {
  std::size_t bytes = 0;
  for (const MessageId id : walk.ids) {
    if (id <= out.step.last) continue;
    out.step.more = out.messages.size() >= walk.count || bytes >= walk_bytes_max;
    if (out.step.more) break;
    out.step.last = id;
    const Result<std::string> record = co_await get(key_in(walk.box, id));
    if (!record && record.error().cause != Cause::not_found) co_return fail(record.error());
    auto stored = record ? decode_record(*record) : fail(record.error());
    if (!stored || (walk.box == Box::queue && !contains(id))) {
      out.step.missing.push_back(id);
      continue;
    }
    bytes += record->size();
    if (is_chosen(stored->message, walk))
      out.messages.push_back(std::make_shared<const StoredMessage>(*std::move(stored)));
  }
  co_return Result<>();
}

io::Task<Result<>> Core::walk_box(const Walk& walk, Walked& out) {
  auto scanned = std::make_shared<Scanned>();
  scanned->prefix = walk.box == Box::dead ? dead_prefix : message_prefix;
  scanned->from = key_in(walk.box, walk.after) + '\0';
  scanned->entries_max = std::min(walk_entries_max, std::max<std::size_t>(walk.count * 2, 100));
  scanned->bytes_max = walk_bytes_max;
  CO_TRY_VOID(co_await scan_step(scanned));
  out.step.more = scanned->more;
  for (const auto& [key, record] : scanned->entries) {
    const std::optional<MessageId> id = id_of_key(key);
    if (!id) continue;
    if (*id > out.step.until) {
      out.step.more = false;
      break;
    }
    if (out.messages.size() == walk.count) {
      out.step.more = true;
      break;
    }
    out.step.last = *id;
    auto stored = decode_record(record);
    if (stored && stored->message.id == *id && is_chosen(stored->message, walk))
      out.messages.push_back(std::make_shared<const StoredMessage>(*std::move(stored)));
  }
  co_return Result<>();
}

// --- looking

Summary Core::summary_of(const QueuedMessage& message, Box box) const {
  Summary out{.id = message.id,
              .reverse_path = message.envelope.reverse_path,
              .content_bytes = message.content_bytes,
              .arrived = message.provenance.arrived,
              .next_attempt = schedule.next_due(message.id),
              .last_attempt = {},
              .recipients_waiting = 0,
              .leased = schedule.leased(message.id),
              .held = message.held};
  for (const QueuedRecipient& recipient : message.recipients) {
    out.last_attempt = std::max(out.last_attempt, recipient.last_attempt);
    if (recipient.state == wanted_state(box)) ++out.recipients_waiting;
  }
  return out;
}

io::Task<Result<Listed>> Core::list(Walk walk) {
  const Box box = walk.box;
  CO_TRY(Walked walked, co_await this->walk(std::move(walk)));
  Listed out;
  out.step = std::move(walked.step);
  for (const auto& stored : walked.messages)
    out.messages.push_back(summary_of(stored->message, box));
  co_return out;
}

io::Task<Result<std::shared_ptr<const StoredMessage>>> Core::find(Box box, MessageId id) {
  if (box == Box::queue && !contains(id)) co_return no_such_message(box, id);
  auto loaded = box == Box::queue ? co_await load(id) : co_await load_dead(id);
  if (!loaded && loaded.error().cause == Cause::not_found) co_return no_such_message(box, id);
  co_return loaded;
}

io::Task<Result<std::shared_ptr<const QueuedMessage>>> Core::show(Box box, MessageId id) {
  CO_TRY(const std::shared_ptr<const StoredMessage> stored, co_await find(box, id));
  co_return std::shared_ptr<const QueuedMessage>(stored, &stored->message);
}

io::Task<Result<ContentPart>> Core::content_part(Box box, MessageId id, std::uint64_t offset) {
  CO_TRY(const std::shared_ptr<const StoredMessage> stored, co_await find(box, id));
  ContentPart out{.bytes = {},
                  .content_bytes = stored->message.content_bytes,
                  .content_crc = stored->content_crc};
  if (stored->place == ContentPlace::file) {
    CO_TRY(const std::unique_ptr<io::File> file, co_await world.disk.open(content_file(id)));
    out.bytes.resize(content_part_bytes_max);
    CO_TRY(const std::size_t got, co_await file->read_at(offset, out.bytes));
    out.bytes.resize(got);
    co_return out;
  }
  CO_TRY(const std::string whole, co_await get(content_key(id)));
  if (offset < whole.size()) out.bytes = whole.substr(offset, content_part_bytes_max);
  co_return out;
}

// --- changing

Core::Grip Core::grip(MessageId id) {
  if (const auto held = held_.find(id.value); held != held_.end())
    return std::exchange(held->second, true) ? Grip::in_delivery : Grip::taken;
  if (!schedule.contains(id)) return Grip::missing;
  // What was delivered and not yet written down is neither to be reported as removed nor held.
  if (is_unrecorded(id)) return Grip::in_delivery;
  return schedule.take_all(id) ? Grip::taken : Grip::in_delivery;
}

void Core::let_go(MessageId id, const StoredMessage* stored) {
  hot_.erase(id);
  if (held_.erase(id.value) == 0) schedule.release_all(id, std::nullopt);
  if (stored == nullptr) return;
  if (stored->message.held)
    held_.emplace(id.value, false);
  else
    schedule_recipients(stored->message);
}

Result<> Core::retry(MessageId id) {
  if (held_.contains(id.value))
    return operator_failure(Cause::refused, "message " + id.text() + " is held: release it");
  if (!schedule.force(id)) return no_such_message(Box::queue, id);
  return {};
}

io::Task<Result<>> Core::remove(MessageId id) {
  if (!contains(id)) co_return no_such_message(Box::queue, id);
  Walk walk;
  walk.ids = {id};
  CO_TRY(const Acted acted, co_await act(Command::remove, std::move(walk)));
  if (acted.changed == 1) co_return Result<>();
  if (acted.unchanged.empty()) co_return no_such_message(Box::queue, id);
  co_return in_delivery(id);
}

io::Task<Result<Lease>> Core::lease_all(MessageId id) {
  const Grip got = grip(id);
  if (got == Grip::missing) co_return no_such_message(Box::queue, id);
  if (got == Grip::in_delivery) co_return in_delivery(id);
  auto loaded = co_await load(id);
  if (!loaded) {
    // As it was: who is scheduled is looked at by the next lease, which sets damage aside.
    if (const auto held = held_.find(id.value); held != held_.end())
      held->second = false;
    else
      schedule.release_all(id, world.clock.wall_now());
    co_return fail(std::move(loaded.error()));
  }
  Active& active = active_[id.value];
  active.current = *std::move(loaded);
  active.leases = 1;
  Lease lease;
  lease.core_ = weak_from_this();
  lease.whole_ = true;
  lease.message_ = std::shared_ptr<const QueuedMessage>(active.current, &active.current->message);
  const std::vector<QueuedRecipient>& recipients = active.current->message.recipients;
  for (std::uint32_t i = 0; i < recipients.size(); ++i)
    if (recipients[i].state == RecipientState::waiting) lease.recipients_.push_back(i);
  co_return lease;
}

void Core::end_whole(MessageId id) {
  const std::shared_ptr<const StoredMessage> current = active_[id.value].current;
  let_go(id, current.get());
  end_lease(id);
}

// What a command makes of one message: nullopt when it stays.
std::optional<Left> Core::left_by(Command command, const StoredMessage& stored) {
  const bool held = held_.contains(stored.message.id.value);
  if (held && (command == Command::retry || command == Command::hold)) return Left::held;
  if (!held && command == Command::release) return Left::not_held;
  if (command == Command::retry) {
    schedule.force(stored.message.id);
    return std::nullopt;
  }
  return grip(stored.message.id) == Grip::taken ? std::nullopt : std::optional(Left::in_delivery);
}

io::Task<Result<Acted>> Core::act(Command command, Walk walk) {
  CO_TRY(Walked walked, co_await this->walk(std::move(walk)));
  Acted out;
  out.step = std::move(walked.step);
  out.chosen = walked.messages.size();
  std::vector<MessageId> taken;
  for (const auto& stored : walked.messages) {
    if (const std::optional<Left> left = left_by(command, *stored))
      out.unchanged.push_back({.id = stored->message.id, .why = *left});
    else
      taken.push_back(stored->message.id);
  }
  out.changed = taken.size();
  if (command == Command::retry || taken.empty()) co_return out;
  // Read now that nobody else changes them: what the walk saw may be older.
  std::vector<Next> changes = co_await read_taken(taken, out);
  Batch batch;
  for (Next& next : changes) plan(command, next, batch);
  const Result<> committed = co_await committer.commit(std::move(batch), Store::Sync::now);
  if (!committed) {
    note_failure(committed.error());
    co_await settle(std::move(changes));
    co_return fail(committed.error());
  }
  for (const Next& next : changes) {
    let_go(next.before->message.id, next.after.get());
    // Its removal is synced, so the content cannot be missed.
    if (next.after == nullptr && next.before->place == ContentPlace::file)
      remove_file(content_file(next.before->message.id), When::now);
    if (command == Command::release) schedule.force(next.before->message.id);
  }
  co_return out;
}

io::Task<std::vector<Core::Next>> Core::read_taken(std::vector<MessageId> taken, Acted& out) {
  std::vector<Next> changes;
  for (const MessageId id : taken) {
    auto loaded = co_await load(id);
    if (loaded) {
      changes.push_back({.before = *std::move(loaded), .after = nullptr});
      continue;
    }
    --out.changed;
    out.unchanged.push_back({.id = id, .why = Left::damaged});
    if (const auto held = held_.find(id.value); held != held_.end())
      held->second = false;
    else
      schedule.release_all(id, world.clock.wall_now());
  }
  co_return changes;
}

void Core::plan(Command command, Next& next, Batch& batch) {
  const MessageId id = next.before->message.id;
  if (command == Command::remove) {
    batch.deletes.push_back(message_key(id));
    batch.deletes.push_back(content_key(id));
    return;
  }
  StoredMessage after = *next.before;
  after.message.held = command == Command::hold;
  Result<std::string> record = encode_record(after);
  CHECK(record.has_value());  // it was read from one, and has grown by nothing
  batch.puts.push_back({.key = message_key(id), .value = *std::move(record)});
  next.after = std::make_shared<const StoredMessage>(std::move(after));
}

// A commit that failed may have been written all the same: memory follows what the store shows.
io::Task<> Core::settle(std::vector<Next> changes) {
  for (Next& next : changes) {
    const MessageId id = next.before->message.id;
    const Result<std::string> record = co_await get(message_key(id));
    if (!record && record.error().cause == Cause::not_found) {
      let_go(id, nullptr);
      if (next.before->place == ContentPlace::file) remove_file(content_file(id), When::after_sync);
      continue;
    }
    const auto stored = record ? decode_record(*record) : fail(record.error());
    let_go(id, stored ? &*stored : next.before.get());
  }
}

Queue::Counts Core::counts() const {
  const std::optional<MessageId> oldest = schedule.oldest();
  return {.messages = schedule.messages() + held_.size(),
          .leased = schedule.shares_leased(),
          .damaged = damaged_,
          .held = held_.size(),
          .dead_letters = dead_letters_,
          .oldest_age =
              oldest ? std::max(world.clock.wall_now() - oldest->given(), Duration()) : Duration(),
          .disk_full = disk_full_,
          .free_bytes = free_bytes_};
}

}  // namespace postern::queue
