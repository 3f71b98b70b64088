#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "io/notify.h"
#include "io/world.h"
#include "queue/store.h"

namespace postern::queue {

/// Gathers the changes of many tasks into few commits: while the worker writes one group, the next
/// gathers; the first member of a group leads it. One shard.
class Committer {
 public:
  Committer(const io::World& world, Store& store, std::uint64_t group_bytes_max);

  /// Resumes when the group of `batch` is written, with the group's result; synced when any member
  /// asked for it. On error none of the group's changes counts as made; since a failed sync may
  /// have written them all the same, the keys of `undo` are deleted with the next group.
  io::Task<Result<>> commit(Batch batch, Store::Sync sync, std::vector<std::string> undo = {});
  /// Called after each group that was written, with what it was: before its members resume.
  void on_written(std::function<void(Store::Sync)> listener) { written_ = std::move(listener); }
  /// Resumes when nothing is on its way.
  io::Task<> idle();

  [[nodiscard]] std::uint64_t groups() const { return groups_written_; }

 private:
  // What the worker touches: owned by both sides, so that neither end of a shutdown matters.
  struct Work {
    Batch batch;
    Store::Sync sync = Store::Sync::later;
    Result<> result;
  };
  struct Group {
    explicit Group(io::Clock& clock) : turn(clock), done(clock) {}
    std::shared_ptr<Work> work = std::make_shared<Work>();
    std::vector<std::string> undo;
    std::uint64_t bytes = 0;
    std::size_t members = 0;
    bool started = false;
    bool finished = false;
    io::Notify turn;  ///< wakes the leader
    io::Notify done;  ///< wakes the others
  };
  using GroupAt = std::list<Group>::iterator;

  GroupAt join(Batch batch, Store::Sync sync, std::vector<std::string> undo);
  io::Task<> lead(GroupAt group);
  void leave(GroupAt group);
  void forget(std::vector<std::string> keys);

  io::World world_;
  Store& store_;
  std::uint64_t group_bytes_max_;
  std::list<Group> groups_;  ///< finished ones whose members still resume, the running one, waiting
  std::vector<std::string> forgotten_;
  bool running_ = false;
  std::uint64_t groups_written_ = 0;
  std::function<void(Store::Sync)> written_;
  io::Notify idle_;
};

}  // namespace postern::queue
