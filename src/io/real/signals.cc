#include "io/real/signals.h"

#include <csignal>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace postern::io {

Signals::Signals(const Executor& executor) : set_(executor, SIGTERM, SIGINT, SIGHUP) {}

Task<Result<Signals::Kind>> Signals::next() {
  const auto [error, number] =
      co_await set_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>{}));
  if (error) co_return our_failure(Cause::cancelled, "waiting for signals was ended");
  co_return number == SIGHUP ? Kind::reload : Kind::drain;
}

void Signals::close() {
  boost::system::error_code ignored;
  set_.cancel(ignored);
}

}  // namespace postern::io
