#include "queue/fsck.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "queue/core.h"
#include "queue/fsck_repair.h"
#include "queue/record.h"

namespace postern::queue {
namespace {

using State = Finding::State;

constexpr std::size_t step_entries_max = 1000;
constexpr std::size_t step_bytes_max = 4 << 20;

const std::string set_aside_prefix = std::string(damaged_prefix) + std::string(message_prefix);
const std::string dead_message_prefix = std::string(dead_prefix) + std::string(message_prefix);

std::string line_about(const QueuedMessage& message) {
  std::string out = fmt::format("from <{}>", message.envelope.reverse_path);
  if (!message.recipients.empty())
    out += fmt::format(" to <{}>", message.recipients.front().recipient.address);
  if (message.recipients.size() > 1)
    out += fmt::format(" and {} more", message.recipients.size() - 1);
  return out + fmt::format(", {} bytes", message.content_bytes);
}

std::optional<MessageId> id_of_stored_content(std::string_view key) {
  const auto value = decode_number(key.substr(content_prefix.size()));
  if (!value) return std::nullopt;
  return MessageId{*value};
}

class Fsck {
 public:
  Fsck(const io::World& world, Store& store, FsckMode mode,
       std::function<void(const Finding&)> tell)
      : world_(world), store_(store), mode_(mode), tell_(std::move(tell)), repair_(world, store) {}

  io::Task<Result<FsckReport>> run();

 private:
  using Entry = std::pair<std::string, std::string>;
  /// Through the keys of a prefix, so many at a time.
  struct Walk {
    std::string prefix;
    std::string from = {};
    bool more = true;
    std::vector<Entry> entries = {};
  };

  // What is told.
  void tell(const Finding& finding);
  /// Tells of it after `repair`, which is not begun when nothing is to be changed.
  io::Task<> mend(Finding finding, io::Task<Result<>> repair);
  void tell_unknown(std::string_view key);
  void tell_unreadable(const std::string& what);

  io::Task<Result<bool>> check_format();
  Result<> check_other_keys();
  Result<> step(Walk& walk);

  io::Task<> check_set_aside(const Entry& entry);
  io::Task<> check_record(const Entry& entry, Box box);
  io::Task<> check_content(const Entry& entry, StoredMessage stored, Box box);
  io::Task<Result<>> read_content(const StoredMessage& stored);
  io::Task<> tell_damaged(std::string_view kind, const Entry& entry, MessageId id, std::string why);
  io::Task<> check_stored_content(const Entry& entry);
  io::Task<Result<>> check_files();
  io::Task<> check_temporary_files();
  io::Task<> check_last_id();
  [[nodiscard]] bool is_needed(MessageId id, ContentPlace place);
  [[nodiscard]] bool is_there(const std::string& key);

  void note(MessageId id) { highest_ = std::max(highest_, id); }

