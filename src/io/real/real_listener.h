#pragma once

#include <string>

#include "io/clock.h"
#include "io/network.h"
#include "io/real/fd.h"
#include "io/real/poller.h"
#include "io/waiter.h"

namespace postern::io {

/// A listening, non-blocking socket. One accept() at a time.
class RealListener final : public Listener, private Pollable {
 public:
  /// `local_path`: the socket file to remove at the end; empty for TCP.
  RealListener(Poller& poller, Clock& clock, Fd socket, std::string local_path);
  ~RealListener() override;

  Result<> start();
  Task<Result<std::unique_ptr<Stream>>> accept() override;
  void close() override;
  [[nodiscard]] Endpoint local() const override { return local_; }

 private:
  void on_ready(std::uint32_t epoll_events) override;

  Poller& poller_;
  Clock& clock_;
  Fd socket_;
  std::string local_path_;
  Endpoint local_;
  bool pending_ = true;  // perhaps a connection waits
  Waiter* waiter_ = nullptr;
};

}  // namespace postern::io
