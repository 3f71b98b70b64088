#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "io/notify.h"
#include "io/task_group.h"
#include "io/world.h"
#include "queue/administration.h"
#include "queue/committer.h"
#include "queue/hot_messages.h"
#include "queue/queue.h"
#include "queue/record.h"
#include "queue/schedule.h"

namespace postern::queue {

/// What a Queue is made of, private to the room. Its functions are spread over core.cc (ids, disk
/// space, files to remove, late sync), recovery.cc, leases.cc, administration.cc and
/// dead_letters.cc; the intake of a message is in intake.cc. One shard.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const io::World& world, Store& store, Log& log, QueueOptions options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // recovery.cc
  io::Task<Result<>> recover();
  // core.cc
  io::Task<> drain();
  Result<> ready_for_mail();
  MessageId new_id();
  /// `batch` with the highest id used, so that no id comes back after a restart.
  void add_last_id(Batch& batch) const;
  /// A message that is on disk now: due from here on.
  void accept(std::shared_ptr<const StoredMessage> stored,
              std::shared_ptr<const std::string> content);
  /// Removes a content file: now, or after the next synced commit when its record may still need
  /// it.
  enum class When : std::uint8_t { now, after_sync };
  void remove_file(std::string name, When when);
  /// Takes note of a full disk.
  void note_failure(const Error& error);
  [[nodiscard]] std::string destination_of(const QueuedRecipient& recipient) const;
  // leases.cc
  io::Task<std::optional<Lease>> lease(std::string destination);
  io::Task<Result<std::unique_ptr<Content>>> content(MessageId id);
  io::Task<Result<>> complete(Lease lease, std::vector<RecipientOutcome> outcomes,
                              std::optional<NewMessage> report);
  void give_back(MessageId id, const std::string& destination, bool forced);
  void give_back(Lease lease, WallTime due);
  // administration.cc
  io::Task<Result<Listed>> list(Walk walk);
  io::Task<Result<std::shared_ptr<const QueuedMessage>>> show(Box box, MessageId id);
  io::Task<Result<ContentPart>> content_part(Box box, MessageId id, std::uint64_t offset);
  Result<> retry(MessageId id);
  io::Task<Result<>> remove(MessageId id);
  io::Task<Result<Acted>> act(Command command, Walk walk);
  io::Task<Result<Lease>> lease_all(MessageId id);
  void end_whole(MessageId id);
  [[nodiscard]] Queue::Counts counts() const;
  // dead_letters.cc
  io::Task<Result<Acted>> act_on_dead(Command command, Walk walk);

  // Parts, for the room's own files.
  const io::World world;
  const QueueOptions options;
  Duration pause_max;
  Schedule schedule;
  Committer committer;
  std::uint64_t intake_bytes = 0;  ///< content of unfinished intakes held in memory

 private:
  /// A message of which some share is leased. It stays here until the last lease has ended.
  struct Active {
    std::shared_ptr<const StoredMessage> current;  ///< null until it has been read
    std::size_t leases = 0;
    bool changing = false;  ///< a commit about it is under way: the next waits
  };
  /// What complete() is about to write.
  struct Change {
    Batch batch;
    Store::Sync sync = Store::Sync::later;
    std::shared_ptr<const StoredMessage> next;  ///< null: the message goes
    std::shared_ptr<const StoredMessage> dead;  ///< it becomes a dead letter
    std::shared_ptr<const StoredMessage> report;
    std::shared_ptr<const std::string> report_content;
  };

  /// What an attempt came to and could not be written down. While it is kept nobody gets the share:
  /// what was delivered must not be delivered again.
  struct Unrecorded {
    std::vector<RecipientOutcome> outcomes;
    std::optional<NewMessage> report;
  };
  using UnrecordedOf = std::map<std::pair<std::uint64_t, std::string>, Unrecorded>;

  /// What an administrator's command makes of a message: null for `after` when it goes.
  struct Next {
    std::shared_ptr<const StoredMessage> before;
    std::shared_ptr<const StoredMessage> after;
  };
  /// Whether a message was taken away from delivery and other commands, for a change; let_go()
  /// gives it back as what it is then.
  enum class Grip : std::uint8_t { missing, in_delivery, taken };
  struct Walked {
    std::vector<std::shared_ptr<const StoredMessage>> messages;
    Step step;
  };

  io::Task<Result<Walked>> walk(Walk walk);
  io::Task<Result<>> walk_ids(const Walk& walk, Walked& out);
  io::Task<Result<>> walk_box(const Walk& walk, Walked& out);
  static std::string key_in(Box box, MessageId id);
  [[nodiscard]] bool is_chosen(const QueuedMessage& message, const Walk& walk) const;
  [[nodiscard]] Summary summary_of(const QueuedMessage& message, Box box) const;
  io::Task<Result<std::shared_ptr<const StoredMessage>>> find(Box box, MessageId id);
  [[nodiscard]] bool contains(MessageId id) const {
    return schedule.contains(id) || held_.contains(id.value);
  }
  Grip grip(MessageId id);
  void let_go(MessageId id, const StoredMessage* stored);
  std::optional<Left> left_by(Command command, const StoredMessage& stored);
  io::Task<std::vector<Next>> read_taken(std::vector<MessageId> taken, Acted& out);
  static void plan(Command command, Next& next, Batch& batch);
  io::Task<> settle(std::vector<Next> changes);

