#include "net/http_exchange.h"

#include <fmt/format.h>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

namespace postern::net {
namespace {

namespace http = boost::beast::http;

/// RFC 9110 section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", always with two digits for the day.
std::string http_date(WallTime time) {
  std::string text = format_rfc5322(time);
  if (text.ends_with("+0000")) text.replace(text.size() - 5, 5, "GMT");
  if (text.size() > 6 && text[6] == ' ') text.insert(5, "0");
  return text;
}

std::string text_of(boost::core::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct HttpExchange::Parser {
  explicit Parser(const HttpLimits& limits) {
    request.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    request.body_limit(0);
  }
  http::request_parser<http::empty_body> request;
};

HttpExchange::HttpExchange(HttpLimits limits)
    : limits_(limits), parser_(std::make_unique<Parser>(limits)) {}

HttpExchange::~HttpExchange() = default;

void HttpExchange::feed(std::string_view bytes) {
  if (wants_ == Wants::end) return;
  pending_ += bytes;
  if (wants_ == Wants::bytes) parse();
}

void HttpExchange::parse() {
  boost::system::error_code error;
  const std::size_t used =
      parser_->request.put(boost::asio::buffer(pending_.data(), pending_.size()), error);
  pending_.erase(0, used);
  const auto& request = parser_->request;
  if ((!error || error == http::error::need_more) && request.is_header_done() && !request.is_done())
    return refuse(413, "requests have no body here");
  if (error == http::error::need_more) {
    if (pending_.size() > limits_.header_bytes_max) refuse(431, "the header section is too long");
    return;
  }
  if (error == http::error::header_limit) return refuse(431, "the header section is too long");
  if (error == http::error::unexpected_body || error == http::error::body_limit)
    return refuse(413, "requests have no body here");
  if (error) return refuse(400, "this is not HTTP");
  if (request.is_done()) take_request();
}

void HttpExchange::take_request() {
  const auto& message = parser_->request.get();
  keep_alive_ = message.keep_alive() && ++requests_ < limits_.requests_max;
  head_ = message.method() == http::verb::head;
  // RFC 9112 section 3.2: a request of HTTP/1.1 names its host, once.
  if (message.version() >= 11 && message.count(http::field::host) != 1)
    return refuse(400, "there must be one Host");
  if (!head_ && message.method() != http::verb::get)
    return refuse(405, "only GET and HEAD are answered here");
  const std::string target = text_of(message.target());
  request_.path = target.substr(0, target.find('?'));
  request_.accept = text_of(message[http::field::accept]);
  wants_ = Wants::reply;
}

// What follows on the connection is not understood, or not wanted: it ends.
void HttpExchange::refuse(unsigned status, std::string_view why) {
  keep_alive_ = false;
  write({.status = status, .body = std::string(why) + "\n"}, WallTime());
  pending_.clear();
}

void HttpExchange::reply(const HttpReply& reply, WallTime now) {
  write(reply, now);
  if (wants_ != Wants::bytes || pending_.empty()) return;
  parse();
}

void HttpExchange::write(const HttpReply& reply, WallTime now) {
  http::response<http::string_body> message(static_cast<http::status>(reply.status), 11);
  message.set(http::field::content_type, reply.content_type);
  // RFC 9110 section 6.6.1: a server with a clock says when it answered.
  if (now != WallTime()) message.set(http::field::date, http_date(now));
  message.set(http::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  // RFC 9110 section 15.5.6: 405 names the methods that there are.
  if (reply.status == 405) message.set(http::field::allow, "GET, HEAD");
  message.keep_alive(keep_alive_);
  message.body() = reply.body;
  message.prepare_payload();
  http::serializer<false, http::string_body> serializer(message);
  serializer.split(true);
  boost::system::error_code error;
  // RFC 9110 section 9.3.2: the reply to HEAD is that to GET without its content.
  while (!error && !serializer.is_done() && !(head_ && serializer.is_header_done()))
    serializer.next(error, [&](boost::system::error_code&, const auto& buffers) {
      std::size_t size = 0;
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != boost::asio::buffer_sequence_end(buffers); ++at) {
        const boost::asio::const_buffer buffer = *at;
        output_.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      serializer.consume(size);
    });
  wants_ = keep_alive_ ? Wants::bytes : Wants::end;
  parser_ = std::make_unique<Parser>(limits_);
}

bool HttpExchange::in_middle() const {
  return !pending_.empty() || parser_->request.got_some();
}

std::string HttpExchange::take_output() {
  return std::exchange(output_, std::string());
}

}  // namespace postern::net
