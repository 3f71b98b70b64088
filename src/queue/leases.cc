#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"
#include "queue/core.h"

namespace postern::queue {
namespace {

// After a failure of our own (the store did not read or write) the work rests this long.
constexpr Duration pause_after_failure = std::chrono::minutes(1);
// Outcomes kept while they cannot be written. Beyond, an attempt is made again: what is delivered
// twice is not lost.
constexpr std::size_t unrecorded_max = 10'000;
constexpr std::uint64_t unrecorded_bytes_max = 32 << 20;

std::uint64_t report_bytes(const std::optional<NewMessage>& report) {
  return report ? report->content.size() : 0;
}

void apply(StoredMessage& stored, const std::vector<RecipientOutcome>& outcomes, WallTime now) {
  for (const RecipientOutcome& outcome : outcomes) {
    QueuedRecipient& recipient = stored.message.recipients[outcome.recipient];
    recipient.state = outcome.state;
    recipient.delay_told = recipient.delay_told || outcome.delay_told;
    if (outcome.state == RecipientState::waiting) recipient.next_attempt = outcome.next_attempt;
    if (outcome.attempted || outcome.state != RecipientState::waiting) recipient.last_attempt = now;
    if (outcome.attempted) ++recipient.attempts;
    if (outcome.attempted || !outcome.reply.empty()) recipient.last_reply = outcome.reply;
    if (outcome.attempted || !outcome.remote.empty()) recipient.last_remote = outcome.remote;
  }
}

bool anybody_is(RecipientState state, const QueuedMessage& message) {
  return std::ranges::find(message.recipients, state, &QueuedRecipient::state) !=
         message.recipients.end();
}

}  // namespace

Lease::Lease(Lease&& other) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  core_ = std::move(other.core_);
  message_ = std::move(other.message_);
  recipients_ = std::move(other.recipients_);
  destination_ = std::move(other.destination_);
  forced_ = other.forced_;
  whole_ = other.whole_;
  return *this;
}

Lease::~Lease() {
  give_back();
}

void Lease::give_back() {
  const std::shared_ptr<Core> core = std::exchange(core_, {}).lock();
  if (core == nullptr || message_ == nullptr) return;
  if (whole_) return core->end_whole(message_->id);
  core->give_back(message_->id, destination_, forced_);
}

// --- reading

io::Task<Result<std::string>> Core::get(std::string key) {
  struct Work {
    std::string key;
    Result<std::string> value;
  };
  auto work = std::make_shared<Work>(Work{.key = std::move(key), .value = std::string()});
  Store* store = &store_;
  co_await world.store_worker.run([store, work] { work->value = store->get(work->key); });
  co_return std::move(work->value);
}

io::Task<Result<std::shared_ptr<const StoredMessage>>> Core::load(MessageId id) {
  if (const auto active = active_.find(id.value);
      active != active_.end() && active->second.current != nullptr)
    co_return active->second.current;
  if (const HotMessages::Item* hot = hot_.find(id); hot != nullptr) co_return hot->stored;
  CO_TRY(const std::string bytes, co_await get(message_key(id)));
  CO_TRY(StoredMessage stored, decode_record(bytes));
  if (stored.message.id != id)
    co_return fail(Persistence::permanent, Blame::us, Cause::damaged,
                   "the record is that of message " + stored.message.id.text());
  co_return std::make_shared<const StoredMessage>(std::move(stored));
}

// --- leases

