#include "io/waiter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"

namespace postern::io {

namespace asio = boost::asio;

namespace {

/// Boost 1.81's any_completion_handler recurses without end when it is move-assigned, so it is only
/// ever swapped.
Completion<> take(Completion<>& completion) {
  Completion<> taken;
  taken.swap(completion);
  return taken;
}

}  // namespace

asio::execution_context::id ParkingLot::id;

ParkingLot::ParkingLot(asio::execution_context& context)
    : asio::execution_context::service(context) {}

ParkingLot& ParkingLot::of(const Executor& executor) {
  return asio::use_service<ParkingLot>(static_cast<asio::execution_context&>(executor.context()));
}

Task<> Waiter::suspend() {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
      [](auto completion, Waiter* waiter) {
        CHECK(!waiter->completion_);
        ParkingLot& lot = ParkingLot::of(completion.get_executor());
        lot.park(*waiter, Completion<>(std::move(completion)));
      },
      asio::use_awaitable_t<Executor>{}, this);
}

void Waiter::resume() {
  if (waiting()) lot_->make_ready(*this);
}

void ParkingLot::park(Waiter& waiter, Completion<> completion) {
  waiter.completion_.swap(completion);
  waiter.lot_ = this;
  waiter.root_ = current_root_;
  waiter.ready_ = false;
  parked_.push_back(waiter);
}

void ParkingLot::make_ready(Waiter& waiter) {
  waiter.ready_ = true;
  waiter.unlink();
  ready_.push_back(waiter);
  // The queue's entry owns nothing: should the context end now, the waiter is still in our list.
  asio::post(static_cast<asio::io_context&>(context()), [this] { run_next(); });
}

void ParkingLot::run_next() {
  if (ready_.empty()) return;
  Waiter& waiter = ready_.front();
  ready_.pop_front();
  waiter.ready_ = false;
  current_root_ = waiter.root_;
  // Moved out first: the frame that holds the waiter may end inside the call.
  Completion<> completion = take(waiter.completion_);
  std::move(completion)();
}

void ParkingLot::drop_all() {
  dropping_ = true;
  std::vector<Waiter*> dropped;
  for (List* list : {&parked_, &ready_}) {
    while (!list->empty()) {
      dropped.push_back(&list->front());
      list->pop_front();
    }
  }
  std::sort(dropped.begin(), dropped.end(),
            [](const Waiter* a, const Waiter* b) { return a->root_ > b->root_; });
  // Dropping a completion queues the destruction of its task, and so of the waiter; the context's
  // end runs the queue.
  for (Waiter* waiter : dropped) take(waiter->completion_);
}

}  // namespace postern::io
