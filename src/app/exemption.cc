#include "app/exemption.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/explanation.h"
#include "app/impact_text.h"
#include "app/values.h"
#include "base/text.h"

namespace postern::app {
namespace {

/// A basic string of TOML. What printable() writes needs no more than this.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// Of its senders, when it is one and all of them are known.
std::string only_domain(const ledger::LoggedClient& seen) {
  if (seen.senders.empty() || seen.senders.size() >= ledger::LoggedClient::examples_kept) return {};
  const std::string domain = domain_of(seen.senders.front());
  const bool only = std::ranges::all_of(
      seen.senders, [&domain](const std::string& sender) { return domain_of(sender) == domain; });
  return only ? domain : std::string();
}

std::string exemption_of(const ledger::RefusedClient& client, policy::AnswerAt answer_at) {
  constexpr std::size_t comment_address_max = 60;
  const auto& senders = client.seen.senders;
  const std::string sender =
      senders.empty() ? "no sender known" : shown_address(senders.front(), comment_address_max);
  return exemption(client.address, only_domain(client.seen),
                   fmt::format("{}: {}", sender, client.finding.cause), answer_at);
}

}  // namespace

std::string exemption(const IpAddress& client, std::string_view sender_domain,
                      std::string_view comment, policy::AnswerAt answer_at) {
  std::string block = fmt::format("[[unknown_ip.override]]\nnetwork = \"{}\"\n", client.text());
  const auto domain = parse_domain(sender_domain);
  if (domain && answer_at >= policy::AnswerAt::mail)
    block += fmt::format("sender_domain = \"{}\"\n", *domain);
  return block + fmt::format("action = \"accept\"\ncomment = {}\n", quoted(comment));
}

std::vector<std::string> exemptions(const ledger::Impact& impact, policy::AnswerAt answer_at,
                                    std::size_t count_max) {
  std::vector<std::string> blocks;
  for (const ledger::RefusedClient& client : impact.clients) {
    if (!client.to_exempt || blocks.size() == count_max) break;
    if (client.finding.override_name.empty()) blocks.push_back(exemption_of(client, answer_at));
  }
  return blocks;
}

std::string exemptions_text(const ledger::Impact& impact, policy::AnswerAt answer_at,
                            std::size_t count_max) {
  std::string text;
  for (const std::string& block : exemptions(impact, answer_at, count_max)) text += "\n" + block;
  return text.empty()
             ? text
             : "\nTo let in those whose mail is likely wanted, in the configuration:\n" + text;
}

}  // namespace postern::app
