#include "app/exemption.h"

#include <fmt/format.h>

#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

/// A basic string of TOML. What printable() writes needs no more than this.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string exemption(const IpAddress& client, std::string_view sender_domain,
                      std::string_view comment) {
  std::string block = fmt::format("[[unknown_ip.override]]\nnetwork = \"{}\"\n", client.text());
  if (const auto domain = parse_domain(sender_domain))
    block += fmt::format("sender_domain = \"{}\"\n", *domain);
  return block + fmt::format("action = \"accept\"\ncomment = {}\n", quoted(comment));
}

}  // namespace postern::app
