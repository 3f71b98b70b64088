#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::smtp {

/// RFC 3463 section 2: "class.subject.detail".
struct EnhancedStatus {
  std::uint8_t status_class = 0;  ///< 2, 4 or 5
  std::uint16_t subject = 0;      ///< 0 to 999
  std::uint16_t detail = 0;       ///< 0 to 999

  /// "4.7.25"
  [[nodiscard]] std::string text() const;
  /// The whole text is one; nullopt otherwise (also for classes other than 2, 4, 5 and for leading
  /// zeros).
  static std::optional<EnhancedStatus> parse(std::string_view text);
  /// One at the start of `text`, ended by a blank or the end; then it and the blanks behind it are
  /// removed from `text`.
  static std::optional<EnhancedStatus> take(std::string_view& text);

  bool operator==(const EnhancedStatus&) const = default;
};

}  // namespace postern::smtp
