#pragma once

#include <functional>
#include <string>
#include <vector>

#include "admin/commands.h"
#include "delivery/dispatcher.h"

namespace postern::server {

/// What the administrator may ask of this server, over its queue and what it tells about itself.
class QueueCommands final : public admin::Commands {
 public:
  /// What the server tells about itself.
  struct Told {
    std::function<admin::Status()> status;
    std::function<std::vector<admin::MetricFamily>()> metrics;
    std::function<admin::Refusals()> refusals;
  };

  QueueCommands(const io::World& world, queue::Queue& queue, delivery::Dispatcher& dispatcher,
                Told told)
      : world_(world), administration_(queue), dispatcher_(dispatcher), told_(std::move(told)) {}
  void on_reload(std::function<Result<>()> reload) { reload_ = std::move(reload); }

  admin::Status status() override { return told_.status(); }
  std::vector<admin::MetricFamily> metrics() override { return told_.metrics(); }
  admin::Refusals refusals() override { return told_.refusals(); }
  io::Task<Result<queue::Listed>> list(queue::Walk walk) override {
    return administration_.list(std::move(walk));
  }
  io::Task<Result<std::shared_ptr<const queue::QueuedMessage>>> show(queue::Box box,
                                                                     queue::MessageId id) override {
    return administration_.show(box, id);
  }
  io::Task<Result<queue::ContentPart>> content(queue::Box box, queue::MessageId id,
                                               std::uint64_t offset) override {
    return administration_.content(box, id, offset);
  }
  io::Task<Result<queue::Acted>> act(queue::Command command, queue::Walk walk) override {
    if (command == queue::Command::retry) dispatcher_.retry_now();
    return administration_.act(command, std::move(walk));
  }
  io::Task<Result<queue::Acted>> bounce(queue::Walk walk, std::string reason) override;
  Result<> reload() override {
    if (!reload_)
      return operator_failure(Cause::other, "this server cannot read its configuration again");
    return reload_();
  }

 private:
  struct Bounce;
  io::Task<> bounce_one(Bounce& bounce, queue::MessageId id);

  io::World world_;
  queue::Administration administration_;
  delivery::Dispatcher& dispatcher_;
  Told told_;
  std::function<Result<>()> reload_;
};

}  // namespace postern::server
