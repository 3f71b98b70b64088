#include "io/real/real_descriptors.h"

#include <array>
#include <sys/epoll.h>

#include "base/check.h"

namespace postern::io {
namespace {

constexpr int events_per_poll_max = 64;

int new_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  CHECK(set >= 0);
  return set;
}

Readiness readiness_of(std::uint32_t events, Readiness wanted) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return wanted;
  auto readiness = Readiness::none;
  if ((events & EPOLLIN) != 0) readiness = readiness | Readiness::read;
  if ((events & EPOLLOUT) != 0) readiness = readiness | Readiness::write;
  return readiness;
}

}  // namespace

RealDescriptors::RealDescriptors(const Executor& executor) : set_(executor, new_set()) {
  wait();
}

Descriptors::WatchId RealDescriptors::watch(int descriptor, Readiness wanted, Watcher& watcher) {
  epoll_event event{};
  if (has(wanted, Readiness::read)) event.events |= EPOLLIN;
  if (has(wanted, Readiness::write)) event.events |= EPOLLOUT;
  const WatchId id = ++last_id_;
  event.data.u64 = id;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0) return 0;
  watches_.emplace(id, Watch{descriptor, &watcher, wanted});
  return id;
}

void RealDescriptors::unwatch(WatchId id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  // May fail when the descriptor was closed first; then the system has forgotten it by itself.
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, found->second.descriptor, nullptr);
  watches_.erase(found);
}

void RealDescriptors::wait() {
  set_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                  [this](const boost::system::error_code& error) {
                    if (error) return;
                    poll();
                    wait();
                  });
}

void RealDescriptors::poll() {
  std::array<epoll_event, events_per_poll_max> events;
  const int count = ::epoll_wait(set_.native_handle(), events.data(), events_per_poll_max, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    // An earlier call of this round may have ended the watch: found by its number, not by address.
    const WatchId id = event.data.u64;  // a packed field: no reference to it
    const auto found = watches_.find(id);
    if (found == watches_.end()) continue;
    const Readiness readiness = readiness_of(event.events, found->second.wanted);
    if (readiness != Readiness::none) found->second.watcher->on_ready(readiness);
  }
}

}  // namespace postern::io
