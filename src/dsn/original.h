#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dsn/compose.h"

/// What a report takes from the original message.
namespace postern::dsn {

/// The third part of the report.
struct Returned {
  std::string_view content;
  std::string encoded{};  ///< instead of `content` when not empty
  std::string_view type;
  std::string_view encoding;
  std::string_view description;
  [[nodiscard]] std::string_view bytes() const { return encoded.empty() ? content : encoded; }
};

/// The original, or its header, in a form that may travel in this report. `report_smtputf8`: the
/// report may hold UTF-8 as it is.
Returned returned_part(const Report& report, const ComposeLimits& limits, bool report_smtputf8);

/// RFC 5322 section 3.6.4: the Message-ID of the original, and what its answer's References hold:
/// those of the original, then that. Nothing when it has none or it is not well formed.
struct Thread {
  std::string message_id;
  std::vector<std::string> references;
};
Thread thread_of(std::string_view content);

}  // namespace postern::dsn
