#pragma once

#include "io/clock.h"
#include "io/network.h"
#include "io/real/fd.h"
#include "io/real/poller.h"
#include "io/waiter.h"

namespace postern::io {

/// A connected, non-blocking socket (TCP or Unix-domain). Tries every operation at once and waits
/// only when the system has nothing. One timer for each stream, set for the earlier of the two
/// deadlines and left alone when they move later, so that a busy connection sets hardly any.
class RealStream final : public Stream, private Pollable {
 public:
  RealStream(Poller& poller, Clock& clock, Fd socket, const Endpoint& remote);
  ~RealStream() override;

  /// To be called once, before anything else.
  Result<> start();
  /// Resumes when a connection in progress is made.
  Task<Result<>> connected(Deadline deadline, std::string_view doing);

  Task<Result<>> readable(Deadline deadline) override;
  Task<Result<std::size_t>> read_some(std::span<char> into, Deadline deadline) override;
  Task<Result<>> write_all(std::string_view bytes, Deadline deadline) override;
  std::size_t write_now(std::string_view bytes) override;
  void close() override;
  void shutdown_write() override;
  [[nodiscard]] Endpoint local() const override;
  [[nodiscard]] Endpoint remote() const override { return remote_; }

 private:
  enum class Direction : bool { read, write };
  struct Pending {
    Waiter* waiter = nullptr;
    Deadline deadline = Deadline::never();
  };

  void on_ready(std::uint32_t epoll_events) override;
  Task<> wait(Direction direction, Deadline deadline);
  Pending& pending(Direction direction) { return direction == Direction::read ? reader_ : writer_; }
  void arm(Deadline deadline);
  void on_timer();
  [[nodiscard]] bool passed(Deadline deadline) const {
    return !deadline.is_never() && deadline.passed(clock_.now());
  }

  Poller& poller_;
  Clock& clock_;
  Fd socket_;
  bool readable_ = false;    // since the last edge we have not seen it empty
  bool read_ended_ = false;  // end of stream or an error is waiting: stays readable
  bool writable_ = true;
  Endpoint remote_;
  Pending reader_;
  Pending writer_;
  Clock::TimerId timer_ = 0;
  SteadyTime timer_time_;
};

}  // namespace postern::io
