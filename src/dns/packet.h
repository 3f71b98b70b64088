#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/resolver.h"
#include "dns/zone_text.h"

/// DNS messages (RFC 1035 section 4): just what reading an answer needs. testing/message.h writes.
namespace postern::dns {

/// Records that are read of one message. More cannot matter: ten PTR names are looked at.
inline constexpr std::size_t packet_records_max = 512;

/// Reads the answer to a question for `name` (in our form) and `type`, following the CNAMEs that
/// the message itself holds. nullopt when it is malformed or no answer to that question: bytes are
/// whatever a server sent. Status is ok, no_data, nx_domain or, for any other response code,
/// serv_fail; `secure` is left to the caller. Never reads beyond `packet`.
std::optional<Answer> read_answer(std::span<const std::uint8_t> packet, const std::string& name,
                                  Type type);

/// A question as a server reads it.
struct Question {
  std::uint16_t id = 0;
  std::string name;  ///< in our form
  std::uint16_t type = 0;
  bool has_edns = false;  ///< an OPT record follows (RFC 6891)
  std::string bytes;      ///< the question section, to be repeated in the answer
};
std::optional<Question> read_question(std::span<const std::uint8_t> packet);

/// RFC 1035 section 4.1.1: response codes.
enum class ResponseCode : std::uint8_t { no_error = 0, serv_fail = 2, nx_domain = 3, refused = 5 };

}  // namespace postern::dns
