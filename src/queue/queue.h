#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "io/notify.h"
#include "io/task.h"
#include "io/world.h"
#include "mail/envelope.h"
#include "queue/store.h"

namespace postern::queue {

class Core;            // what the queue is made of; queue/core.h
class Administration;  // what the administrator may do with it; queue/administration.h

/// Names a queued message for its life; increases with arrival. Shown as 13 letters and digits.
struct MessageId {
  std::uint64_t value = 0;
  [[nodiscard]] std::string text() const;
  static std::optional<MessageId> parse(std::string_view text);
  /// When it was given: the arrival, or a little later where the clock had been set back.
  [[nodiscard]] WallTime given() const {
    return WallTime(std::chrono::microseconds(value >> sequence_bits));
  }
  static constexpr int sequence_bits = 12;  ///< below the microseconds
  auto operator<=>(const MessageId&) const = default;
};

/// Where a message came from; kept with it for reports and for the administrator.
struct Provenance {
  IpAddress client;
  std::string client_name;  ///< confirmed by DNS, or empty
  std::string helo;
  /// "ESMTP", "ESMTPS", ... (RFC 3848); of our own "report", or "double-bounce" to the postmaster
  std::string protocol;
  WallTime arrived;
};

enum class RecipientState : std::uint8_t {
  waiting,
  delivered,
  failed,  ///< and its report is queued, or its sender asked for none (NOTIFY=NEVER)
  dead,    ///< failed, and nobody may be told (null reverse path): kept as a dead letter
};

struct QueuedRecipient {
  mail::Recipient recipient;
  RecipientState state = RecipientState::waiting;
  bool delay_told = false;  ///< a report of delay was queued
  std::uint32_t attempts = 0;
  WallTime next_attempt;    ///< while waiting
  WallTime last_attempt;    ///< when the last one ended, or the recipient was given up; or 0
  std::string last_reply;   ///< what the last attempt met, for people: "450 4.2.0 ..." or
                            ///< "connection refused"
  std::string last_remote;  ///< the next hop of the last attempt: "mx.example.com [192.0.2.1]:25"
};

/// A message of the queue, as stored. Immutable; changes make a new one.
struct QueuedMessage {
  MessageId id;
  mail::Envelope envelope;  ///< its recipients are in `recipients`
  Provenance provenance;
  /// From when delivery counts its lifetime: the arrival, or when a dead letter was taken up again.
  WallTime lifetime_from;
  bool held = false;  ///< by the administrator: not delivered until it is released
  std::uint64_t content_bytes = 0;
  std::vector<QueuedRecipient> recipients;
};

/// The content of a queued message, trace header included, CRLF line ends, not dot-stuffed.
class Content {
 public:
  virtual ~Content() = default;
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  /// The next bytes in order, empty at the end; valid until the next call. Error: the record is
  /// damaged or unreadable.
  virtual io::Task<Result<std::string_view>> next_chunk() = 0;
};

/// A message on its way in. Small content is kept in memory until commit; beyond
/// QueueOptions::inline_bytes_max it streams to a file. Destroyed without commit, it leaves nothing
/// that the next start does not sweep.
class Intake {
 public:
  virtual ~Intake() = default;
  /// What the message will be called once it is committed; for the trace header.
  [[nodiscard]] virtual MessageId id() const = 0;
  virtual io::Task<Result<>> append(std::string_view bytes) = 0;
  /// After success the message, its envelope and its content are on disk: the instant of
  /// responsibility ("250"). Commits of many sessions share one sync. On error nothing was taken.
  /// Called once, last.
  virtual io::Task<Result<MessageId>> commit() = 0;
};

/// Work for delivery: some recipients of one message that share a destination and are due. While it
/// is held nobody else gets these recipients. Give it back through Queue::complete(); dropped, it
/// becomes due again at once (a crash has the same effect).
class Lease {
 public:
  Lease() = default;
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();
  [[nodiscard]] const QueuedMessage& message() const { return *message_; }
  /// Indices into message().recipients.
  [[nodiscard]] const std::vector<std::uint32_t>& recipients() const { return recipients_; }
  [[nodiscard]] const std::string& destination() const { return destination_; }

 private:
  friend class Core;
  void give_back();

