#include "queue/core.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace postern::queue {
namespace {

constexpr std::size_t chores_max =
    8;  // removal of files, late sync, free space: one each, and room
// A removal that nobody waits for is on disk within this time, so that a crash repeats few
// deliveries.
constexpr Duration late_sync_after = std::chrono::seconds(1);
constexpr Duration probe_interval = std::chrono::seconds(1);

}  // namespace

Core::Core(const io::World& the_world, Store& store, Log& log, QueueOptions the_options)
    : world(the_world),
      options(std::move(the_options)),
      pause_max(options.pause_max),
      schedule(the_world.clock, the_world.entropy.next_u64()),
      committer(the_world, store, options.commit_batch_bytes_max),
      store_(store),
      log_(log),
      chores_(the_world.executor, the_world.clock, chores_max),
      hot_(options.hot_bytes_max),
      changed_(the_world.clock) {
  committer.on_written([this](Store::Sync sync) { written(sync); });
}

Core::~Core() {
  if (sync_timer_ != 0) world.clock.cancel(sync_timer_);
  if (probe_timer_ != 0) world.clock.cancel(probe_timer_);
}

io::Task<> Core::drain() {
  closing_ = true;
  co_await committer.idle();
  if (unsynced_) {
    const Result<> synced = co_await committer.commit({}, Store::Sync::now);
    if (!synced)
      log_.line(Severity::error, "queue-sync-failed",
                {{"error", synced.error().what},
                 {"do", "check the spool's disk; some deliveries may be repeated"}});
  }
  if (probe_timer_ != 0) world.clock.cancel(std::exchange(probe_timer_, 0));
  co_await chores_.join();
}

// --- ids

MessageId Core::new_id() {
  // Microseconds in the upper 52 bits (enough until 2112), a counter below. Never less than the
  // last one, so a clock that was set back repeats nothing.
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(
      world.clock.wall_now().time_since_epoch());
  const std::uint64_t by_time =
      static_cast<std::uint64_t>(std::max<std::int64_t>(microseconds.count(), 0))
      << MessageId::sequence_bits;
  last_id_ = MessageId{std::max(last_id_.value + 1, by_time)};
  return last_id_;
}

void Core::add_last_id(Batch& batch) const {
  batch.puts.push_back({.key = std::string(last_id_key), .value = encode_id(last_id_)});
  if (!format_told_)
    batch.puts.push_back({.key = std::string(format_key), .value = encode_number(store_format)});
}

// --- messages

std::string Core::destination_of(const QueuedRecipient& recipient) const {
  const std::string& address = recipient.recipient.address;
  const std::size_t at = address.rfind('@');
  std::string domain = at == std::string::npos ? "" : to_lower(address.substr(at + 1));
  return options.destination_of ? options.destination_of(domain) : domain;
}

void Core::accept(std::shared_ptr<const StoredMessage> stored,
                  std::shared_ptr<const std::string> content) {
  schedule_recipients(stored->message);
  hot_.put(std::move(stored), std::move(content), world.clock.now());
}

void Core::schedule_recipients(const QueuedMessage& message) {
  struct Share {
    WallTime due = WallTime::max();
    bool delay_owed = false;
  };
  std::map<std::string, Share> shares;
  const bool tells = !message.envelope.reverse_path.empty();
  for (const QueuedRecipient& recipient : message.recipients) {
    if (recipient.state != RecipientState::waiting) continue;
    Share& share = shares[destination_of(recipient)];
    share.due = std::min(share.due, due_of(recipient));
    share.delay_owed = share.delay_owed || (tells && owes_delay(recipient));
  }
  for (const auto& [destination, share] : shares)
    schedule.add(message.id, destination, share.due,
                 {.reverse_path = message.envelope.reverse_path,
                  .lifetime_from = message.lifetime_from,
                  .delay_owed = share.delay_owed});
}

// --- what follows a commit

