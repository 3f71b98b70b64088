#pragma once

#include <functional>
#include <string>

#include "admin/commands.h"
#include "delivery/dispatcher.h"

namespace postern::server {

/// What the administrator may ask of this server, over its queue and what it tells about itself.
class QueueCommands final : public admin::Commands {
 public:
  using StatusOf = std::function<admin::Status()>;

  QueueCommands(queue::Queue& queue, delivery::Dispatcher& dispatcher, StatusOf status)
      : queue_(queue), dispatcher_(dispatcher), status_(std::move(status)) {}
  void on_reload(std::function<Result<>()> reload) { reload_ = std::move(reload); }

  admin::Status status() override { return status_(); }
  io::Task<Result<std::vector<queue::Queue::Summary>>> list(queue::MessageId after,
                                                            std::size_t count) override {
    return queue_.list(after, count);
  }
  io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(queue::MessageId id) override {
    return queue_.show(id);
  }
  Result<> retry(queue::MessageId id) override {
    dispatcher_.retry_now();
    return queue_.retry(id);
  }
  std::size_t flush() override {
    dispatcher_.retry_now();
    return queue_.flush();
  }
  io::Task<Result<>> remove(queue::MessageId id) override { return queue_.remove(id); }
  Result<> reload() override {
    if (!reload_)
      return operator_failure(Cause::other, "this server cannot read its configuration again");
    return reload_();
  }

 private:
  queue::Queue& queue_;
  delivery::Dispatcher& dispatcher_;
  StatusOf status_;
  std::function<Result<>()> reload_;
};

}  // namespace postern::server
