#include "io/sim/sim_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace postern::io {
namespace {

std::unexpected<Error> closed_here() {
  return our_failure(Cause::cancelled, "the connection was closed on our side");
}
std::unexpected<Error> reset_by_peer() {
  return peer_failure(Cause::closed, "connection reset by peer");
}
std::unexpected<Error> too_late(std::string_view doing) {
  return peer_failure(Cause::timed_out, std::string(doing) + ": no answer in time");
}

/// Shows a waiter to the connection while it waits, and takes it and its timer back also when the
/// frame is destroyed.
struct Wait {
  Clock& clock;
  std::shared_ptr<SimConnection> connection;
  Waiter*& slot;
  Waiter waiter;
  Clock::TimerId timer = 0;

  Wait(Clock& c, std::shared_ptr<SimConnection> of, Waiter*& s, Deadline deadline)
      : clock(c), connection(std::move(of)), slot(s) {
    CHECK(slot == nullptr);
    slot = &waiter;
    if (!deadline.is_never()) timer = clock.call_at(deadline.time(), [this] { waiter.resume(); });
  }
  ~Wait() {
    slot = nullptr;
    if (timer != 0) clock.cancel(timer);
  }
};

}  // namespace

void SimConnection::wake(std::size_t side) {
  if (sides[side].reader != nullptr) sides[side].reader->resume();
  if (sides[side].writer != nullptr) sides[side].writer->resume();
}

Task<> SimStream::wait(Waiter* SimConnection::Side::* slot, Deadline deadline) {
  Wait wait(clock_, connection_, mine().*slot, deadline);
  co_await wait.waiter.suspend();
}

Task<Result<>> SimStream::readable(Deadline deadline) {
  while (mine().open) {
    if (!mine().inbox.empty() || mine().ended || mine().failed) co_return Result<>{};
    if (deadline.passed(clock_.now())) co_return too_late("read");
    co_await wait(&SimConnection::Side::reader, deadline);
  }
  co_return closed_here();
}

Task<Result<std::size_t>> SimStream::read_some(std::span<char> into, Deadline deadline) {
  CHECK(!into.empty());
  while (mine().open) {
    if (deadline.passed(clock_.now())) co_return too_late("read");
    std::string& inbox = mine().inbox;
    if (!inbox.empty()) {
      const std::size_t most = fabric_.faults.one_byte_reads ? 1 : into.size();
      const std::size_t count = std::min(most, inbox.size());
      std::copy_n(inbox.begin(), count, into.begin());
      inbox.erase(0, count);
      mine().on_the_way -= count;
      if (theirs().writer != nullptr) theirs().writer->resume();
      co_return count;
    }
    if (mine().failed) co_return reset_by_peer();
    if (mine().ended) co_return std::size_t{0};
    co_await wait(&SimConnection::Side::reader, deadline);
  }
  co_return closed_here();
}

Task<Result<>> SimStream::write_all(std::string_view bytes, Deadline deadline) {
  while (mine().open) {
    CHECK(!mine().write_ended);
    if (bytes.empty()) co_return Result<>{};
    if (mine().failed) co_return reset_by_peer();
    if (deadline.passed(clock_.now())) co_return too_late("write");
    const std::size_t space = window_bytes - std::min(window_bytes, theirs().on_the_way);
    if (space == 0) {
      co_await wait(&SimConnection::Side::writer, deadline);
      continue;
    }
    if (fabric_.core_.chance_per_mille(fabric_.faults.resets_per_mille)) {
      mine().failed = true;
      fabric_.send_reset(connection_, 1 - side_, fabric_.latency());
      co_return reset_by_peer();
    }
    const std::string_view part = bytes.substr(0, space);
    fabric_.send(connection_, 1 - side_, std::string(part));
    bytes.remove_prefix(part.size());
  }
  co_return closed_here();
}

std::size_t SimStream::write_now(std::string_view bytes) {
  if (!mine().open || mine().failed || mine().write_ended) return 0;
  const std::size_t space = window_bytes - std::min(window_bytes, theirs().on_the_way);
  const std::string_view part = bytes.substr(0, space);
  if (!part.empty()) fabric_.send(connection_, 1 - side_, std::string(part));
  return part.size();
}

void SimStream::close() {
  if (!mine().open) return;
  mine().open = false;
  connection_->wake(side_);
  if (mine().failed) return;
  // As TCP does: with bytes unread the peer gets a reset, not an end.
  if (fabric_.faults.lose_final_bytes || !mine().inbox.empty()) {
    if (fabric_.faults.lose_final_bytes) ++theirs().epoch;
    fabric_.send_reset(connection_, 1 - side_, fabric_.latency());
  } else if (!std::exchange(mine().write_ended, true)) {
    fabric_.send_end(connection_, 1 - side_);
  }
}

void SimStream::shutdown_write() {
  if (!mine().open || mine().failed || std::exchange(mine().write_ended, true)) return;
  fabric_.send_end(connection_, 1 - side_);
}

Task<Result<std::unique_ptr<Stream>>> SimListener::accept() {
  while (open_) {
    if (!backlog_.empty()) {
      auto connection = std::move(backlog_.front());
      backlog_.pop_front();
      co_return std::make_unique<SimStream>(fabric_, clock_, std::move(connection), 1);
    }
    Wait wait(clock_, nullptr, waiter_, Deadline::never());
    co_await wait.waiter.suspend();
  }
  co_return our_failure(Cause::cancelled, "the listener was closed");
}

void SimListener::close() {
  if (!std::exchange(open_, false)) return;
  fabric_.listeners_.erase(place_);
  for (const auto& connection : backlog_) {
    connection->sides[1].open = false;
    fabric_.send_reset(connection, 0, fabric_.latency());
  }
  backlog_.clear();
  if (waiter_ != nullptr) waiter_->resume();
}

bool SimListener::offer(std::shared_ptr<SimConnection> connection) {
  if (!open_ || backlog_.size() >= backlog_max) return false;
  backlog_.push_back(std::move(connection));
  if (waiter_ != nullptr) waiter_->resume();
  return true;
}

}  // namespace postern::io
