#include "io/real/poller.h"

#include <array>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/check.h"

namespace postern::io {
namespace {

constexpr int events_per_poll_max = 256;

}  // namespace

Poller::Poller(boost::asio::io_context& context) : set_(::epoll_create1(EPOLL_CLOEXEC)) {
  CHECK(set_.is_open());
  const int duplicate = ::fcntl(set_.get(), F_DUPFD_CLOEXEC, 0);
  CHECK(duplicate >= 0);
  wakeup_.emplace(context.get_executor(), duplicate);
  wait();
}

bool Poller::add(int fd, Pollable& pollable) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &pollable;
  return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::wait() {
  wakeup_->async_wait(boost::asio::posix::descriptor_base::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error) return;
                        poll();
                        wait();
                      });
}

void Poller::poll() {
  std::array<epoll_event, events_per_poll_max> events;
  const int count = ::epoll_wait(set_.get(), events.data(), events_per_poll_max, 0);
  for (int i = 0; i < count; ++i) {
    static_cast<Pollable*>(events[static_cast<std::size_t>(i)].data.ptr)
        ->on_ready(events[static_cast<std::size_t>(i)].events);
  }
}

}  // namespace postern::io
