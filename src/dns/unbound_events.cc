#include "dns/unbound_events.h"

#include <ctime>
#include <sys/time.h>
#include <unbound-event.h>

#include "base/check.h"

namespace postern::dns {
namespace {

using Callback = void (*)(int, short, void*);

Duration duration_of(const timeval& tv) {
  return seconds(tv.tv_sec) + std::chrono::microseconds(tv.tv_usec);
}

}  // namespace

struct UnboundEvents::Base : ub_event_base {
  Base(io::Clock& used_clock, io::Descriptors& used_descriptors)
      : ub_event_base(), clock(used_clock), descriptors(used_descriptors) {}

  io::Clock& clock;
  io::Descriptors& descriptors;
};

namespace {

/// One event of libunbound's, as libevent knows them: a descriptor, a timeout or both; ends after
/// its first call unless it persists.
struct Event final : ub_event, io::Descriptors::Watcher {
  Event(io::Clock& used_clock, io::Descriptors& used_descriptors)
      : ub_event(), clock(used_clock), descriptors(used_descriptors) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { deactivate(); }

  bool activate(const timeval* tv) {
    deactivate();
    timeout = tv == nullptr ? Duration::zero() : duration_of(*tv);
    has_timeout = tv != nullptr;
    if (has_timeout) arm_timer();
    auto wanted = io::Readiness::none;
    if ((bits & UB_EV_READ) != 0) wanted = wanted | io::Readiness::read;
    if ((bits & UB_EV_WRITE) != 0) wanted = wanted | io::Readiness::write;
    if (descriptor < 0 || wanted == io::Readiness::none) return true;
    watch = descriptors.watch(descriptor, wanted, *this);
    return watch != 0;
  }

  void deactivate() {
    if (watch != 0) descriptors.unwatch(watch);
    watch = 0;
    disarm_timer();
  }

  void arm_timer() {
    timer = clock.call_at(clock.now() + timeout, [this] { on_timer(); });
  }
  void disarm_timer() {
    if (timer != 0) clock.cancel(timer);
    timer = 0;
  }

  void on_ready(io::Readiness readiness) override {
    short what = 0;
    if (io::has(readiness, io::Readiness::read)) what |= UB_EV_READ;
    if (io::has(readiness, io::Readiness::write)) what |= UB_EV_WRITE;
    fire(static_cast<short>(what & bits));
  }
  void on_timer() {
    timer = 0;
    fire(UB_EV_TIMEOUT);
  }

  /// The callback may free this event: nothing of it is touched after the call.
  void fire(short what) {
    if (what == 0) return;
    if ((bits & UB_EV_PERSIST) == 0) {
      deactivate();
    } else if (has_timeout) {
      disarm_timer();
      arm_timer();
    }
    callback(descriptor, what, argument);
  }

  io::Clock& clock;
  io::Descriptors& descriptors;
  int descriptor = -1;
  short bits = 0;
  Callback callback = nullptr;
  void* argument = nullptr;
  io::Descriptors::WatchId watch = 0;
  io::Clock::TimerId timer = 0;
  Duration timeout{};
  bool has_timeout = false;
};

Event& self(ub_event* event) {
  return *static_cast<Event*>(event);
}

void add_bits(ub_event* event, short bits) {
  self(event).deactivate();
  self(event).bits = static_cast<short>(self(event).bits | bits);
}
void del_bits(ub_event* event, short bits) {
  self(event).deactivate();
  self(event).bits = static_cast<short>(self(event).bits & ~bits);
}
void set_fd(ub_event* event, int descriptor) {
  self(event).deactivate();
  self(event).descriptor = descriptor;
}
void free_event(ub_event* event) {
  delete &self(event);
}
int add(ub_event* event, timeval* tv) {
  return self(event).activate(tv) ? 0 : -1;
}
int del(ub_event* event) {
  self(event).deactivate();
  return 0;
}
int add_timer(ub_event* event, ub_event_base*, Callback callback, void* argument, timeval* tv) {
  Event& timer = self(event);
  timer.deactivate();
  timer.bits = UB_EV_TIMEOUT;
  timer.descriptor = -1;
  timer.callback = callback;
  timer.argument = argument;
  return timer.activate(tv) ? 0 : -1;
}
// libunbound has no signals of its own; those are the program's.
int no_signal(ub_event*, timeval*) {
  return -1;
}
int no_signal_to_delete(ub_event*) {
  return -1;
}
void not_on_windows(ub_event*) {}
void not_on_windows_either(ub_event*, int) {}

ub_event_vmt event_functions{add_bits,
                             del_bits,
                             set_fd,
                             free_event,
                             add,
                             del,
                             add_timer,
                             del,
                             no_signal,
                             no_signal_to_delete,
                             not_on_windows,
                             not_on_windows_either};

}  // namespace

namespace {

void base_is_ours(ub_event_base*) {}
int loop_is_ours(ub_event_base*) {
  return -1;
}
int loop_exit_is_ours(ub_event_base*, timeval*) {
  return -1;
}
ub_event* no_new_signal(ub_event_base*, int, Callback, void*) {
  return nullptr;
}
ub_event* no_new_wsaevent(ub_event_base*, void*, Callback, void*) {
  return nullptr;
}

}  // namespace

UnboundEvents::UnboundEvents(io::Clock& clock, io::Descriptors& descriptors)
    : base_(new Base(clock, descriptors)) {
  static ub_event_base_vmt functions{base_is_ours,
                                     loop_is_ours,
                                     loop_exit_is_ours,
                                     [](ub_event_base* base, int descriptor, short bits,
                                        Callback callback, void* argument) -> ub_event* {
                                       auto* ours = static_cast<Base*>(base);
                                       auto* event = new Event(ours->clock, ours->descriptors);
                                       event->magic = UB_EVENT_MAGIC;
                                       event->vmt = &event_functions;
                                       event->descriptor = descriptor;
                                       event->bits = bits;
                                       event->callback = callback;
                                       event->argument = argument;
                                       return event;
                                     },
                                     no_new_signal,
                                     no_new_wsaevent};
  base_->magic = UB_EVENT_MAGIC;
  base_->vmt = &functions;
}

UnboundEvents::~UnboundEvents() {
  delete base_;
}

ub_event_base* UnboundEvents::base() {
  return base_;
}

}  // namespace postern::dns
