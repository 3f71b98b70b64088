#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::dsn {

inline constexpr std::size_t field_text_max = 1000;  ///< of one value that a peer controls
/// RFC 5322 section 2.1.1: a line has at most 998 characters and should have at most 78.
inline constexpr std::size_t line_bytes_max = 998;
inline constexpr std::size_t line_bytes_wanted = 78;

/// One line of printable ASCII, whatever came in: a CR or LF in a peer's reply would otherwise
/// write header fields of its own into our report. Other bytes become '?'.
std::string one_line(std::string_view text, std::size_t length_max = field_text_max);

/// "Name: value\r\n", folded at spaces; a word that is too long for any line is broken.
std::string folded_field(std::string_view name, std::string_view value);

/// Paragraph text for people: wrapped at 72 columns, each line after `indent`.
std::string wrapped(std::string_view text, std::string_view indent);

/// RFC 2045 section 6.7, for text with CRLF line ends.
std::string quoted_printable(std::string_view text);

/// RFC 6533 section 3: an address for "rfc822; ..." or, when it is not ASCII, "utf-8; ..." with
/// \x{...} for what ASCII cannot hold.
std::string typed_address(std::string_view address);

/// "failed" -> "5.0.0" when `status` is not an RFC 3463 status of three numbers.
std::string status_or(std::string_view status, std::string_view otherwise);

}  // namespace postern::dsn
