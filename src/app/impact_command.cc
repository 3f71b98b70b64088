#include "app/impact_command.h"

#include <cstdio>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "app/exemption.h"
#include "app/explanation.h"
#include "app/impact_text.h"
#include "app/ledger_commands.h"
#include "app/time_text.h"
#include "base/text.h"
#include "io/real/shard.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using ledger::RefusedClient;

constexpr std::size_t comment_address_max = 60;

ExitCode fail_with(const Error& error) {
  fmt::print(stderr, "postern impact: {}\n", error.what);
  return ExitCode::failed;
}

std::string cause_text(const std::string& state, const auth::Iprev& lookups) {
  return cause_of(state_named(state).value_or(policy::classify(lookups)), lookups);
}

Result<ImpactReport> report_since(const Configuration& configuration, WallTime since,
                                  WallTime now) {
  TRY(ledger::Archive archive, open_ledger(configuration));
  TRY(const ledger::RecordedMail mail, archive.mail_since(since, now, cause_text));
  ImpactReport report;
  report.impact = ledger::make_impact(mail, upstream::shipped_profiles_read());
  report.counts = mail.counts();
  report.senders = mail.senders();
  report.recipients = mail.recipients();
  report.since = since;
  return report;
}

std::string head(const ImpactReport& report) {
  const auto& counts = report.counts;
  if (counts.first == WallTime())
    return fmt::format("Nothing was refused, or would have been, since {} UTC.\n",
                       minute_text(report.since));
  std::string text = fmt::format("Recorded from {} to {} UTC\n", minute_text(counts.first),
                                 minute_text(counts.last));
  const auto line = [&text](std::uint64_t count, std::string_view what) {
    if (count > 0) text += fmt::format("  {:>9}  {}\n", count, what);
  };
  line(report.impact.refused.clients, "clients");
  line(report.impact.refused.messages, "messages, at least");
  line(report.senders, "senders");
  line(report.recipients, "recipients");
  text += "Answers for each recipient of each message:\n";
  line(counts.recipients_observed, "would have been refused");
  line(counts.recipients_refused, "were refused");
  line(counts.recipients_excused, "were let in by overrides, and count no further here");
  if (counts.clients_forgotten > 0)
    text += fmt::format("(too many clients: {} answers to others were left out)\n",
                        counts.clients_forgotten);
  return text;
}

std::string exemption_of(const RefusedClient& client) {
  const std::string sender = client.seen.senders.empty()
                                 ? "no sender known"
                                 : shown_address(client.seen.senders.front(), comment_address_max);
  return exemption(client.address, {}, fmt::format("{}: {}", sender, client.finding.cause));
}

/// For those that something speaks for, as far as they are shown.
std::string exemptions(const ImpactReport& report) {
  std::string text;
  std::size_t count = 0;
  for (const RefusedClient& client : report.impact.clients) {
    if (client.wanted_because.empty() || count++ == report.clients_shown_max) break;
    text += "\n" + exemption_of(client);
  }
  return text.empty()
             ? text
             : "\nTo let in those whose mail is likely wanted, in the configuration:\n" + text;
}

}  // namespace

std::string recorded_impact_text(const ImpactReport& report) {
  const ledger::Impact& impact = report.impact;
  std::string text = head(report);
  if (impact.clients.empty()) return text;
  text += "\nBy what was wrong with the client:\n" + states_table(impact);
  if (const std::string outcomes = outcomes_table(impact); !outcomes.empty())
    text += "\nMails that were refused for now:\n" + outcomes;
  text += "\nThe clients, those whose mail is likely wanted first:\n" +
          clients_text(impact, report.clients_shown_max);
  return text + exemptions(report);
}

object recorded_impact_json(const ImpactReport& report) {
  const auto& counts = report.counts;
  object out{{"since", format_iso8601(report.since)},
             {"clients", report.impact.refused.clients},
             {"messages", report.impact.refused.messages},
             {"senders", report.senders},
             {"recipients", report.recipients},
             {"answers_observed", counts.recipients_observed},
             {"answers_refused", counts.recipients_refused},
             {"answers_excused", counts.recipients_excused}};
  if (counts.first != WallTime()) {
    out["first"] = format_iso8601(counts.first);
    out["last"] = format_iso8601(counts.last);
  }
  for (auto& member : impact_json(report.impact)) out.insert(std::move(member));
  array exempt;
  for (const RefusedClient& client : report.impact.clients)
    if (!client.wanted_because.empty()) exempt.emplace_back(exemption_of(client));
  out["exempt"] = std::move(exempt);
  return out;
}

ExitCode impact(const Arguments& arguments) {
  const auto age = parse_duration(arguments.impact.since);
  if (!age) {
    fmt::print(stderr, "postern impact: --since {} is no time; write for example 12h or 7d\n",
               printable(arguments.impact.since, 40));
    return ExitCode::wrong_usage;
  }
  const auto configuration = configuration_or_defaults(arguments.config, Arguments{}.config);
  if (!configuration) return ExitCode::failed;
  const auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) return fail_with(shard.error());
  const WallTime now = (*shard)->world().clock.wall_now();
  auto report = report_since(*configuration, now - *age, now);
  if (!report) return fail_with(report.error());
  report->clients_shown_max = arguments.impact.clients_shown_max;
  const std::string text = arguments.json
                               ? boost::json::serialize(recorded_impact_json(*report)) + "\n"
                               : recorded_impact_text(*report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return ExitCode::ok;
}

}  // namespace postern::app
