#include "queue/fsck_repair.h"

#include <array>
#include <fmt/format.h>
#include <string_view>

#include "base/text.h"

namespace postern::queue {
namespace {

std::string_view word_for(RecipientState state) {
  constexpr std::array<std::string_view, 4> words = {"waiting", "delivered", "failed", "dead"};
  return words[static_cast<std::size_t>(state)];
}

/// For whoever finds the files of a message that does not read.
std::string text_about(MessageId id, const QueuedMessage& message, const std::string& why,
                       const std::string& content) {
  std::string out = fmt::format(
      "Message {} was taken out of the queue, since its record does not read: {}.\n"
      "Nobody was told of it. What reads of the record follows; any of it may be wrong.\n\n"
      "content    {}\narrived    {}\nsender     <{}>\nclient     {} {}, HELO {}\n",
      id.text(), why, content, format_iso8601(message.provenance.arrived),
      printable(message.envelope.reverse_path), message.provenance.client.text(),
      printable(message.provenance.client_name), printable(message.provenance.helo));
  for (const QueuedRecipient& recipient : message.recipients)
    out +=
        fmt::format("recipient  <{}> {}, {} attempts {}\n", printable(recipient.recipient.address),
                    word_for(recipient.state), recipient.attempts, printable(recipient.last_reply));
  return out;
}

}  // namespace

io::Task<Result<>> Repair::put(std::string key, std::string value) {
  Batch batch;
  batch.puts.push_back({.key = std::move(key), .value = std::move(value)});
  co_return store_.commit(batch, Store::Sync::now);
}

io::Task<Result<std::string>> Repair::salvage_content(MessageId id, Batch& batch) {
  if (Result<std::string> bytes = store_.get(content_key(id))) {
    CO_TRY(std::string name, co_await files_.write(id, "eml", *bytes));
    batch.deletes.push_back(content_key(id));
    co_return name;
  }
  if (co_await world_.disk.size_bytes(content_file(id)))
    co_return co_await files_.move(id, "eml", content_file(id));
  co_return std::string("missing");
}

io::Task<Result<>> Repair::salvage_record(Entry entry, MessageId id, std::string why) {
  Batch batch;
  batch.deletes.push_back(entry.first);
  std::string content = "in the queue still: another record has the same id";
  bool shared = false;
  for (const std::string& key :
       {message_key(id), dead_key(id), std::string(damaged_prefix) + message_key(id)}) {
    if (key == entry.first) continue;
    const Result<std::string> other = store_.get(key);
    shared = shared || other || other.error().cause != Cause::not_found;
  }
  if (!shared) {
    CO_TRY(content, co_await salvage_content(id, batch));
  }
  CO_TRY_VOID(co_await files_.write(id, "record", entry.second));
  const std::string text = text_about(id, readable_fields(entry.second), why, content);
  CO_TRY_VOID(co_await files_.write(id, "txt", text));
  co_return store_.commit(batch, Store::Sync::now);
}

io::Task<Result<>> Repair::restore(Entry entry, MessageId id) {
  Batch batch;
  batch.deletes.push_back(entry.first);
  batch.puts.push_back({.key = message_key(id), .value = std::move(entry.second)});
  co_return store_.commit(batch, Store::Sync::now);
}

io::Task<Result<>> Repair::end_lifetime(StoredMessage stored) {
  const MessageId id = stored.message.id;
  if (stored.place == ContentPlace::store) {
    if (const Result<std::string> bytes = store_.get(content_key(id)))
      CO_TRY_VOID(co_await files_.write(id, "eml", *bytes));
  } else if (co_await world_.disk.size_bytes(content_file(id))) {
    CO_TRY_VOID(co_await files_.copy(id, "eml", content_file(id)));
  }
  stored.message.lifetime_from = WallTime();
  for (QueuedRecipient& recipient : stored.message.recipients) {
    if (recipient.state != RecipientState::waiting) continue;
    recipient.next_attempt = WallTime();
    recipient.last_reply = "the content was damaged on the disk of this server";
  }
  CO_TRY(std::string record, encode_record(stored));
  co_return co_await put(message_key(id), std::move(record));
}

io::Task<Result<>> Repair::move_orphan(MessageId id) {
  // A removal that was read need not be on disk yet: were power to fail now, the record would come
  // back and miss its file.
  CO_TRY_VOID(store_.commit({}, Store::Sync::now));
  CO_TRY_VOID(co_await files_.move(id, "eml", content_file(id)));
  co_return Result<>();
}

io::Task<Result<>> Repair::move_stored_orphan(MessageId id, std::string content) {
  CO_TRY_VOID(co_await files_.write(id, "eml", content));
  Batch batch;
  batch.deletes.push_back(content_key(id));
  co_return store_.commit(batch, Store::Sync::now);
}

}  // namespace postern::queue
