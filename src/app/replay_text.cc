#include <algorithm>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/replay.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using ledger::Outcome;
using ledger::RefusedClient;

constexpr std::array outcomes{Outcome::recovered, Outcome::given_up, Outcome::never_retried,
                              Outcome::retrying};

std::string_view outcome_words(Outcome outcome) {
  switch (outcome) {
    case Outcome::recovered:
      return "came again and were accepted";
    case Outcome::given_up:
      return "were tried again and given up: their senders have a report";
    case Outcome::never_retried:
      return "never came again";
    case Outcome::retrying:
      return "were still being tried when the log ends";
  }
  return "";
}

std::string day(WallTime time) {
  return format_iso8601(time).substr(0, 16).replace(10, 1, " ");
}

std::string joined(const std::vector<std::string>& values, std::size_t count_max) {
  std::string text;
  for (std::size_t i = 0; i < values.size() && i < count_max; ++i)
    text += (i == 0 ? "" : ", ") + (values[i].empty() ? "<>" : printable(values[i], 80));
  if (values.size() > count_max) text += ", ...";
  return text;
}

std::string head(const ReplayReport& report) {
  const auto& counts = report.counts;
  std::string text = fmt::format("{} lines in {} file{}", counts.lines, report.files,
                                 report.files == 1 ? "" : "s");
  if (counts.unreadable > 0)
    text += fmt::format(", {} of them no lines of a log", counts.unreadable);
  if (counts.first != WallTime())
    text += fmt::format("; from {} to {} UTC", day(counts.first), day(counts.last));
  text += fmt::format("\n{} clients, {} messages accepted\n", report.clients_seen, counts.accepted);
  if (counts.clients_forgotten > 0)
    text += fmt::format("(too many clients: {} lines of others were left out)\n",
                        counts.clients_forgotten);
  return text;
}

std::string refused_then(const ReplayReport& report) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : report.impact.outcomes) all += count;
  if (all == 0 && report.counts.refused_without_recipient == 0) return {};
  std::string text = fmt::format("\nRefused with 4xx then, for the name of the client: {} mail{}\n",
                                 all, all == 1 ? "" : "s");
  for (const Outcome outcome : outcomes)
    if (const auto count = report.impact.outcomes.at(static_cast<std::size_t>(outcome)); count > 0)
      text += fmt::format("  {:>8}  {}\n", count, outcome_words(outcome));
  if (report.counts.refused_without_recipient > 0)
    text += fmt::format("  {:>8}  refusals before RCPT: nobody knows of which mail\n",
                        report.counts.refused_without_recipient);
  return text;
}

std::string by_state(const ledger::Impact& impact) {
  std::string text = "\nToday the check says:\n";
  text += fmt::format("  {:<12} {:>9} {:>12}\n", "state", "clients", "messages");
  for (const auto& [state, sum] : impact.by_state)
    text += fmt::format("  {:<12} {:>9} {:>12}\n", state, sum.clients, sum.messages);
  text += fmt::format("Refused would be {} client{} with {} accepted message{}.\n",
                      impact.refused.clients, impact.refused.clients == 1 ? "" : "s",
                      impact.refused.messages, impact.refused.messages == 1 ? "" : "s");
  if (const auto unknown = impact.by_state.find("temperror"); unknown != impact.by_state.end())
    text += fmt::format(
        "Of {} clients a lookup got no answer; run it again (with --journal only they are asked "
        "for), "
        "or ask other servers: [dns] in --config FILE.\n",
        unknown->second.clients);
  return text;
}

std::string client_text(const RefusedClient& client) {
  std::string text = fmt::format("\n  {}  {}: {}\n", client.address.text(), client.finding.state,
                                 printable(client.finding.cause));
  const auto& seen = client.seen;
  text += fmt::format("      accepted {}, refused for its name {}, otherwise {}; {} to {}\n",
                      seen.accepted, seen.refused_unknown_ip, seen.refused_otherwise,
                      day(seen.first), day(seen.last));
  if (!seen.helo.empty()) text += fmt::format("      HELO {}\n", printable(seen.helo, 80));
  if (!seen.senders.empty()) text += fmt::format("      from {}\n", joined(seen.senders, 3));
  if (!seen.recipients.empty()) text += fmt::format("      to {}\n", joined(seen.recipients, 3));
  for (const std::string& reason : client.wanted_because)
    text += fmt::format("      likely wanted: {}\n", printable(reason));
  return text;
}

