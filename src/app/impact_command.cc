#include "app/impact_command.h"

#include <cstdio>
#include <fmt/format.h>

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

using boost::json::object;

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
  report.impact = ledger::make_impact(mail);
  report.counts = mail.counts();
  report.answer_at = configuration.unknown_ip.answer_at;
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
  line(report.impact.refused.messages, "messages");
  line(report.impact.refused.senders, "senders");
  line(report.impact.refused.recipients, "recipients");
  text += "Answers for each recipient of each message:\n";
  line(counts.recipients_observed, "would have been refused");
  line(counts.recipients_refused, "were refused");
  line(counts.recipients_excused, "were let in by overrides, and count no further here");
  if (counts.clients_forgotten > 0)
    text += fmt::format("(too many clients: {} answers to others were left out)\n",
                        counts.clients_forgotten);
  return text;
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
  return text + exemptions_text(impact, report.answer_at, report.clients_shown_max);
}

object recorded_impact_json(const ImpactReport& report) {
  const auto& counts = report.counts;
  object out{{"since", format_iso8601(report.since)},
             {"clients", report.impact.refused.clients},
             {"messages", report.impact.refused.messages},
             {"senders", report.impact.refused.senders},
             {"recipients", report.impact.refused.recipients},
             {"answers_observed", counts.recipients_observed},
             {"answers_refused", counts.recipients_refused},
             {"answers_excused", counts.recipients_excused}};
  if (counts.first != WallTime()) {
    out["first"] = format_iso8601(counts.first);
    out["last"] = format_iso8601(counts.last);
  }
  for (auto& member : impact_json(report.impact, report.answer_at)) out.insert(std::move(member));
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