  void log_dead_letter(const StoredMessage& stored);
  io::Task<Result<std::shared_ptr<const StoredMessage>>> load_dead(MessageId id);
  io::Task<Result<>> count_dead(std::unordered_set<std::uint64_t>& ids);
  io::Task<> drop_changed(std::vector<Next>& changes, Acted& out);
  io::Task<bool> is_gone(std::string key);
  [[nodiscard]] std::shared_ptr<const StoredMessage> revived(const StoredMessage& dead) const;
  static void plan_dead(const Next& next, Batch& batch);
  void finish_dead(const Next& next);

  io::Task<Result<std::string>> get(std::string key);
  io::Task<bool> was_written(MessageId id, const Batch& batch);
  io::Task<Result<std::shared_ptr<const StoredMessage>>> load(MessageId id);
  /// Damaged: its bytes move to damaged/ (unless they cannot be read), the rest of the queue goes
  /// on.
  io::Task<> set_aside(MessageId id, std::string why);
  void log_damage(const std::string& name, const std::string& why, const std::string& kept);

  /// One step through the store, on the worker; then looked at on the shard.
  struct Scanned {
    std::string prefix;
    std::string from;
    std::size_t entries_max = 1000;
    std::size_t bytes_max = 4 << 20;
    std::vector<std::pair<std::string, std::string>> entries;
    std::vector<std::string> damaged;
    std::size_t bytes = 0;
    bool more = false;
    Result<> result;
  };
  io::Task<Result<>> read_messages();
  io::Task<Result<>> check_format();
  io::Task<Result<>> read_last_id();
  io::Task<Result<>> scan_step(std::shared_ptr<Scanned> scanned);
  io::Task<> admit(Scanned& scanned);
  io::Task<Result<>> sweep_files(const std::unordered_set<std::uint64_t>& dead);
  void schedule_recipients(const QueuedMessage& message);

  Lease make_lease(MessageId id, const std::string& destination, bool forced);
  void end_lease(MessageId id);
  void keep(const Lease& lease, Unrecorded unrecorded);
  [[nodiscard]] bool is_unrecorded(MessageId id) const;
  std::optional<Unrecorded> take_kept(MessageId id, const std::string& destination);
  io::Task<Result<>> change_for(const Lease& lease, const std::vector<RecipientOutcome>& outcomes,
                                std::optional<NewMessage> report, Change& change);
  io::Task<Result<>> add_report(NewMessage report, Change& change);
  io::Task<Result<>> write_file(MessageId id, const std::string& content);
  void finish(const Lease& lease, Change& change);
  /// When a waiting recipient is due, by the clock as it goes now.
  [[nodiscard]] WallTime due_of(const QueuedRecipient& recipient) const {
    return std::min(recipient.next_attempt, world.clock.wall_now() + pause_max);
  }
  [[nodiscard]] std::optional<WallTime> next_due(const QueuedMessage& message,
                                                 const std::string& destination) const;
  [[nodiscard]] bool delay_owed(const QueuedMessage& message, const std::string& destination) const;

  void written(Store::Sync sync);
  void start_late_sync();
  io::Task<> late_sync();
  void start_removals();
  io::Task<> remove_files();
  void start_probe();
  io::Task<> probe();
  void probe_later();

  Store& store_;
  Log& log_;
  io::TaskGroup chores_;
  HotMessages hot_;
  std::unordered_map<std::uint64_t, Active> active_;
  UnrecordedOf unrecorded_;             ///< bounded: leases.cc
  std::uint64_t unrecorded_bytes_ = 0;  ///< of reports in it
  io::Notify changed_;                  ///< some Active is no longer `changing`
  MessageId last_id_;
  bool format_told_ = true;  ///< the store says its format; else each new message does
  bool closing_ = false;
  std::uint64_t damaged_ = 0;
  bool keep_all_files_ = false;  ///< some record could not be read: no file is surely an orphan
  std::unordered_set<std::uint64_t> set_aside_;   ///< ids under damaged/
  std::unordered_map<std::uint64_t, bool> held_;  ///< true: a command is changing it
  std::uint64_t dead_letters_ = 0;
  std::unordered_set<std::uint64_t> dead_changing_;

  bool unsynced_ = false;
  io::Clock::TimerId sync_timer_ = 0;

  std::deque<std::string> removals_;
  std::vector<std::string> removals_after_sync_;
  bool removing_ = false;

  bool disk_full_ = false;
  bool probing_ = false;
  std::uint64_t free_bytes_ = 0;
  SteadyTime probed_at_;
  io::Clock::TimerId probe_timer_ = 0;
};

/// One that nobody has tried yet.
inline QueuedRecipient new_recipient(mail::Recipient recipient, WallTime due) {
  QueuedRecipient out;
  out.recipient = std::move(recipient);
  out.next_attempt = due;
  return out;
}

/// RFC 3461 section 4.1: whoever gave no NOTIFY may be told of delay, whoever gave one only when it
/// asks for that.
inline bool owes_delay(const QueuedRecipient& recipient) {
  const mail::DsnNotify& notify = recipient.recipient.notify;
  return recipient.state == RecipientState::waiting && !recipient.delay_told && !notify.never &&
         (notify.delay || !notify.specified);
}

/// intake.cc
std::unique_ptr<Intake> make_intake(const std::shared_ptr<Core>& core, StoredMessage stored);

/// content.cc: each checks the whole against `crc` at its end.
std::unique_ptr<Content> memory_content(std::shared_ptr<const std::string> content);
std::unique_ptr<Content> file_content(std::unique_ptr<io::File> file, const StoredMessage& stored);

}  // namespace postern::queue
