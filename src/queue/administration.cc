#include <algorithm>
#include <utility>

#include "base/check.h"
#include "queue/core.h"

namespace postern::queue {
namespace {

constexpr std::size_t list_count_max = 10'000;

std::unexpected<Error> no_such_message(MessageId id) {
  return operator_failure(Cause::not_found, "no message " + id.text() + " in the queue");
}

}  // namespace

io::Task<Result<std::vector<Queue::Summary>>> Core::list(MessageId after, std::size_t count) {
  struct Work {
    Result<> result;
    std::vector<std::string> records;
  };
  auto work = std::make_shared<Work>();
  Store* store = &store_;
  const std::size_t wanted = std::min(count, list_count_max);
  if (wanted == 0) co_return std::vector<Queue::Summary>();
  co_await world.store_worker.run([store, work, wanted, from = message_key(after) + '\0'] {
    work->result = store->scan(
        message_prefix, from,
        [&work, wanted](std::string_view, std::string_view value) {
          work->records.emplace_back(value);
          return work->records.size() < wanted;
        },
        [](const std::string&) {});
  });
  CO_TRY_VOID(std::move(work->result));
  std::vector<Queue::Summary> out;
  for (const std::string& record : work->records) {
    const Result<StoredMessage> stored = decode_record(record);
    if (!stored || !schedule.contains(stored->message.id)) continue;  // damaged, or just removed
    const QueuedMessage& message = stored->message;
    const auto waiting =
        std::ranges::count(message.recipients, RecipientState::waiting, &QueuedRecipient::state);
    out.push_back({.id = message.id,
                   .reverse_path = message.envelope.reverse_path,
                   .content_bytes = message.content_bytes,
                   .arrived = message.provenance.arrived,
                   .next_attempt = std::min(schedule.next_due(message.id), WallTime::max()),
                   .recipients_waiting = static_cast<std::uint32_t>(waiting),
                   .leased = schedule.leased(message.id)});
  }
  co_return out;
}

io::Task<Result<std::shared_ptr<const QueuedMessage>>> Core::show(MessageId id) {
  if (!schedule.contains(id)) co_return no_such_message(id);
  auto loaded = co_await load(id);
  if (!loaded && loaded.error().cause == Cause::not_found) co_return no_such_message(id);
  CO_TRY(const std::shared_ptr<const StoredMessage> stored, std::move(loaded));
  co_return std::shared_ptr<const QueuedMessage>(stored, &stored->message);
}

Result<> Core::retry(MessageId id) {
  if (!schedule.force(id)) return no_such_message(id);
  return {};
}

io::Task<Result<>> Core::remove(MessageId id) {
  if (!schedule.contains(id)) co_return no_such_message(id);
  if (!schedule.take_all(id))
    co_return operator_failure(Cause::in_use, "message " + id.text() +
                                                  " is being delivered: try again when the attempt "
                                                  "has ended");
  const auto stored = co_await load(id);
  Result<> removed;
  if (stored) {
    Batch batch;
    batch.deletes = {message_key(id), content_key(id)};
    removed = co_await committer.commit(std::move(batch), Store::Sync::now);
  } else {
    removed = fail(stored.error());
  }
  if (!removed) {
    note_failure(removed.error());
    schedule.release_all(id, world.clock.wall_now());
    co_return removed;
  }
  hot_.erase(id);
  schedule.release_all(id, std::nullopt);
  // Its removal is synced, so the content cannot be missed.
  if ((*stored)->place == ContentPlace::file) remove_file(content_file(id), When::now);
  co_return removed;
}

Queue::Counts Core::counts() const {
  return {.messages = schedule.messages(), .leased = schedule.shares_leased(), .damaged = damaged_};
}

}  // namespace postern::queue
