#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"
#include "queue/core.h"

namespace postern::queue {
io::Task<Result<>> Core::recover() {
  CO_TRY_VOID(co_await check_format());
  CO_TRY_VOID(co_await world.disk.make_directory("content"));
  CO_TRY_VOID(co_await world.disk.sync_directory("."));
  CO_TRY_VOID(co_await read_last_id());
  CO_TRY_VOID(co_await read_messages());
  std::unordered_set<std::uint64_t> dead;
  CO_TRY_VOID(co_await count_dead(dead));
  CO_TRY_VOID(co_await sweep_files(dead));
  probed_at_ = world.clock.now();
  co_await probe();
  log_.line(Severity::info, "queue-recovered",
            {{"messages", static_cast<std::uint64_t>(schedule.messages())},
             {"held", static_cast<std::uint64_t>(held_.size())},
             {"dead_letters", dead_letters_},
             {"damaged", damaged_}});
  co_return Result<>();
}

io::Task<Result<>> Core::check_format() {
  const Result<std::string> kept = co_await get(std::string(format_key));
  if (!kept && kept.error().cause != Cause::not_found) co_return fail(kept.error());
  const std::uint64_t format = kept ? decode_number(*kept).value_or(0) : 0;
  if (format > store_format)
    co_return operator_failure(
        Cause::other,
        fmt::format("the queue was written by a newer Postern: its format is {}, this one reads up "
                    "to {}. Nothing was changed. Install the newer one again, or let it deliver "
                    "what is queued and begin here with an empty spool",
                    format, store_format));
  if (format == store_format) co_return Result<>();
  // Before the first record that an earlier Postern would take for damage. A full disk must not
  // stop the start: then the next message tells.
  Batch batch;
  batch.puts.push_back({.key = std::string(format_key), .value = encode_number(store_format)});
  format_told_ = (co_await committer.commit(std::move(batch), Store::Sync::now)).has_value();
  co_return Result<>();
}

io::Task<Result<>> Core::read_last_id() {
  Result<std::string> last = co_await get(std::string(last_id_key));
  if (last) {
    const auto id = id_of_key(std::string(message_prefix) + *last);
    if (id) last_id_ = std::max(last_id_, *id);
  } else if (last.error().cause != Cause::not_found && last.error().cause != Cause::damaged) {
    co_return fail(std::move(last.error()));
  }
  co_return Result<>();
}

io::Task<Result<>> Core::scan_step(std::shared_ptr<Scanned> scanned) {
  Store* store = &store_;
  co_await world.store_worker.run([store, scanned] {
    Scanned& out = *scanned;
    out.entries.clear();
    out.damaged.clear();
    out.bytes = 0;
    out.more = false;
    out.result = store->scan(
        out.prefix, out.from,
        [&out](std::string_view key, std::string_view value) {
          out.entries.emplace_back(key, value);
          out.bytes += key.size() + value.size();
          out.more = out.entries.size() >= out.entries_max || out.bytes >= out.bytes_max;
          return !out.more;
        },
        [&out](std::string what) { out.damaged.push_back(std::move(what)); });
  });
  // The least key behind the last one.
  if (scanned->more) scanned->from = scanned->entries.back().first + '\0';
  co_return scanned->result;
}

io::Task<Result<>> Core::read_messages() {
  auto scanned = std::make_shared<Scanned>();
  scanned->prefix = damaged_prefix;
  do {
    CO_TRY_VOID(co_await scan_step(scanned));
    keep_all_files_ = keep_all_files_ || !scanned->damaged.empty();
    for (const auto& [key, value] : scanned->entries)
      if (const auto id = id_of_key(key)) {
        set_aside_.insert(id->value);
        last_id_ = std::max(last_id_, *id);
      }
  } while (scanned->more);

  scanned = std::make_shared<Scanned>();
  scanned->prefix = message_prefix;
  do {
    CO_TRY_VOID(co_await scan_step(scanned));
    for (const std::string& what : scanned->damaged) {
      keep_all_files_ = true;
      ++damaged_;
      log_damage("(unknown: a block of the store does not read)", what,
                 "in the store; it is passed over");
    }
    co_await admit(*scanned);
  } while (scanned->more);
  co_return Result<>();
}

io::Task<> Core::admit(Scanned& scanned) {
  for (const auto& [key, value] : scanned.entries) {
    const std::optional<MessageId> id = id_of_key(key);
    if (!id) {
      log_.line(Severity::error, "queue-key-unknown",
                {{"bytes", static_cast<std::uint64_t>(key.size())},
                 {"do", "left where it is; was the spool written by a newer Postern?"}});
      continue;
    }
    last_id_ = std::max(last_id_, *id);
    const Result<StoredMessage> stored = decode_record(value);
    if (!stored)
      co_await set_aside(*id, stored.error().what);
    else if (stored->message.id != *id)
      co_await set_aside(*id, "the record is that of message " + stored->message.id.text());
    else if (stored->message.held)
      held_.emplace(id->value, false);
    else
      schedule_recipients(stored->message);
  }
}

io::Task<Result<>> Core::sweep_files(const std::unordered_set<std::uint64_t>& dead) {
  CO_TRY(const std::vector<std::string> names, co_await world.disk.list("content"));
  std::vector<std::string> orphans;
  for (const std::string& name : names) {
    const std::optional<MessageId> id = MessageId::parse(name);
    if (!id) continue;  // not ours
    last_id_ = std::max(last_id_, *id);
    if (keep_all_files_ || contains(*id) || set_aside_.contains(id->value) ||
        dead.contains(id->value))
      continue;
    orphans.push_back(content_file(*id));
  }
  if (orphans.empty()) co_return Result<>();
  // A removal that was read need not be on disk yet, as after a kill: were power to fail now, the
  // record would come back and miss its file.
  CO_TRY_VOID(co_await committer.commit({}, Store::Sync::now));
  log_.line(Severity::info, "queue-orphans-swept",
            {{"files", static_cast<std::uint64_t>(orphans.size())}});
  for (std::string& name : orphans) remove_file(std::move(name), When::now);
  co_return Result<>();
}

void Core::log_damage(const std::string& name, const std::string& why, const std::string& kept) {
  log_.line(Severity::error, "queue-record-damaged",
            {{"id", name},
             {"why", why},
             {"kept", kept},
             {"do",
              "check the spool's disk and memory; the rest of the queue goes on. When the server "
              "is stopped, `postern queue fsck` tells more and mends"}});
}

io::Task<> Core::set_aside(MessageId id, std::string why) {
  if (!set_aside_.insert(id.value).second) co_return;  // another task is at it
  ++damaged_;
  hot_.erase(id);
  Result<std::string> bytes = co_await get(message_key(id));
  if (bytes) {
    Batch batch;
    batch.puts.push_back(
        {.key = std::string(damaged_prefix) + message_key(id), .value = *std::move(bytes)});
    batch.deletes.push_back(message_key(id));
    const Result<> moved = co_await committer.commit(std::move(batch), Store::Sync::now);
    log_damage(id.text(), why,
               moved ? "set aside under damaged/, its content too"
                     : "where it was: it could not be set aside: " + moved.error().what);
  } else {
    log_damage(id.text(), why, "where it was: its bytes cannot be read: " + bytes.error().what);
  }
  // What is leased for another destination goes on with what it has read.
  if (schedule.take_all(id)) schedule.release_all(id, std::nullopt);
}

}  // namespace postern::queue
