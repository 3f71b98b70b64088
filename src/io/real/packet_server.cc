#include "io/real/packet_server.h"

#include <array>

#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "base/check.h"

namespace postern::io {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using UdpSocket = asio::basic_datagram_socket<asio::ip::udp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
constexpr std::size_t message_bytes_max = 65'535;
constexpr int bind_attempts_max = 50;

struct Connection {
  explicit Connection(TcpSocket accepted) : socket(std::move(accepted)) {}
  TcpSocket socket;
  std::array<unsigned char, 2> length{};
  std::string message;
};

}  // namespace

struct PacketServer::State : std::enable_shared_from_this<State> {
  State(const Executor& executor, Respond respond_with)
      : respond(std::move(respond_with)),
        udp(executor),
        tcp(executor),
        buffer(message_bytes_max, 0) {}

  bool bind() {
    error_code error;
    udp.open(asio::ip::udp::v4(), error);
    udp.bind({asio::ip::address_v4::loopback(), 0}, error);
    if (error) return false;
    const auto port = udp.local_endpoint().port();
    tcp.open(asio::ip::tcp::v4(), error);
    tcp.bind({asio::ip::address_v4::loopback(), port}, error);
    if (!error) tcp.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return true;
    udp.close();
    tcp.close();
    return false;
  }

  void receive() {
    udp.async_receive_from(asio::buffer(buffer), from,
                           [self = shared_from_this()](const error_code& error, std::size_t size) {
                             if (error == asio::error::operation_aborted || !self->udp.is_open())
                               return;
                             if (!error) self->respond_to_datagram(size);
                             self->receive();
                           });
  }

  void respond_to_datagram(std::size_t size) {
    for (Reply& reply : respond(std::string_view(buffer.data(), size), Transport::udp))
      send(std::move(reply), from);
  }

  void send(Reply reply, const asio::ip::udp::endpoint& to) {
    error_code ignored;
    if (reply.after <= Duration::zero()) {
      udp.send_to(asio::buffer(reply.bytes), to, 0, ignored);
      return;
    }
    const auto timer = std::make_shared<Timer>(udp.get_executor(), reply.after);
    timer->async_wait(
        [self = shared_from_this(), timer, to, bytes = std::move(reply.bytes)](const error_code&) {
          error_code unsent;
          if (self->udp.is_open()) self->udp.send_to(asio::buffer(bytes), to, 0, unsent);
        });
  }

  void accept() {
    tcp.async_accept([self = shared_from_this()](const error_code& error, TcpSocket socket) {
      if (error == asio::error::operation_aborted || !self->tcp.is_open()) return;
      if (!error) self->read(std::make_shared<Connection>(std::move(socket)));
      self->accept();
    });
  }

  void read(const std::shared_ptr<Connection>& connection) {
    asio::async_read(connection->socket, asio::buffer(connection->length),
                     [self = shared_from_this(), connection](const error_code& error, std::size_t) {
                       if (!error) self->read_message(connection);
                     });
  }

  void read_message(const std::shared_ptr<Connection>& connection) {
    const auto size = static_cast<std::size_t>(connection->length[0] << 8 | connection->length[1]);
    connection->message.resize(size);
    asio::async_read(connection->socket, asio::buffer(connection->message),
                     [self = shared_from_this(), connection](const error_code& error, std::size_t) {
                       if (!error) self->respond_to_message(connection);
                     });
  }

  void respond_to_message(const std::shared_ptr<Connection>& connection) {
    const auto replies = respond(connection->message, Transport::tcp);
    if (replies.empty()) return;
    const std::string& response = replies.back().bytes;
    CHECK(response.size() <= message_bytes_max);
    connection->message.clear();
    connection->message += static_cast<char>(response.size() >> 8);
    connection->message += static_cast<char>(response.size() & 0xff);
    connection->message += response;
    asio::async_write(connection->socket, asio::buffer(connection->message),
                      [connection](const error_code&, std::size_t) {});
  }

  Respond respond;
  UdpSocket udp;
  TcpAcceptor tcp;
  std::string buffer;
  asio::ip::udp::endpoint from;
};

PacketServer::PacketServer(const Executor& executor, Respond respond)
    : state_(std::make_shared<State>(executor, std::move(respond))) {
  bool bound = false;
  for (int i = 0; i < bind_attempts_max && !bound; ++i) bound = state_->bind();
  CHECK(bound);
  state_->receive();
  state_->accept();
}

PacketServer::~PacketServer() {
  error_code ignored;
  state_->udp.close(ignored);
  state_->tcp.close(ignored);
  // Handlers of the closed sockets may still run: they must not call what the owner captured.
  state_->respond = [](std::string_view, Transport) { return std::vector<Reply>{}; };
}

void PacketServer::refuse_tcp() {
  error_code ignored;
  state_->tcp.close(ignored);
}

Endpoint PacketServer::local() const {
  return Endpoint{IpAddress::from_v4({127, 0, 0, 1}), state_->udp.local_endpoint().port()};
}

}  // namespace postern::io