  std::weak_ptr<Core> core_;
  std::shared_ptr<const QueuedMessage> message_;
  std::vector<std::uint32_t> recipients_;
  std::string destination_;
  bool forced_ = false;
  bool whole_ = false;  ///< all shares of the message: Administration::lease_all
};

/// What an attempt came to for one recipient.
struct RecipientOutcome {
  std::uint32_t recipient = 0;  ///< index into message().recipients
  RecipientState state = RecipientState::waiting;
  WallTime next_attempt;  ///< for `waiting`
  std::string reply;
  std::string remote;
  bool attempted = true;    ///< false: nothing was tried, so the number of attempts stays, and
                            ///< what is empty of reply and remote
  bool delay_told = false;  ///< the report that goes with this tells of delay
};

/// A message that we write ourselves: a report.
struct NewMessage {
  mail::Envelope envelope;
  Provenance provenance;
  std::string content;
};

struct QueueOptions {
  std::uint64_t inline_bytes_max = 128 * 1024;     ///< larger content goes to a file of its own
  std::uint64_t commit_batch_bytes_max = 4 << 20;  ///< of one group commit
  std::uint64_t hot_bytes_max =
      64 << 20;  ///< content just accepted, kept for a delivery that follows at once
  /// All unfinished intakes together hold at most this much in memory; beyond, they stream to files
  /// however small they are.
  std::uint64_t intake_bytes_max = 64 << 20;
  std::uint64_t free_bytes_min =
      64 << 20;  ///< below this much free disk, new mail is refused with 451 4.3.1
  /// The longest pause that a caller asks for by `next_attempt`. One that is further away was
  /// written by a clock that ran ahead, and is cut to this.
  Duration pause_max = std::chrono::hours(24);
  /// Lower-case recipient domain -> what shares connections and back-off. Identity when empty.
  std::function<std::string(std::string_view domain)> destination_of;
};

/// What Queue::postpone knows of a due share without reading its message.
struct ShareFacts {
  MessageId id;
  WallTime lifetime_from;  ///< rounded up to a second
  bool null_reverse_path = false;
  bool delay_owed = false;  ///< a recipient wants to hear of delay and was not told
};

/// The durable queue: between `session` and `delivery`, which meet only here. Lives on one shard.
class Queue {
 public:
  /// `store` outlives the queue.
  Queue(const io::World& world, Store& store, Log& log, QueueOptions options);
  ~Queue();
  /// QueueOptions::pause_max, from now on.
  void set_pause_max(Duration pause_max);

  /// Reads what the store holds; sets damaged records aside (logged, kept); sweeps
  /// orphaned content files. Before anything else. An error: the store as a whole cannot be used.
  io::Task<Result<>> recover();
  /// Waits until what was given to the store is on disk. Nothing may be in progress.
  io::Task<> drain();

  /// RFC 5321 section 4.2.5: responsibility begins at Intake::commit. Error when the disk is full
  /// or failing.
  Result<std::unique_ptr<Intake>> begin(mail::Envelope envelope, Provenance provenance);

  /// Called (from the ready queue, never inside a call of the queue) when a destination gets due
  /// work.
  void on_due(std::function<void(const std::string& destination)> listener);
  /// Due work of a destination, or nothing: senders in turn, of each the oldest first. A message
  /// that is no longer in memory is read from the store; one that turns out damaged is set aside
  /// and the next is taken. `destination` is copied before the first suspension.
  io::Task<std::optional<Lease>> lease(const std::string& destination);
  /// Destinations that have due work now.
  [[nodiscard]] std::vector<std::string> due_destinations() const;
  /// The content of a leased message.
  io::Task<Result<std::unique_ptr<Content>>> content(const Lease& lease);
  /// Records outcomes, the report that they cause and, when no recipient waits any more, the
  /// removal, or, when one is dead, that the message is a dead letter now: one atomic commit. On
  /// error nothing changed on disk: the outcomes are kept in memory, and from a minute later on the
  /// next lease() of the destination writes them before it gives out more; only a restart, or more
  /// of them than are kept, repeats the attempt. The deletion may be synced late: a crash then only
  /// repeats a delivery (RFC 5321 section 4.5.4.1 allows it).
  io::Task<Result<>> complete(Lease lease, std::vector<RecipientOutcome> outcomes,
                              std::optional<NewMessage> report);

  /// Ends a lease when nothing was tried: due again at `due`, or at once. In memory only: nothing
  /// is written, and after a restart it is due at once.
  void give_back(Lease lease, WallTime due);
  /// The same without a lease, for what is due of a destination that is known to be dead: `decide`
  /// says when a share is due again, or nothing (or no later time) when something is owed now; it
  /// must not call the queue. Looks at `count_max` at most; call it again while there is more, with
  /// pauses for others. What was left by `decide` is not asked about again until it was leased.
  struct Postponed {
    std::size_t postponed = 0;
    bool urgent = false;  ///< something due was left, now or before
    bool more = false;
  };
  Postponed postpone(const std::string& destination,
                     const std::function<std::optional<WallTime>(const ShareFacts&)>& decide,
                     std::size_t count_max);

  // --- for the administrator; more in queue/administration.h
  io::Task<Result<std::shared_ptr<const QueuedMessage>>> show(MessageId id);
  /// Makes all waiting recipients due now. Cause::not_found when there is no such message, refused
  /// when it is held.
  Result<> retry(MessageId id);
  /// The same for every message; returns how many messages.
  std::size_t flush();
  /// Deletes without a report. Cause::in_use while an attempt is under way.
  io::Task<Result<>> remove(MessageId id);

  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t leased = 0;
    std::uint64_t damaged = 0;  ///< records set aside since start
    std::uint64_t held = 0;     ///< of the messages
    std::uint64_t dead_letters = 0;
    /// Of the oldest message that is not held, since it arrived; 0 without one.
    Duration oldest_age{};
    bool disk_full = false;        ///< new mail is refused for want of space
    std::uint64_t free_bytes = 0;  ///< of the spool's disk, when it was last looked at
  };
  [[nodiscard]] Counts counts() const;

 private:
  friend class Administration;
  std::shared_ptr<Core> core_;
};

}  // namespace postern::queue