  io::World world_;
  Store& store_;
  FsckMode mode_;
  std::function<void(const Finding&)> tell_;
  Repair repair_;
  FsckReport report_;
  MessageId highest_;
  std::set<std::string> unreadable_;  ///< blocks that were told of
};

// --- telling

void Fsck::tell(const Finding& finding) {
  report_.count(finding);
  tell_(finding);
}

io::Task<> Fsck::mend(Finding finding, io::Task<Result<>> repair) {
  if (mode_ == FsckMode::repair) {
    const Result<> done = co_await std::move(repair);
    finding.state = done ? State::mended : State::failed;
    if (!done) finding.error = done.error().what;
  }
  tell(finding);
}

void Fsck::tell_unknown(std::string_view key) {
  tell({.kind = "key-unknown",
        .where = std::string(key),
        .what = "no Postern up to this one writes such a key",
        .consequence = "none for the mail: the server leaves it where it is",
        .repair = "none; was the spool used by a newer Postern?",
        .state = State::manual});
}

void Fsck::tell_unreadable(const std::string& what) {
  if (!unreadable_.insert(what).second) return;
  tell({.kind = "block-unreadable",
        .where = "queue/",
        .what = "a block of the database does not read: " + what,
        .consequence = "the messages in it, usually a few, are neither delivered nor reported, and "
                       "contents that may belong to them are left alone; once RocksDB has to "
                       "rewrite the file, the queue takes no mail any more",
        .repair = "none here. Copy the spool away, check the disk, and put back a snapshot from "
                  "before the damage. Without one: start the server and let it deliver what "
                  "reads, then give it an empty spool and keep this one. 'ldb repair' drops what "
                  "it cannot read without a word and may bring back what was delivered",
        .state = State::manual});
}

// --- the store as a whole

io::Task<Result<FsckReport>> Fsck::run() {
  CO_TRY(const bool ours, co_await check_format());
  if (!ours) co_return report_;
  co_await check_temporary_files();
  CO_TRY_VOID(check_other_keys());
  // First what is set aside: what is put back is then looked through with the others.
  for (Walk walk{set_aside_prefix}; walk.more;) {
    CO_TRY_VOID(step(walk));
    for (const Entry& entry : walk.entries) co_await check_set_aside(entry);
  }
  for (Walk walk{std::string(message_prefix)}; walk.more;) {
    CO_TRY_VOID(step(walk));
    for (const Entry& entry : walk.entries) co_await check_record(entry, Box::queue);
  }
  for (Walk walk{dead_message_prefix}; walk.more;) {
    CO_TRY_VOID(step(walk));
    for (const Entry& entry : walk.entries) co_await check_record(entry, Box::dead);
  }
  for (Walk walk{std::string(content_prefix)}; walk.more;) {
    CO_TRY_VOID(step(walk));
    for (const Entry& entry : walk.entries) co_await check_stored_content(entry);
  }
  CO_TRY_VOID(co_await check_files());
  co_await check_last_id();
  co_return report_;
}

Result<> Fsck::step(Walk& walk) {
  walk.entries.clear();
  walk.more = false;
  std::size_t bytes = 0;
  TRY_VOID(store_.scan(
      walk.prefix, walk.from,
      [&](std::string_view key, std::string_view value) {
        walk.entries.emplace_back(key, value);
        bytes += key.size() + value.size();
        walk.more = walk.entries.size() >= step_entries_max || bytes >= step_bytes_max;
        return !walk.more;
      },
      [this](const std::string& what) { tell_unreadable(what); }));
  // The least key behind the last one.
  if (walk.more) walk.from = walk.entries.back().first + '\0';
  return {};
}

io::Task<Result<bool>> Fsck::check_format() {
  const Result<std::string> kept = store_.get(format_key);
  if (!kept && kept.error().cause == Cause::not_found) co_return true;
  if (!kept && kept.error().cause != Cause::damaged) co_return fail(kept.error());
  if (!kept) {
    tell_unreadable(kept.error().what);
    co_return true;
  }
  const std::optional<std::uint64_t> format = decode_number(*kept);
  if (format && *format <= store_format) co_return true;
  if (format) {
    tell({.kind = "format-newer",
          .where = std::string(format_key),
          .what = fmt::format("the queue is of format {}, this Postern reads up to {}", *format,
                              store_format),
          .consequence = "this Postern does not start with it; nothing else was looked at",
          .repair = "install the newer Postern that wrote it",
          .state = State::manual});
    co_return false;
  }
  Finding finding{.kind = "format-unreadable",
                  .where = std::string(format_key),
                  .what = fmt::format("the format of the queue has {} bytes", kept->size()),
                  .consequence = "an older Postern would not notice that it cannot read the queue",
                  .repair = fmt::format("writes format {}", store_format)};
  co_await mend(std::move(finding),
                repair_.put(std::string(format_key), encode_number(store_format)));
  co_return true;
}

// Everything between the prefixes that are looked through one by one.
Result<> Fsck::check_other_keys() {
  const std::array<std::string, 4> known = {std::string(content_prefix), set_aside_prefix,
                                            dead_message_prefix, std::string(message_prefix)};
  std::string from;
  for (bool more = true; more;) {
    more = false;
    TRY_VOID(store_.scan(
        "", from,
        [&](std::string_view key, std::string_view) {
          for (const std::string& prefix : known) {
            if (!key.starts_with(prefix)) continue;
            from = prefix;
            ++from.back();
            more = true;
            return false;
          }
          if (key != format_key && key != last_id_key) tell_unknown(key);
          return true;
        },
        [this](const std::string& what) { tell_unreadable(what); }));
  }
  return {};
}

// --- records

io::Task<> Fsck::check_set_aside(const Entry& entry) {
  const auto& [key, bytes] = entry;
  const std::optional<MessageId> id = id_of_key(key);
  if (!id) {
    tell_unknown(key);
    co_return;
  }
  note(*id);
  ++report_.set_aside;
  const Result<StoredMessage> stored = decode_record(bytes);
  if (stored && stored->message.id == *id && !is_there(message_key(*id)))
    co_return co_await mend(
        {.kind = "set-aside-reads",
         .id = id->text(),
         .where = std::string(key),
         .what = "this record was set aside as damaged and reads: " + line_about(stored->message),
         .consequence = "it is delivered to nobody, and nobody is told",
         .repair = "puts it back into the queue"},
        repair_.restore(entry, *id));
  co_await tell_damaged(
      "set-aside", entry, *id,
      stored ? "it is that of message " + stored->message.id.text() : stored.error().what);
}

io::Task<> Fsck::check_record(const Entry& entry, Box box) {
  const auto& [key, bytes] = entry;
  const std::optional<MessageId> id = id_of_key(key);
  if (!id) {
    tell_unknown(key);
    co_return;
  }
  note(*id);
  const std::string_view kind = box == Box::dead ? "dead-letter-damaged" : "record-damaged";
  Result<StoredMessage> stored = decode_record(bytes);
  if (!stored) co_return co_await tell_damaged(kind, entry, *id, stored.error().what);
  if (stored->message.id != *id)
    co_return co_await tell_damaged(kind, entry, *id,
                                    "it is that of message " + stored->message.id.text());
  ++(box == Box::dead ? report_.dead_letters : report_.messages);
  report_.content_bytes += stored->message.content_bytes;
  co_await check_content(entry, *std::move(stored), box);
}

io::Task<> Fsck::tell_damaged(std::string_view kind, const Entry& entry, MessageId id,
                              std::string why) {
  const auto& [key, bytes] = entry;
  Finding finding{.kind = kind, .id = id.text(), .where = std::string(key)};
  finding.what = "the record does not read: " + why +
                 "; what can be read of it: " + line_about(readable_fields(bytes));
  finding.consequence = "it is delivered to nobody, and nobody is told";
  if (is_of_newer_version(bytes)) {
    finding.repair = "install the newer Postern that wrote it, and run its `postern queue fsck`";
    finding.state = State::manual;
    tell(finding);
    co_return;
  }
  const bool content =
      is_there(content_key(id)) || (co_await world_.disk.size_bytes(content_file(id))).has_value();
  finding.repair = fmt::format(
      "takes it out of the queue: what reads of it is in {}/{}.txt then, its bytes in .record{}. "
      "Send it again by hand, or tell its sender",
      salvage_directory, id.text(), content ? ", its content in .eml" : "; its content is missing");
  co_await mend(std::move(finding), repair_.salvage_record(entry, id, std::move(why)));
}

// --- the content of a record

io::Task<Result<>> Fsck::read_content(const StoredMessage& stored) {
  const MessageId id = stored.message.id;
  if (stored.place == ContentPlace::store) {
    CO_TRY(const std::string bytes, store_.get(content_key(id)));
    if (bytes.size() != stored.message.content_bytes)
      co_return our_failure(
          Cause::damaged,
          fmt::format("it has {} bytes instead of {}", bytes.size(), stored.message.content_bytes));
    if (crc32_of(bytes) != stored.content_crc)
      co_return our_failure(Cause::damaged, "its checksum differs");
    co_return Result<>();
  }
  CO_TRY(std::unique_ptr<io::File> file, co_await world_.disk.open(content_file(id)));
  const std::unique_ptr<Content> content = file_content(std::move(file), stored);
  while (true) {
    CO_TRY(const std::string_view chunk, co_await content->next_chunk());
    if (chunk.empty()) co_return Result<>();
  }
}

io::Task<> Fsck::check_content(const Entry& entry, StoredMessage stored, Box box) {
  const Result<> read = co_await read_content(stored);
  if (read) co_return;
  const QueuedMessage& message = stored.message;
  const bool missing = read.error().cause == Cause::not_found;
  Finding finding{
      .kind = missing ? "content-missing" : "content-damaged",
      .id = message.id.text(),
      .where =
          stored.place == ContentPlace::file ? content_file(message.id) : content_key(message.id),
      .what = fmt::format("the content {}; message {}",
                          missing ? "is missing" : "does not read: " + read.error().what,
                          line_about(message))};
  if (read.error().cause == Cause::no_permission) {
    finding.consequence = "it cannot be delivered when the server may not read it either";
    finding.repair = "give the spool to the user Postern runs as (chown -R)";
    finding.state = State::manual;
    co_return tell(finding);
  }
  if (box == Box::dead) {
    finding.consequence =
        "the dead letter cannot be delivered any more; its record tells whose "
        "it was";
    finding.repair =
        "`postern queue dead show`, then `postern queue dead remove`, once the server "
        "runs";
    finding.state = State::manual;
    co_return tell(finding);
  }
  if (message.lifetime_from == WallTime()) {
    finding.consequence = "its lifetime was ended: the server reports it to its sender";
    finding.repair = message.held ? "start the server, then `postern queue release`: it is held"
                                  : "none is needed: start the server";
    finding.state = message.held ? State::manual : State::settled;
    co_return tell(finding);
  }
  finding.consequence =
      "the server tries in vain until its lifetime is over, and tells the sender "
      "only then";
  finding.repair = fmt::format(
      "ends its lifetime, so that the server reports it to the sender at once{}{}",
      message.envelope.reverse_path.empty() ? " (to nobody: it becomes a dead letter)" : "",
      missing ? ""
              : fmt::format("; what there is of the content is copied to {}/{}.eml",
                            salvage_directory, message.id.text()));
  co_await mend(std::move(finding), repair_.end_lifetime(std::move(stored)));
}

// --- contents without a record

bool Fsck::is_there(const std::string& key) {
  const Result<std::string> value = store_.get(key);
  return value || value.error().cause != Cause::not_found;
}

// What does not read may need it.
bool Fsck::is_needed(MessageId id, ContentPlace place) {
  for (const std::string& key : {message_key(id), dead_key(id)}) {
    const Result<std::string> value = store_.get(key);
    if (!value && value.error().cause == Cause::not_found) continue;
    if (!value) return true;
    const Result<StoredMessage> stored = decode_record(*value);
    if (!stored || stored->place == place) return true;
  }
  return is_there(std::string(damaged_prefix) + message_key(id));
}

io::Task<> Fsck::check_stored_content(const Entry& entry) {
  const std::optional<MessageId> id = id_of_stored_content(entry.first);
  if (!id) {
    tell_unknown(entry.first);
    co_return;
  }
  note(*id);
  if (!unreadable_.empty() || is_needed(*id, ContentPlace::store)) co_return;
  co_await mend(
      {.kind = "content-orphaned",
       .id = id->text(),
       .where = std::string(entry.first),
       .what = fmt::format("{} bytes of content that no record names", entry.second.size()),
       .consequence = "it takes room; a message may have lost its record",
       .repair = fmt::format("moves it to {}/{}.eml", salvage_directory, id->text())},
      repair_.move_stored_orphan(*id, entry.second));
}

io::Task<Result<>> Fsck::check_files() {
  const Result<std::vector<std::string>> names = co_await world_.disk.list("content");
  if (!names && names.error().cause == Cause::not_found) co_return Result<>();
  if (!names) co_return fail(names.error());
  for (const std::string& name : *names) {
    const std::optional<MessageId> id = MessageId::parse(name);
    if (!id || id->text() != name) {
      tell({.kind = "file-unknown",
            .where = "content/" + name,
            .what = "not a file of Postern's",
            .consequence = "none: the server leaves it where it is",
            .repair = "move it elsewhere",
            .state = State::manual});
      continue;
    }
    note(*id);
    if (!unreadable_.empty() || is_needed(*id, ContentPlace::file)) continue;
    co_await mend(
        {.kind = "file-orphaned",
         .id = id->text(),
         .where = "content/" + name,
         .what = "a content file that no record names",
         .consequence = "after a crash usual: a message that was not yet acknowledged, or "
                        "is delivered; the server removes the file at its start",
         .repair = fmt::format("moves it to {}/{}.eml", salvage_directory, name)},
        repair_.move_orphan(*id));
  }
  co_return Result<>();
}

io::Task<> Fsck::check_temporary_files() {
  const auto names = co_await world_.disk.list(std::string(salvage_directory));
  if (!names) co_return;
  for (const std::string& name : *names) {
    if (!name.ends_with(unfinished_ending)) continue;
    const std::string file = fmt::format("{}/{}", salvage_directory, name);
    co_await mend({.kind = "temporary-file",
                   .where = file,
                   .what = "a repair that ended early left it; what it copies is still there",
                   .consequence = "it takes room",
                   .repair = "removes it"},
                  world_.disk.remove(file));
  }
}

io::Task<> Fsck::check_last_id() {
  if (highest_ == MessageId()) co_return;
  const Result<std::string> kept = store_.get(last_id_key);
  const std::optional<std::uint64_t> last = kept ? decode_number(*kept) : std::nullopt;
  if (last && *last >= highest_.value) co_return;
  Finding finding{.kind = "last-id-low",
                  .id = highest_.text(),
                  .where = std::string(last_id_key),
                  .what = last ? fmt::format("the highest id given out is kept as {}, but this one "
                                             "is in use",
                                             MessageId{*last}.text())
                               : "the highest id given out is not kept, but this one is in use",
                  .consequence = "an id might be given out twice when the clock is set back",
                  .repair = "writes this one"};
  co_await mend(std::move(finding), repair_.put(std::string(last_id_key), encode_id(highest_)));
}

}  // namespace

std::string_view name_of(Finding::State state) {
  switch (state) {
    case State::found:
      return "found";
    case State::mended:
      return "mended";
    case State::failed:
      return "failed";
    case State::manual:
      return "manual";
    case State::settled:
      return "settled";
  }
  return "";
}

void FsckReport::count(const Finding& finding) {
  ++findings;
  if (finding.state == State::mended) ++mended;
  if (finding.state != State::mended && finding.state != State::settled) ++left;
}

io::Task<Result<FsckReport>> fsck(const io::World& world, Store& store, FsckMode mode,
                                  std::function<void(const Finding&)> tell) {
  Fsck check(world, store, mode, std::move(tell));
  co_return co_await check.run();
}

}  // namespace postern::queue