/// Those that something speaks for, as the configuration would have them.
std::string exemptions(const ledger::Impact& impact) {
  std::string lines;
  for (const RefusedClient& client : impact.clients)
    if (client.seen.accepted > 0)
      lines += fmt::format("  \"{}\",  # {}: {}\n", client.address.text(),
                           client.seen.senders.empty() ? std::string("no sender known")
                                                       : joined(client.seen.senders, 1),
                           printable(client.finding.cause, 80));
  if (lines.empty()) return {};
  return "\nTo exempt those whose mail was accepted, in [unknown_ip]:\nexempt_networks = [\n" +
         lines + "]\n";
}

array strings(const std::vector<std::string>& values) {
  array out;
  for (const std::string& value : values) out.emplace_back(printable(value));
  return out;
}

object client_json(const RefusedClient& client) {
  const auto& seen = client.seen;
  return object{{"client", client.address.text()},
                {"state", client.finding.state},
                {"cause", client.finding.cause},
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

object deferral_json(const ledger::Deferral& deferral, WallTime end) {
  const ledger::Assessment assessment =
      ledger::assess(deferral, end, upstream::shipped_profiles_read());
  array addresses;
  for (const IpAddress& address : deferral.addresses) addresses.emplace_back(address.text());
  object out{{"clients", std::move(addresses)},
             {"helo", printable(deferral.helo)},
             {"from", printable(deferral.sender)},
             {"to", printable(deferral.recipient)},
             {"attempts", deferral.attempts_count},
             {"first", format_iso8601(deferral.attempts.front())},
             {"last", format_iso8601(deferral.last_attempt)},
             {"outcome", ledger::outcome_name(assessment.outcome)},
             {"upstream", assessment.upstream.profile->name},
             {"probability", assessment.upstream.probability},
             {"gives_up", format_iso8601(assessment.forecast.gives_up)}};
  if (deferral.accepted) {
    out["accepted"] = format_iso8601(*deferral.accepted);
    out["accepted_from"] = deferral.accepted_from.text();
  }
  return out;
}

}  // namespace

std::string replay_text(const ReplayReport& report) {
  std::string text = head(report) + refused_then(report);
  if (!report.looked_up) return text + "\nNothing was looked up (--no-lookups).\n";
  text += by_state(report.impact);
  const auto& clients = report.impact.clients;
  const std::size_t shown = std::min(clients.size(), report.clients_shown_max);
  if (shown > 0) text += "\nWho would be refused, those whose mail is likely wanted first:\n";
  for (std::size_t i = 0; i < shown; ++i) text += client_text(clients[i]);
  if (shown < clients.size())
    text += fmt::format("\n  and {} more: --clients {}\n", clients.size() - shown, clients.size());
  return text + exemptions(report.impact);
}

std::string replay_json(const ReplayReport& report, const ledger::LogCensus& census) {
  const auto& counts = report.counts;
  object outcome_counts;
  for (const Outcome outcome : outcomes)
    outcome_counts[ledger::outcome_name(outcome)] =
        report.impact.outcomes.at(static_cast<std::size_t>(outcome));
  object states;
  for (const auto& [state, sum] : report.impact.by_state)
    states[state] = object{{"clients", sum.clients}, {"messages", sum.messages}};
  array clients;
  for (const RefusedClient& client : report.impact.clients) clients.push_back(client_json(client));
  array deferrals;
  for (const ledger::Deferral& deferral : census.refused().deferrals())
    deferrals.push_back(deferral_json(deferral, counts.last));
  return boost::json::serialize(
      object{{"files", report.files},
             {"lines", counts.lines},
             {"unreadable_lines", counts.unreadable},
             {"first", format_iso8601(counts.first)},
             {"last", format_iso8601(counts.last)},
             {"clients", report.clients_seen},
             {"messages_accepted", counts.accepted},
             {"refused_before_rcpt", counts.refused_without_recipient},
             {"would_be_refused_then", counts.would_be_refused},
             {"outcomes", std::move(outcome_counts)},
             {"states", std::move(states)},
             {"refused_today", object{{"clients", report.impact.refused.clients},
                                      {"messages", report.impact.refused.messages}}},
             {"who", std::move(clients)},
             {"refused_then", std::move(deferrals)}});
}

}  // namespace postern::app