void Core::written(Store::Sync sync) {
  if (sync == Store::Sync::later) {
    unsynced_ = true;
    if (sync_timer_ == 0)
      sync_timer_ = world.clock.call_at(world.clock.now() + late_sync_after, [this] {
        sync_timer_ = 0;
        start_late_sync();
      });
    return;
  }
  unsynced_ = false;
  if (sync_timer_ != 0) world.clock.cancel(std::exchange(sync_timer_, 0));
  for (std::string& name : removals_after_sync_) removals_.push_back(std::move(name));
  removals_after_sync_.clear();
  start_removals();
}

void Core::start_late_sync() {
  chores_.spawn("queue late sync", late_sync());
}

io::Task<> Core::late_sync() {
  const Result<> synced = co_await committer.commit({}, Store::Sync::now);
  if (synced || closing_) co_return;
  log_.line(Severity::warning, "queue-sync-failed",
            {{"error", synced.error().what}, {"do", "check the spool's disk; it is tried again"}});
  note_failure(synced.error());
  written(Store::Sync::later);  // sets the timer again
}

void Core::remove_file(std::string name, When when) {
  if (when == When::after_sync) {
    removals_after_sync_.push_back(std::move(name));
    unsynced_ = true;
    if (!closing_) written(Store::Sync::later);
    return;
  }
  removals_.push_back(std::move(name));
  start_removals();
}

void Core::start_removals() {
  if (removing_ || removals_.empty()) return;
  // A full or closing group: the next start sweeps what is left.
  removing_ = chores_.spawn("queue file removal", remove_files());
}

io::Task<> Core::remove_files() {
  while (!removals_.empty()) {
    const std::string name = std::move(removals_.front());
    removals_.pop_front();
    const Result<> removed = co_await world.disk.remove(name);
    if (!removed && removed.error().cause != Cause::not_found)
      log_.line(Severity::warning, "queue-file-not-removed",
                {{"file", name},
                 {"error", removed.error().what},
                 {"do", "nothing: the next start removes it"}});
  }
  removing_ = false;
}

// --- disk space

Result<> Core::ready_for_mail() {
  if (closing_) return our_failure(Cause::cancelled, "the queue is closing");
  if (world.clock.now() - probed_at_ >= probe_interval) start_probe();
  if (!disk_full_) return {};
  return our_failure(Cause::no_space,
                     fmt::format("the spool's disk is full: {} bytes free, {} are kept in reserve",
                                 free_bytes_, options.free_bytes_min));
}

void Core::start_probe() {
  if (probing_ || closing_) return;
  probed_at_ = world.clock.now();
  probing_ = chores_.spawn("queue free space", probe());
}

io::Task<> Core::probe() {
  const Result<std::uint64_t> free = co_await world.disk.free_bytes();
  probing_ = false;
  probed_at_ = world.clock.now();
  if (!free) {
    // Not known is not full: the commit itself will tell.
    if (disk_full_) probe_later();
    co_return;
  }
  free_bytes_ = *free;
  const bool was_full = std::exchange(disk_full_, free_bytes_ < options.free_bytes_min);
  if (disk_full_) probe_later();
  if (disk_full_ && !was_full)
    log_.line(Severity::error, "queue-disk-full",
              {{"free_bytes", free_bytes_},
               {"free_bytes_min", options.free_bytes_min},
               {"do",
                "free space on the spool's disk; new mail gets a temporary refusal until "
                "then, queued mail goes on"}});
  if (!disk_full_ && was_full)
    log_.line(Severity::info, "queue-disk-space-back", {{"free_bytes", free_bytes_}});
}

void Core::probe_later() {
  if (closing_ || probe_timer_ != 0) return;
  probe_timer_ = world.clock.call_at(world.clock.now() + probe_interval, [this] {
    probe_timer_ = 0;
    start_probe();
  });
}

void Core::note_failure(const Error& error) {
  if (error.cause != Cause::no_space) return;
  if (!disk_full_)
    log_.line(Severity::error, "queue-disk-full",
              {{"error", error.what},
               {"do", "free space on the spool's disk; it is tried again every second"}});
  disk_full_ = true;
  probe_later();
}

}  // namespace postern::queue
