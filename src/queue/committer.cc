#include "queue/committer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace postern::queue {
namespace {

// While the store fails, each message that was refused leaves two keys. What is dropped beyond the
// bound could at worst be delivered although its sender was told to try again.
constexpr std::size_t forgotten_keys_max = 100'000;

std::uint64_t bytes_of(const Batch& batch) {
  std::uint64_t bytes = 0;
  for (const Batch::Put& put : batch.puts) bytes += put.key.size() + put.value.size();
  for (const std::string& key : batch.deletes) bytes += key.size();
  return bytes;
}

template <typename Element>
void append(std::vector<Element>& to, std::vector<Element>&& from) {
  to.insert(to.end(), std::move_iterator(from.begin()), std::move_iterator(from.end()));
}

}  // namespace

Committer::Committer(const io::World& world, Store& store, std::uint64_t group_bytes_max)
    : world_(world), store_(store), group_bytes_max_(group_bytes_max), idle_(world.clock) {}

Committer::GroupAt Committer::join(Batch batch, Store::Sync sync, std::vector<std::string> undo) {
  const std::uint64_t bytes = bytes_of(batch);
  if (groups_.empty() || groups_.back().started || groups_.back().bytes + bytes > group_bytes_max_)
    groups_.emplace_back(world_.clock);
  const GroupAt group = std::prev(groups_.end());
  append(group->work->batch.puts, std::move(batch.puts));
  append(group->work->batch.deletes, std::move(batch.deletes));
  append(group->undo, std::move(undo));
  if (sync == Store::Sync::now) group->work->sync = sync;
  group->bytes += bytes;
  ++group->members;
  return group;
}

io::Task<Result<>> Committer::commit(Batch batch, Store::Sync sync, std::vector<std::string> undo) {
  const GroupAt group = join(std::move(batch), sync, std::move(undo));
  if (group->members == 1) {
    const auto is_next = [&] {
      return !running_ &&
             std::ranges::find_if(groups_, [](const Group& g) { return !g.finished; }) == group;
    };
    while (!is_next()) co_await group->turn.wait(io::Deadline::never());
    co_await lead(group);
  }
  while (!group->finished) co_await group->done.wait(io::Deadline::never());
  Result<> result = group->work->result;
  leave(group);
  co_return result;
}

io::Task<> Committer::lead(GroupAt group) {
  running_ = true;
  group->started = true;
  std::shared_ptr<Work> work = group->work;
  // Ids are never used twice, so that no key here is one that the group itself writes.
  std::vector<std::string> forgotten = std::exchange(forgotten_, {});
  work->batch.deletes.insert(work->batch.deletes.end(), forgotten.begin(), forgotten.end());
  Store* store = &store_;
  co_await world_.store_worker.run(
      [store, work] { work->result = store->commit(work->batch, work->sync); });
  running_ = false;
  group->finished = true;
  if (work->result) {
    ++groups_written_;
    if (written_) written_(work->sync);
  } else {
    forget(std::move(forgotten));
    forget(std::move(group->undo));
  }
  group->done.wake_all();
  const auto next = std::ranges::find_if(groups_, [](const Group& g) { return !g.finished; });
  if (next != groups_.end()) next->turn.wake_all();
}

void Committer::leave(GroupAt group) {
  if (--group->members > 0) return;
  groups_.erase(group);
  if (groups_.empty()) idle_.wake_all();
}

void Committer::forget(std::vector<std::string> keys) {
  if (forgotten_.size() + keys.size() > forgotten_keys_max) return;
  append(forgotten_, std::move(keys));
}

io::Task<> Committer::idle() {
  while (!groups_.empty()) co_await idle_.wait(io::Deadline::never());
}

}  // namespace postern::queue