io::Task<std::optional<Lease>> Core::lease(std::string destination) {
  while (const std::optional<Schedule::Taken> taken = schedule.take(destination)) {
    const MessageId id = taken->id;
    ++active_[id.value].leases;
    auto loaded = co_await load(id);
    Active& active = active_[id.value];
    if (loaded || active.current != nullptr) {
      // Another lease of the message may have changed it while we read.
      if (active.current == nullptr) active.current = *std::move(loaded);
      if (std::optional<Unrecorded> kept = take_kept(id, destination)) {
        // Written, or kept again and due a little later.
        if (co_await complete(make_lease(id, destination, true), std::move(kept->outcomes),
                              std::move(kept->report)))
          log_.line(Severity::info, "outcome-recorded",
                    {{"id", id.text()}, {"destination", destination}});
        continue;
      }
      Lease lease = make_lease(id, destination, taken->forced);
      if (!lease.recipients_.empty()) co_return lease;
      lease.core_.reset();
      schedule.release(id, destination, next_due(*lease.message_, destination));
      end_lease(id);
      continue;
    }
    const Error error = loaded.error();
    end_lease(id);
    if (error.cause == Cause::damaged) take_kept(id, destination);
    if (error.cause == Cause::damaged || error.cause == Cause::not_found) {
      schedule.release(id, destination, WallTime::max());
      co_await set_aside(id, error.what);
      continue;
    }
    schedule.release(id, destination, world.clock.wall_now() + pause_after_failure);
    log_.line(Severity::error, "queue-read-failed",
              {{"id", id.text()},
               {"error", error.what},
               {"do", "check the spool's disk; the message is tried again in a minute"}});
  }
  co_return std::nullopt;
}

// --- outcomes that could not be written

void Core::keep(const Lease& lease, Unrecorded unrecorded) {
  const std::uint64_t bytes = report_bytes(unrecorded.report);
  if (unrecorded_.size() >= unrecorded_max || unrecorded_bytes_ + bytes > unrecorded_bytes_max)
    return;
  unrecorded_bytes_ += bytes;
  unrecorded_.insert_or_assign({lease.message_->id.value, lease.destination_},
                               std::move(unrecorded));
}

bool Core::is_unrecorded(MessageId id) const {
  const auto at = unrecorded_.lower_bound({id.value, ""});
  return at != unrecorded_.end() && at->first.first == id.value;
}

std::optional<Core::Unrecorded> Core::take_kept(MessageId id, const std::string& destination) {
  auto kept = unrecorded_.extract({id.value, destination});
  if (!kept) return std::nullopt;
  unrecorded_bytes_ -= report_bytes(kept.mapped().report);
  return std::move(kept.mapped());
}

Lease Core::make_lease(MessageId id, const std::string& destination, bool forced) {
  const std::shared_ptr<const StoredMessage>& stored = active_[id.value].current;
  Lease lease;
  lease.core_ = weak_from_this();
  lease.message_ = std::shared_ptr<const QueuedMessage>(stored, &stored->message);
  lease.destination_ = destination;
  lease.forced_ = forced;
  // The share is due, so its first recipients are, also when the wall clock was set back meanwhile.
  const WallTime due =
      std::max(world.clock.wall_now(), next_due(stored->message, destination).value_or(WallTime()));
  const std::vector<QueuedRecipient>& recipients = stored->message.recipients;
  for (std::uint32_t i = 0; i < recipients.size(); ++i) {
    const QueuedRecipient& recipient = recipients[i];
    if (recipient.state == RecipientState::waiting && (forced || due_of(recipient) <= due) &&
        destination_of(recipient) == destination)
      lease.recipients_.push_back(i);
  }
  return lease;
}

void Core::end_lease(MessageId id) {
  const auto active = active_.find(id.value);
  CHECK(active != active_.end() && active->second.leases > 0);
  if (--active->second.leases == 0) active_.erase(active);
}

void Core::give_back(MessageId id, const std::string& destination, bool forced) {
  schedule.put_back(id, destination, forced);
  end_lease(id);
}

void Core::give_back(Lease lease, WallTime due) {
  if (due <= world.clock.wall_now()) return;  // as it is dropped
  CHECK(lease.message_ != nullptr && lease.core_.lock().get() == this);
  lease.core_.reset();
  schedule.release(lease.message_->id, lease.destination_, due);
  end_lease(lease.message_->id);
}

