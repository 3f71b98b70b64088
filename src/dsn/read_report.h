#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::dsn {

inline constexpr std::size_t read_recipients_max = 100'000;

/// One block of fields, names in lower case, values on one line.
using StatusFields = std::vector<std::pair<std::string, std::string>>;

/// A delivery status notification as its reader finds it.
struct ReadReport {
  std::string human;                     ///< the part for people, decoded, CRLF line ends
  StatusFields message;                  ///< Reporting-MTA and the like
  std::vector<StatusFields> recipients;  ///< at least one
  std::string returned_type;             ///< "message/rfc822", ...; empty when nothing came back
  std::string returned;                  ///< the original or its header, decoded
};

/// The value of a field in any case of its name; empty when it is not there.
std::string_view field_of(const StatusFields& fields, std::string_view name);

/// Reads RFC 6522 multipart/report of type delivery-status with RFC 3464 fields, or their RFC 6533
/// forms, CRLF line ends. Strict: what a report must have is there, or the error says what is not.
std::expected<ReadReport, std::string> read_report(std::string_view message);

}  // namespace postern::dsn
