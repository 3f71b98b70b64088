#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "io/network.h"

namespace postern::sim {

/// Connections of one host to each address, from the attempt to the close.
struct ConnectionCounts {
  std::map<IpAddress, std::size_t> now;
  std::map<IpAddress, std::size_t> most;
};

/// One of them, as long as it lives.
class CountedConnection {
 public:
  CountedConnection(ConnectionCounts& counts, const IpAddress& to) : counts_(&counts), to_(to) {
    counts.most[to] = std::max(counts.most[to], ++counts.now[to]);
  }
  CountedConnection(CountedConnection&& other) noexcept
      : counts_(std::exchange(other.counts_, nullptr)), to_(other.to_) {}
  CountedConnection& operator=(CountedConnection&&) = delete;
  ~CountedConnection() { end(); }
  void end() {
    if (counts_ != nullptr) --counts_->now[to_];
    counts_ = nullptr;
  }

 private:
  ConnectionCounts* counts_;
  IpAddress to_;
};

class CountedStream final : public io::Stream {
 public:
  CountedStream(std::unique_ptr<io::Stream> stream, CountedConnection counted)
      : stream_(std::move(stream)), counted_(std::move(counted)) {}

  io::Task<Result<>> readable(io::Deadline deadline) override {
    return stream_->readable(deadline);
  }
  io::Task<Result<std::size_t>> read_some(std::span<char> into, io::Deadline deadline) override {
    return stream_->read_some(into, deadline);
  }
  io::Task<Result<>> write_all(std::string_view bytes, io::Deadline deadline) override {
    return stream_->write_all(bytes, deadline);
  }
  std::size_t write_now(std::string_view bytes) override { return stream_->write_now(bytes); }
  void close() override {
    counted_.end();
    stream_->close();
  }
  void shutdown_write() override { stream_->shutdown_write(); }
  [[nodiscard]] Endpoint local() const override { return stream_->local(); }
  [[nodiscard]] Endpoint remote() const override { return stream_->remote(); }

 private:
  std::unique_ptr<io::Stream> stream_;
  CountedConnection counted_;
};

/// The gateway's network: counts what goes out. A next hop could not: to it, an old connection
/// ends a little after the gateway has ended it.
class CountingNetwork final : public io::Network {
 public:
  CountingNetwork(io::Network& network, ConnectionCounts& counts)
      : network_(network), counts_(counts) {}

  Result<std::unique_ptr<io::Listener>> listen(Endpoint at) override { return network_.listen(at); }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect(Endpoint to, io::Deadline deadline,
                                                        const IpAddress* from) override {
    CountedConnection counted(counts_, to.address);
    CO_TRY(auto stream, co_await network_.connect(to, deadline, from));
    co_return std::make_unique<CountedStream>(std::move(stream), std::move(counted));
  }
  Result<std::unique_ptr<io::Listener>> listen_local(std::string path) override {
    return network_.listen_local(std::move(path));
  }
  io::Task<Result<std::unique_ptr<io::Stream>>> connect_local(std::string path,
                                                              io::Deadline deadline) override {
    return network_.connect_local(std::move(path), deadline);
  }

 private:
  io::Network& network_;
  ConnectionCounts& counts_;
};

}  // namespace postern::sim