bool Core::delay_owed(const QueuedMessage& message, const std::string& destination) const {
  if (message.envelope.reverse_path.empty()) return false;
  return std::ranges::any_of(message.recipients, [&](const QueuedRecipient& recipient) {
    return owes_delay(recipient) && destination_of(recipient) == destination;
  });
}

std::optional<WallTime> Core::next_due(const QueuedMessage& message,
                                       const std::string& destination) const {
  std::optional<WallTime> next;
  for (const QueuedRecipient& recipient : message.recipients) {
    if (recipient.state != RecipientState::waiting || destination_of(recipient) != destination)
      continue;
    next = next ? std::min(*next, due_of(recipient)) : due_of(recipient);
  }
  return next;
}

io::Task<Result<std::unique_ptr<Content>>> Core::content(MessageId id) {
  if (const HotMessages::Item* hot = hot_.find(id); hot != nullptr && hot->content != nullptr)
    co_return memory_content(hot->content);
  CO_TRY(const std::shared_ptr<const StoredMessage> stored, co_await load(id));
  if (stored->place == ContentPlace::file) {
    CO_TRY(std::unique_ptr<io::File> file, co_await world.disk.open(content_file(id)));
    co_return file_content(std::move(file), *stored);
  }
  CO_TRY(std::string bytes, co_await get(content_key(id)));
  if (bytes.size() != stored->message.content_bytes || crc32_of(bytes) != stored->content_crc)
    co_return fail(Persistence::permanent, Blame::us, Cause::damaged,
                   fmt::format("content of message {} is damaged: checksum differs", id.text()));
  co_return memory_content(std::make_shared<const std::string>(std::move(bytes)));
}

// --- outcomes

io::Task<Result<>> Core::complete(Lease lease, std::vector<RecipientOutcome> outcomes,
                                  std::optional<NewMessage> report) {
  CHECK(lease.message_ != nullptr && lease.core_.lock().get() == this);
  for (const RecipientOutcome& outcome : outcomes)
    CHECK(std::ranges::find(lease.recipients_, outcome.recipient) != lease.recipients_.end());
  const MessageId id = lease.message_->id;
  // Our part of the lease: from here on it is this function that ends it.
  lease.core_.reset();
  while (active_[id.value].changing) co_await changed_.wait(io::Deadline::never());
  active_[id.value].changing = true;

  Change change;
  Result<> result = co_await change_for(lease, outcomes, report, change);
  if (result) {
    result = co_await committer.commit(change.batch, change.sync);
    if (!result && co_await was_written(id, change.batch)) {
      result = {};
      written(Store::Sync::later);
    }
  }
  active_[id.value].changing = false;
  changed_.wake_all();
  if (result) {
    finish(lease, change);
  } else {
    // A report's file stays: its record may still come back with a crash. If not, the next start
    // sweeps it.
    note_failure(result.error());
    if (lease.whole_) {
      end_whole(id);
      co_return result;
    }
    keep(lease, {.outcomes = std::move(outcomes), .report = std::move(report)});
    schedule.release(id, lease.destination_, world.clock.wall_now() + pause_after_failure);
  }
  end_lease(id);
  co_return result;
}

// A commit that failed may have been written all the same. Removal, outcome and report are one
// batch, so what the store shows of the message tells of all; taking back the report alone would
// lose it.
io::Task<bool> Core::was_written(MessageId id, const Batch& batch) {
  const Result<std::string> record = co_await get(message_key(id));
  if (!record && record.error().cause != Cause::not_found) co_return false;
  const auto put = std::ranges::find(batch.puts, message_key(id), &Batch::Put::key);
  if (put == batch.puts.end()) co_return !record;
  co_return record && *record == put->value;
}

