#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace postern::net {

/// A request for a page: GET, or HEAD, which only asks what GET would say.
struct HttpRequest {
  std::string path;    ///< of the target, without its query
  std::string accept;  ///< the Accept field, or empty
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpLimits {
  std::size_t header_bytes_max = 8 * 1024;
  std::size_t requests_max = 10'000;  ///< of one connection, which then ends
};

/// The server's side of one HTTP/1.1 connection (RFC 9112), without I/O: bytes in, requests for
/// pages out, replies in, bytes out. What is no request for a page is answered here: another method
/// (405), a body (413), a header section beyond the limit (431), what is not HTTP (400).
/// Boost.Beast knows the protocol; this keeps it bounded.
class HttpExchange {
 public:
  explicit HttpExchange(HttpLimits limits = {});

  enum class Wants : std::uint8_t {
    bytes,  ///< feed() more
    reply,  ///< reply() to request()
    end,    ///< send output(), then close
  };
  /// Takes bytes of the client's. At most header_bytes_max at once.
  void feed(std::string_view bytes);
  [[nodiscard]] Wants wants() const { return wants_; }
  [[nodiscard]] const HttpRequest& request() const { return request_; }
  /// Answers request(); then wants() is what comes next, also of what was fed already.
  void reply(const HttpReply& reply, WallTime now);
  /// Whether a request has begun and is not complete.
  [[nodiscard]] bool in_middle() const { return !pending_.empty(); }
  /// What is to be sent, and forgets it.
  std::string take_output();

 private:
  void parse();
  template <typename Message>
  void take_request(const Message& message);
  void refuse(unsigned status, std::string_view why);
  void write(const HttpReply& reply, WallTime now);

  HttpLimits limits_;
  Wants wants_ = Wants::bytes;
  HttpRequest request_;
  bool head_ = false;
  bool keep_alive_ = true;
  std::size_t requests_ = 0;
  std::string pending_;  // fed, and not used yet
  std::string output_;
};

}  // namespace postern::net
