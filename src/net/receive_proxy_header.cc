#include "net/receive_proxy_header.h"

#include <algorithm>
#include <array>

namespace postern::net {

io::Task<Result<ProxyHeader>> receive_proxy_header(io::Stream& stream, io::Deadline deadline) {
  ProxyHeaderReader reader;
  std::array<char, 512> buffer;
  while (reader.state() == ProxyHeaderReader::State::reading) {
    const std::size_t size = std::min(reader.wanted(), buffer.size());
    CO_TRY(const std::size_t count,
           co_await stream.read_some(std::span(buffer).first(size), deadline));
    if (count == 0) co_return peer_failure(Cause::closed, "end of stream");
    reader.feed({buffer.data(), count});
  }
  if (reader.state() == ProxyHeaderReader::State::malformed)
    co_return peer_failure(Cause::other, std::string(reader.fault()));
  co_return reader.header();
}

}  // namespace postern::net
