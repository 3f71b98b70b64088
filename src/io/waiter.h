#pragma once

#include <cstdint>

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>

#include "io/task.h"

namespace postern::io {

class ParkingLot;

using WaiterHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One suspended task: the one primitive that every implementation of the seam waits with. Lives in
/// the frame of the task that waits, so that it lasts exactly as long as the wait. On one shard.
class Waiter : public WaiterHook {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() = default;

  /// Resumes after resume(). When the shard ends first, the task is destroyed instead.
  Task<> suspend();
  /// Lets the task go on from the shard's ready queue, never inside this call. No effect when
  /// nothing waits or it is about to resume already.
  void resume();
  [[nodiscard]] bool waiting() const { return completion_ && !ready_; }

 private:
  friend class ParkingLot;

  Completion<> completion_;
  ParkingLot* lot_ = nullptr;
  std::uint64_t root_ = 0;
  bool ready_ = false;
};

/// Every suspended task of one shard. Asio leaves the ownership of a coroutine to whoever holds its
/// completion; this keeps all of them in one place, so that a shard (a crashed host of the
/// simulator, say) can be ended with tasks still waiting: they are destroyed, the youngest root
/// task first, because a task's frame may own what the tasks it spawned refer to.
/// A service of the shard's io_context.
class ParkingLot final : public boost::asio::execution_context::service {
 public:
  using key_type = ParkingLot;
  static boost::asio::execution_context::id id;

  explicit ParkingLot(boost::asio::execution_context& context);
  static ParkingLot& of(const Executor& executor);

  /// Called by a new root task before anything else: what it and its callees wait on is its own.
  void begin_root() { current_root_ = ++last_root_; }
  /// Destroys all waiting tasks; the shard is about to end.
  void drop_all();
  [[nodiscard]] bool dropping() const { return dropping_; }

 private:
  friend class Waiter;
  using List = boost::intrusive::list<Waiter, boost::intrusive::base_hook<WaiterHook>,
                                      boost::intrusive::constant_time_size<false>>;

  void shutdown() override { drop_all(); }
  void park(Waiter& waiter, Completion<> completion);
  void make_ready(Waiter& waiter);
  void run_next();

  List parked_;
  List ready_;
  std::uint64_t last_root_ = 0;
  std::uint64_t current_root_ = 0;
  bool dropping_ = false;
};

}  // namespace postern::io
