#include <algorithm>
#include <fmt/format.h>

#include "app/explanation.h"
#include "base/text.h"
#include "dns/name.h"

namespace postern::app {
namespace {

using policy::UnknownIpState;

/// Who looks after the server that sends this mail. A sender is a stranger's text, and reaches a
/// header field only when it is an address.
std::string postmaster_of(const Explanation& explanation) {
  std::string domain = domain_of(explanation.sender);
  if (domain.empty() && dns::is_host_name(to_lower(explanation.helo)))
    domain = to_lower(explanation.helo);
  return "postmaster@" + (domain.empty() ? explanation.client.literal() : domain);
}

std::string subject(const Explanation& explanation) {
  const std::string client = explanation.client.text();
  switch (explanation.state) {
    case UnknownIpState::temp_error:
      return fmt::format("The reverse name of your mail server {} cannot be looked up", client);
    case UnknownIpState::pass:
    case UnknownIpState::skipped:
      return fmt::format("We do not accept mail from your mail server {}", client);
    default:
      return fmt::format("Your mail server {} has no confirmed reverse name", client);
  }
}

std::string_view reason(UnknownIpState state) {
  switch (state) {
    case UnknownIpState::temp_error:
      return "since the DNS did not tell us the reverse name of its address.";
    case UnknownIpState::pass:
    case UnknownIpState::skipped:
      return "by a rule of ours for this server.";
    default:
      return "since its address has no reverse name in the DNS that leads back to it.";
  }
}

/// RFC 5322 section 2.1.1: no line of more than 998 characters, and better none above 78; a name
/// may have many addresses.
std::string wrapped(std::string_view text) {
  constexpr std::size_t columns = 76;
  std::string out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t indentation = std::min(line.find_first_not_of(' '), line.size());
    const std::string next(indentation == 0 ? 0 : indentation + 2, ' ');
    line.remove_prefix(indentation);
    out.append(indentation, ' ');
    while (line.size() > columns) {
      const std::size_t blank = line.rfind(' ', columns);
      if (blank == std::string_view::npos) break;
      out.append(line.substr(0, blank)).append("\n").append(next);
      line.remove_prefix(blank + 1);
    }
    out.append(line).append("\n");
  }
  return out;
}

/// What the server does about the reply.
std::string_view consequence(const Explanation& explanation, Enforced enforced) {
  const bool refused = enforced == Enforced::yes;
  if (refused_for_good(explanation))
    return refused ? "Your server reports to its users that the mail was not delivered."
                   : "Your server will then report to its users that the mail was not delivered.";
  return refused
             ? "Your server keeps the mail and tries again for some time; then it reports to its "
               "users that\nthe mail was not delivered."
             : "Your server will then keep the mail and try again for some time, and report to "
               "its users in\nthe end that the mail was not delivered.";
}

/// RFC 5322 section 3.6: Date and From have to be there, Message-ID should be.
std::string head(const Explanation& explanation, WallTime now) {
  std::string text =
      fmt::format("From: {}\nTo: {}\nSubject: {}\nDate: {}\n", explanation.postmaster,
                  postmaster_of(explanation), subject(explanation), format_rfc5322(now));
  if (!explanation.case_id.empty())
    text += fmt::format("Message-ID: <{}@{}>\n", explanation.case_id, explanation.hostname);
  // What others wrote reaches it as printable ASCII only.
  return text + "MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n";
}

}  // namespace

std::string letter(const Explanation& explanation, Enforced enforced, WallTime now,
                   std::string_view occasion) {
  const bool refused = enforced == Enforced::yes;
  std::string text = head(explanation, now) + std::string(occasion);
  text +=
      refused
          ? "We answered it\n"
          : "We took the mail. When the check that it failed is enforced, your server will read\n";
  text += fmt::format("\n    {}\n\n{}\n{}\n", printable(explanation.reply, 512),
                      reason(explanation.state), consequence(explanation, enforced));
  const policy::Remedy& remedy = explanation.remedy;
  if (!remedy.records.empty()) {
    text += "\nThese records in the DNS mend it:\n\n";
    for (const std::string& record : remedy.records) text += "    " + record + "\n";
  }
  if (!remedy.advice.empty()) text += "\n";
  for (const std::string& advice : remedy.advice) text += wrapped(advice);
  return text +
         fmt::format("\nWhat we found:\n\n{}", indented(wrapped(lookups_text(explanation.iprev))));
}

}  // namespace postern::app
