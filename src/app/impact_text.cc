#include "app/impact_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "app/exemption.h"
#include "app/time_text.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using ledger::Outcome;
using ledger::RefusedClient;

constexpr std::array outcomes{Outcome::recovered, Outcome::given_up, Outcome::never_retried,
                              Outcome::retrying};

std::string client_text(const RefusedClient& client) {
  std::string text = fmt::format("\n  {}  {}: {}\n", client.address.text(),
                                 printable(client.finding.state), printable(client.finding.cause));
  const auto& seen = client.seen;
  text += fmt::format("      accepted {}, refused for its name {}, otherwise {}; {} to {}\n",
                      seen.accepted, seen.refused_unknown_ip, seen.refused_otherwise,
                      minute_text(seen.first), minute_text(seen.last));
  if (!seen.helo.empty()) text += fmt::format("      HELO {}\n", printable(seen.helo, 80));
  if (!seen.senders.empty())
    text += fmt::format("      from {}\n", shown_addresses(seen.senders, 3));
  if (!seen.recipients.empty())
    text += fmt::format("      to {}\n", shown_addresses(seen.recipients, 3));
  for (const std::string& reason : client.wanted_because)
    text += fmt::format("      likely wanted: {}\n", printable(reason));
  return text;
}

array strings(const std::vector<std::string>& values) {
  array out;
  for (const std::string& value : values) out.emplace_back(printable(value));
  return out;
}

object sum_json(const ledger::Impact::Sum& sum) {
  return object{{"clients", sum.clients},
                {"messages", sum.messages},
                {"senders", sum.senders},
                {"recipients", sum.recipients}};
}

object client_json(const RefusedClient& client) {
  const auto& seen = client.seen;
  return object{{"client", client.address.text()},
                {"state", printable(client.finding.state)},
                {"cause", printable(client.finding.cause)},
                {"name_then", printable(seen.name)},
                {"helo", printable(seen.helo)},
                {"connections", seen.connections},
                {"accepted", seen.accepted},
                {"refused_for_name", seen.refused_unknown_ip},
                {"refused_otherwise", seen.refused_otherwise},
                {"authenticated", seen.authenticated},
                {"first", format_iso8601(seen.first)},
                {"last", format_iso8601(seen.last)},
                {"senders", strings(seen.senders)},
                {"recipients", strings(seen.recipients)},
                {"likely_wanted_because", strings(client.wanted_because)}};
}

}  // namespace

std::string shown_address(std::string_view address, std::size_t length_max) {
  return address.empty() ? "<>" : printable(address, length_max);
}

std::string shown_addresses(const std::vector<std::string>& addresses, std::size_t count_max) {
  std::string text;
  for (std::size_t i = 0; i < addresses.size() && i < count_max; ++i)
    text += (i == 0 ? "" : ", ") + shown_address(addresses[i]);
  if (addresses.size() > count_max) text += ", ...";
  return text;
}

std::string_view outcome_sentence(Outcome outcome) {
  switch (outcome) {
    case Outcome::recovered:
      return "came again and were accepted";
    case Outcome::given_up:
      return "were tried again and given up: their senders have a report";
    case Outcome::never_retried:
      return "never came again";
    case Outcome::retrying:
      return "were still being tried at the end";
  }
  return "";
}

std::string outcomes_table(const ledger::Impact& impact) {
  std::string text;
  for (const Outcome outcome : outcomes)
    if (const auto count = impact.outcomes.at(static_cast<std::size_t>(outcome)); count > 0)
      text += fmt::format("  {:>8}  {}\n", count, outcome_sentence(outcome));
  return text;
}

std::string states_table(const ledger::Impact& impact) {
  std::string text = fmt::format("  {:<12} {:>9} {:>12} {:>9} {:>11}\n", "state", "clients",
                                 "messages", "senders", "recipients");
  for (const auto& [state, sum] : impact.by_state)
    text += fmt::format("  {:<12} {:>9} {:>12} {:>9} {:>11}\n", printable(state, 12), sum.clients,
                        sum.messages, sum.senders, sum.recipients);
  return text;
}

std::string clients_text(const ledger::Impact& impact, std::size_t count_max) {
  const auto& clients = impact.clients;
  const std::size_t shown = std::min(clients.size(), count_max);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += client_text(clients[i]);
  if (shown < clients.size())
    text += fmt::format("\n  and {} more: --clients {}\n", clients.size() - shown, clients.size());
  return text;
}

object impact_json(const ledger::Impact& impact, policy::AnswerAt answer_at) {
  object outcome_counts;
  for (const Outcome outcome : outcomes)
    outcome_counts[ledger::outcome_name(outcome)] =
        impact.outcomes.at(static_cast<std::size_t>(outcome));
  object states;
  for (const auto& [state, sum] : impact.by_state) states[printable(state)] = sum_json(sum);
  array exempt;
  for (const std::string& block : exemptions(impact, answer_at, exemptions_max))
    exempt.emplace_back(block);
  array clients;
  for (const RefusedClient& client : impact.clients) clients.push_back(client_json(client));
  return object{{"outcomes", std::move(outcome_counts)},
                {"states", std::move(states)},
                {"refused_today", sum_json(impact.refused)},
                {"who", std::move(clients)},
                {"exempt", std::move(exempt)}};
}

}  // namespace postern::app
