#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/task.h"
#include "queue/queue.h"

namespace postern::queue {

/// Where a message of ours lies.
enum class Box : std::uint8_t {
  queue,
  dead,  ///< the dead letters: failed, and nobody may be told
};

/// Which messages a command is about: those that satisfy all that is given. A message is chosen as
/// a whole, also when only one of its recipients fits.
struct Selection {
  std::string sender =
      {};  ///< "a@example.com", "@example.com" or "<>"; letters' case does not matter
  std::string recipient = {};  ///< the same, of somebody who still waits (or is dead, in Box::dead)
  std::string destination = {};             ///< of somebody who still waits (or is dead)
  std::optional<Duration> older_than = {};  ///< since it arrived
  std::optional<Duration> younger_than = {};
  bool held = false;  ///< only those that are held
  bool operator==(const Selection&) const = default;
  [[nodiscard]] bool empty() const { return *this == Selection(); }
};

/// A walk through a box, step by step, each bounded whatever the queue's length: give `last` back
/// as `after`, and `until`, while there is more.
struct Walk {
  Box box = Box::queue;
  Selection selection = {};
  std::vector<MessageId> ids = {};  ///< if any: only these, ascending
  MessageId after = {};
  MessageId until = {};     ///< 0 for the first step: what arrives later is not met
  std::size_t count = 100;  ///< at most so many messages a step
  bool operator==(const Walk&) const = default;
};
constexpr std::size_t walk_count_max = 500;  ///< messages a step, and ids of a walk

/// How far a step came.
struct Step {
  MessageId last;
  MessageId until;
  bool more = false;
  std::vector<MessageId> missing;  ///< of Walk::ids
};

/// A message in a list.
struct Summary {
  MessageId id;
  std::string reverse_path;
  std::uint64_t content_bytes = 0;
  WallTime arrived;
  WallTime next_attempt;
  WallTime last_attempt;                 ///< of dead letters: when the last recipient was given up
  std::uint32_t recipients_waiting = 0;  ///< of dead letters: those that are dead
  bool leased = false;
  bool held = false;
};
struct Listed {
  std::vector<Summary> messages;
  Step step;
};

enum class Command : std::uint8_t {
  retry,    ///< waiting recipients are due now; a dead letter is queued again, with a new lifetime
  hold,     ///< not delivered until it is released
  release,  ///< ends that, and is due now
  remove,   ///< without a report
};
/// Why a message that was chosen stayed as it was.
enum class Left : std::uint8_t {
  in_delivery,
  held,       ///< retry and hold leave what is held
  not_held,   ///< release
  no_sender,  ///< remove with report: nobody may be told
  damaged,
};
struct Acted {
  std::uint64_t chosen = 0;
  std::uint64_t changed = 0;
  struct Unchanged {
    MessageId id;
    Left why = Left::in_delivery;
  };
  std::vector<Unchanged> unchanged;
  Step step;
};

/// A part of a message's content.
struct ContentPart {
  std::string bytes;
  std::uint64_t content_bytes = 0;  ///< of the whole
  std::uint32_t content_crc = 0;    ///< of the whole: crc32_of() of all parts, if undamaged
};
constexpr std::size_t content_part_bytes_max = 256 * 1024;

/// What the administrator may do with a queue that runs. A copy of the handle, not of the queue,
/// which outlives it. Same shard.
class Administration {
 public:
  explicit Administration(const Queue& queue) : core_(queue.core_) {}

  /// The next messages of the walk, in order of arrival.
  io::Task<Result<Listed>> list(Walk walk);
  /// Cause::not_found when there is no such message.
  io::Task<Result<std::shared_ptr<const QueuedMessage>>> show(Box box, MessageId id);
  /// The same to every message of the step, in one synced commit. Dead letters know retry and
  /// remove. On error what it tells of the step may be done or not; each message is whole.
  io::Task<Result<Acted>> act(Command command, Walk walk);
  /// All recipients of a message that still wait, of every destination, due or not, held or not:
  /// for a removal with a report. Cause::not_found, or in_use while an attempt is under way.
  io::Task<Result<Lease>> lease_all(MessageId id);
  /// Content from `offset` on, at most content_part_bytes_max; empty at the end. Also of what is
  /// damaged, as it is.
  io::Task<Result<ContentPart>> content(Box box, MessageId id, std::uint64_t offset);

 private:
  std::shared_ptr<Core> core_;
};

/// Whether a message is one of the selection, but for `destination` and `held`.
bool matches(const QueuedMessage& message, Box box, const Selection& selection, WallTime now);
/// "a@example.com", "@example.com" or "<>" against an address; ASCII case does not matter.
bool matches_address(std::string_view pattern, std::string_view address);

}  // namespace postern::queue
