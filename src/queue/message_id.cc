#include <cstddef>
#include <limits>

#include "base/text.h"
#include "queue/queue.h"

namespace postern::queue {
namespace {

// Crockford's base 32: no I, L, O or U, so that an id can be read aloud and typed again.
constexpr std::string_view letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t text_length = 13;  // 13 times 5 bits hold 64

int letter_value(char c) {
  const char upper = ascii_alpha(c) ? static_cast<char>(ascii_lower(c) - 32) : c;
  if (upper == 'O') return 0;
  if (upper == 'I' || upper == 'L') return 1;
  const std::size_t at = letters.find(upper);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string MessageId::text() const {
  std::string out(text_length, '0');
  std::uint64_t rest = value;
  for (std::size_t i = text_length; i-- > 0; rest >>= 5) out[i] = letters[rest & 31];
  return out;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != text_length) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const int digit = letter_value(c);
    if (digit < 0 || value > (std::numeric_limits<std::uint64_t>::max() >> 5)) return std::nullopt;
    value = (value << 5) | static_cast<std::uint64_t>(digit);
  }
  return MessageId{value};
}

}  // namespace postern::queue
