#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

/// One header field. Views into the content that it was read from.
struct HeaderField {
  std::string_view name;   ///< without the colon and blanks before it
  std::string_view value;  ///< after the colon, folded as it came, without the last line end
  std::string_view raw;    ///< all of it, its last line end included
};

/// RFC 5322 section 2.2: walks over the header fields at the start of a content, in order. A line
/// that is no field ends the header section, as the empty line does: what follows is body. Reads
/// each byte once; holds no memory. Lines end in CRLF; a lone LF is taken for one.
class HeaderReader {
 public:
  /// `content` outlives the reader and what it returns.
  explicit HeaderReader(std::string_view content) : content_(content) {}

  /// The next field, or nothing at the end of the header section.
  std::optional<HeaderField> next();
  /// Where the body starts, behind the empty line; only after next() returned nothing. The
  /// content's size when there is no body.
  [[nodiscard]] std::size_t body_offset() const { return position_; }

 private:
  std::string_view content_;
  std::size_t position_ = 0;
  bool ended_ = false;
};

/// RFC 5322 section 2.2.3: the value on one line: each fold is replaced by its blank, blanks at
/// both ends are removed. At most `length_max` bytes of it.
std::string unfold(std::string_view value, std::size_t length_max = 4096);

/// The unfolded value of the first field with this name (in any case), if there is one.
std::optional<std::string> find_header(std::string_view content, std::string_view name);

}  // namespace postern::mail
