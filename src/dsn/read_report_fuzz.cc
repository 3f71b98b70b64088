// A report comes from anybody. What is read holds what a report must have, and is read the same
// when it is written again.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dsn/compose.h"
#include "dsn/read_report.h"

using namespace postern;

namespace {

dsn::Action action_of(std::string_view text) {
  if (equal_ignoring_case(text, "delayed")) return dsn::Action::delayed;
  if (equal_ignoring_case(text, "delivered")) return dsn::Action::delivered;
  if (equal_ignoring_case(text, "relayed")) return dsn::Action::relayed;
  if (equal_ignoring_case(text, "expanded")) return dsn::Action::expanded;
  return dsn::Action::failed;
}

std::string behind_type(std::string_view value) {
  return std::string(trim(value.substr(std::min(value.find(';'), value.size() - 1) + 1)));
}

/// The facts that another report tells, in one of ours.
dsn::Report facts_of(const dsn::ReadReport& read) {
  dsn::Report report;
  report.reporting_mta = "gw.example.net";
  report.to = "alice@example.org";
  report.unique = "4F7KQ2";
  report.envelope_id = dsn::field_of(read.message, "original-envelope-id");
  for (const dsn::StatusFields& fields : read.recipients) {
    if (report.recipients.size() == 100) break;
    dsn::RecipientResult result;
    const std::string_view final_recipient = dsn::field_of(fields, "final-recipient");
    if (!final_recipient.empty()) result.final_recipient = behind_type(final_recipient);
    result.action = action_of(dsn::field_of(fields, "action"));
    result.status = dsn::field_of(fields, "status");
    result.remote_reply = dsn::field_of(fields, "diagnostic-code");
    report.recipients.push_back(std::move(result));
  }
  report.content = read.returned;
  return report;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto read = dsn::read_report(text);
  if (!read) {
    CHECK(!read.error().empty() && read.error().size() < 500);
    return 0;
  }
  CHECK(!read->recipients.empty() && read->recipients.size() <= dsn::read_recipients_max);
  CHECK(read->human.size() + read->returned.size() <= size);
  for (const dsn::StatusFields& fields : read->recipients)
    for (const auto& [name, value] : fields)
      CHECK(value.find_first_of("\r\n") == std::string::npos && name == to_lower(name));

  const auto once = dsn::read_report(dsn::compose(facts_of(*read)).content);
  CHECK(once);
  const auto twice = dsn::read_report(dsn::compose(facts_of(*once)).content);
  CHECK(twice && twice->recipients.size() == once->recipients.size());
  for (std::size_t i = 0; i < once->recipients.size(); ++i)
    for (const char* name : {"action", "status"})
      CHECK(dsn::field_of(once->recipients[i], name) == dsn::field_of(twice->recipients[i], name));
  return 0;
}
