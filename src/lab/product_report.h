#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "upstream/profile.h"

namespace postern::lab {

enum class ReportKind : std::uint8_t {
  failure,  ///< it gave up
  refusal,  ///< somebody refused for good, which it tells at once
  delay
};

/// What a report is about.
struct ReportFacts {
  ReportKind kind = ReportKind::failure;
  std::string host;       ///< of the server that writes it
  std::string sender;     ///< of the original, to whom the report goes
  std::string recipient;  ///< who did not get it
  std::string reply;      ///< the last, "450 4.7.25 ..."; or why there was none
  std::string stage;      ///< "RCPT TO"
  std::string mx;
  std::string mx_ip;
  std::string unique;
  WallTime now;
  Duration waited{};
  std::string_view content;  ///< the original, CRLF line ends
};

/// The report as the product writes it: its From, its Subject, its words. CRLF line ends. A product
/// that does not quote the reply gets it nowhere in, unless it was final, which they all quote.
std::string product_report(const upstream::Profile& profile, const ReportFacts& facts);

/// The From field of its reports.
std::string product_from(const upstream::Profile& profile, std::string_view host);
/// The Subject field of its reports.
std::string product_subject(const upstream::Profile& profile, const ReportFacts& facts);

}  // namespace postern::lab
