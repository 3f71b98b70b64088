#include "policy/breaker_watch.h"

#include <utility>

namespace postern::policy {
namespace {

LookupFound found_in(const auth::Iprev& iprev) {
  if (iprev.result == auth::IprevResult::pass) return LookupFound::confirmed;
  if (!dns::is_determined(iprev.ptr_status)) return LookupFound::no_reverse_answer;
  return iprev.result == auth::IprevResult::temperror ? LookupFound::no_forward_answer
                                                      : LookupFound::unconfirmed;
}

}  // namespace

BreakerWatch::BreakerWatch(io::Clock& clock, const BreakerOptions& options)
    : clock_(clock), breaker_(options) {}

BreakerWatch::~BreakerWatch() {
  clock_.cancel(timer_);
}

void BreakerWatch::set_options(const BreakerOptions& options) {
  tell(breaker_.set_options(clock_.now(), options));
}

void BreakerWatch::on_change(std::function<void(const BreakerChange&)> listener) {
  listener_ = std::move(listener);
}

void BreakerWatch::transaction(const IpAddress& client, const IpAddress& own) {
  const bool inside =
      client == own || client.is_private() || client.is_loopback() || client.is_link_local();
  tell(breaker_.transaction(clock_.now(), client, inside ? Vantage::inside : Vantage::outside));
}

void BreakerWatch::lookup(const auth::Iprev& iprev) {
  tell(breaker_.lookup(clock_.now(), iprev.address, found_in(iprev)));
}

void BreakerWatch::tell(const std::optional<BreakerChange>& change) {
  if (!change) return;
  if (listener_) listener_(*change);
  clock_.cancel(timer_);
  timer_ = 0;
  if (const auto next = breaker_.next_tick())
    timer_ = clock_.call_at(*next, [this] { tell(breaker_.tick(clock_.now())); });
}

}  // namespace postern::policy