io::Task<Result<>> Core::change_for(const Lease& lease,
                                    const std::vector<RecipientOutcome>& outcomes,
                                    std::optional<NewMessage> report, Change& change) {
  const MessageId id = lease.message_->id;
  auto next = std::make_shared<StoredMessage>(*active_[id.value].current);
  apply(*next, outcomes, world.clock.wall_now());
  if (anybody_is(RecipientState::waiting, next->message)) {
    CO_TRY(std::string record, encode_record(*next));
    change.batch.puts.push_back({.key = message_key(id), .value = std::move(record)});
    change.next = std::move(next);
  } else if (anybody_is(RecipientState::dead, next->message)) {
    CO_TRY(std::string record, encode_record(*next));
    change.batch.puts.push_back({.key = dead_key(id), .value = std::move(record)});
    change.batch.deletes.push_back(message_key(id));
    change.dead = std::move(next);
  } else {
    change.batch.deletes.push_back(message_key(id));
    if (next->place == ContentPlace::store) change.batch.deletes.push_back(content_key(id));
  }
  if (!report) co_return Result<>();
  // RFC 5321 section 4.2.5: having accepted the message we owe its sender the report, so it must be
  // on disk when the recipient it speaks of no longer waits: one batch, synced.
  change.sync = Store::Sync::now;
  co_return co_await add_report(*std::move(report), change);
}

io::Task<Result<>> Core::add_report(NewMessage report, Change& change) {
  auto stored = std::make_shared<StoredMessage>();
  QueuedMessage& message = stored->message;
  message.id = new_id();
  for (mail::Recipient& recipient : report.envelope.recipients)
    message.recipients.push_back(new_recipient(std::move(recipient), world.clock.wall_now()));
  report.envelope.recipients.clear();
  message.envelope = std::move(report.envelope);
  message.provenance = std::move(report.provenance);
  message.lifetime_from = message.provenance.arrived;
  message.content_bytes = report.content.size();
  stored->content_crc = crc32_of(report.content);
  change.report = stored;
  if (report.content.size() > options.inline_bytes_max) {
    stored->place = ContentPlace::file;
    CO_TRY_VOID(co_await write_file(message.id, report.content));
  } else {
    change.report_content = std::make_shared<const std::string>(std::move(report.content));
    change.batch.puts.push_back({.key = content_key(message.id), .value = *change.report_content});
  }
  CO_TRY(std::string record, encode_record(*stored));
  change.batch.puts.push_back({.key = message_key(message.id), .value = std::move(record)});
  add_last_id(change.batch);
  co_return Result<>();
}

io::Task<Result<>> Core::write_file(MessageId id, const std::string& content) {
  CO_TRY(const std::unique_ptr<io::File> file, co_await world.disk.create(content_file(id)));
  CO_TRY_VOID(co_await file->append(content));
  CO_TRY_VOID(co_await file->sync());
  co_return co_await world.disk.sync_directory("content");
}

void Core::finish(const Lease& lease, Change& change) {
  const MessageId id = lease.message_->id;
  const std::shared_ptr<const StoredMessage> before = active_[id.value].current;
  // Delivered, or not to be delivered soon: either way no longer hot.
  hot_.erase(id);
  if (change.next != nullptr) active_[id.value].current = change.next;
  if (lease.whole_) {
    let_go(id, change.next.get());
  } else if (change.next != nullptr) {
    schedule.set_delay_owed(id, lease.destination_,
                            delay_owed(change.next->message, lease.destination_));
    schedule.release(id, lease.destination_, next_due(change.next->message, lease.destination_));
  } else {
    schedule.release(id, lease.destination_, std::nullopt);
  }
  if (change.dead != nullptr) {
    ++dead_letters_;
    log_dead_letter(*change.dead);
  } else if (change.next == nullptr && before->place == ContentPlace::file) {
    // Its record may come back with a crash until the removal is synced; then it must find its
    // content.
    remove_file(content_file(id), When::after_sync);
  }
  if (change.report != nullptr) accept(change.report, change.report_content);
}

}  // namespace postern::queue
