#pragma once

#include <cstdint>
#include <optional>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "io/real/fd.h"
#include "io/task.h"

namespace postern::io {

/// What the poller tells when the state of a descriptor changed. Called on the shard, not from
/// inside any call of ours; must not destroy any Pollable (resuming waiters only queues).
class Pollable {
 public:
  virtual void on_ready(std::uint32_t epoll_events) = 0;

 protected:
  ~Pollable() = default;
};

/// An edge-triggered epoll set inside Asio's. Asio arms its own set again for every wait (one
/// epoll_ctl each) and keeps a locked record for each socket; here a socket is registered once in
/// its life and remembers by itself whether it is readable. Asio only wakes us when the set has
/// something.
class Poller {
 public:
  explicit Poller(boost::asio::io_context& context);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// False, with errno, when the system refuses. Closing the descriptor ends it.
  bool add(int fd, Pollable& pollable);
  /// Before the context ends: no more calls.
  void end() { wakeup_.reset(); }

 private:
  void wait();
  void poll();

  Fd set_;  // what Asio watches is a duplicate of it
  std::optional<boost::asio::posix::basic_stream_descriptor<Executor>> wakeup_;
};

}  // namespace postern::io
