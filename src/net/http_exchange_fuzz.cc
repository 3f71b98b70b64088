#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/http_exchange.h"

namespace {

using postern::net::HttpExchange;
using postern::net::HttpReply;

/// Everything that is sent for `input`, fed in pieces of `step` bytes.
std::string answers(std::string_view input, std::size_t step) {
  HttpExchange exchange({.header_bytes_max = 200, .requests_max = 5});
  std::string output;
  std::size_t requests = 0;
  while (!input.empty() && exchange.wants() != HttpExchange::Wants::end) {
    exchange.feed(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
    while (exchange.wants() == HttpExchange::Wants::reply) {
      CHECK(++requests <= 5);
      const HttpReply reply{.body = "path " + exchange.request().path + "\n"};
      exchange.reply(reply, postern::WallTime());
      output += exchange.take_output();
    }
    output += exchange.take_output();
  }
  return output;
}

}  // namespace

// Whatever is sent gets replies or an end, and the same ones in whatever pieces it comes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes),
                               std::min<std::size_t>(size, 4096));
  CHECK(answers(input, 1) == answers(input, 7));
  return 0;
}
