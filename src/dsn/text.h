#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::dsn {

inline constexpr std::size_t field_text_max = 1000;  ///< of one value that a peer controls
/// RFC 5322 section 2.1.1: a line has at most 998 characters and should have at most 78.
inline constexpr std::size_t line_bytes_max = 998;
inline constexpr std::size_t line_bytes_wanted = 78;

/// What a line may hold: printable ASCII, or printable characters in UTF-8 too.
enum class Charset : std::uint8_t { ascii, utf8 };

/// One character of UTF-8 at the front of a text; `bytes` is 0 when none is well formed there.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
};
/// RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF. `text` is not empty.
CodePoint code_point(std::string_view text);
[[nodiscard]] bool is_ascii(std::string_view text);
/// How wide it is when each character takes one column.
[[nodiscard]] std::size_t columns(std::string_view text);

/// One printable line, whatever came in: a CR or LF in a peer's reply would otherwise write header
/// fields of its own into our report. Other bytes become '?', and so do characters that change the
/// direction of what stands around them: a reply could otherwise show what it does not say.
std::string one_line(std::string_view text, std::size_t length_max = field_text_max,
                     Charset charset = Charset::ascii);

/// "Name: value\r\n", folded at spaces, which all stay, up to 486 of them; a word that is too long
/// for any line is broken.
std::string folded_field(std::string_view name, std::string_view value);

/// Text for people: words joined by one space and wrapped at 72 columns, each line after `indent`.
std::string wrapped(std::string_view text, std::string_view indent);

/// RFC 2045 section 6.7, for text with CRLF line ends.
std::string quoted_printable(std::string_view text);

/// RFC 2047: an unstructured value as it may stand in a header; ASCII stays as it is.
std::string encoded_words(std::string_view text);

/// "failed" -> "5.0.0" when `status` is not an RFC 3463 status of three numbers, or of another
/// class than `classes` ("45") names.
std::string status_or(std::string_view status, std::string_view classes,
                      std::string_view otherwise);

}  // namespace postern::dsn
