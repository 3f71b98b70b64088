#include "net/http_exchange.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/text.h"

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

/// Behind the empty line that ends a header section; npos: there is none yet. Also behind one that
/// is ended by LF alone, which Beast then refuses.
std::size_t end_of_section(std::string_view bytes) {
  for (auto line = bytes.find('\n'); line != std::string_view::npos;
       line = bytes.find('\n', line)) {
    const std::string_view next = bytes.substr(++line);
    if (next.starts_with("\r\n")) return line + 2;
    if (next.starts_with('\n')) return line + 1;
  }
  return std::string_view::npos;
}

}  // namespace

HttpExchange::HttpExchange(HttpLimits limits) : limits_(limits) {}

void HttpExchange::feed(std::string_view bytes) {
  if (wants_ == Wants::end) return;
  pending_ += bytes;
  if (wants_ == Wants::bytes) parse();
}

// Beast gets a header section as a whole: what it says of half of one depends on where it was cut.
void HttpExchange::parse() {
  head_ = false;
  // What speaks TLS to this port hears at once that it should not.
  if (!pending_.empty() && !ascii_alnum(pending_.front())) return refuse(400, "this is not HTTP");
  const std::size_t end = end_of_section(pending_);
  if (std::min(end, pending_.size()) > limits_.header_bytes_max)
    return refuse(431, "the header section is too long");
  if (end == std::string::npos) return;
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
  parser.body_limit(0);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(pending_.data(), end), error);
  pending_.erase(0, end);
  if (error == http::error::header_limit) return refuse(431, "the header section is too long");
  const bool has_body = error == http::error::unexpected_body || error == http::error::body_limit ||
                        (parser.is_header_done() && !parser.is_done());
  if (has_body) return refuse(413, "requests have no body here");
  if (error || !parser.is_done()) return refuse(400, "this is not HTTP");
  take_request(parser.get());
}

template <typename Message>
void HttpExchange::take_request(const Message& message) {
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
}

std::string HttpExchange::take_output() {
  return std::exchange(output_, std::string());
}

}  // namespace postern::net
