#include <algorithm>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/exemption.h"
#include "app/impact_text.h"
#include "app/ledger_text.h"
#include "app/replay.h"
#include "app/time_text.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;

std::string head(const ReplayReport& report) {
  const auto& counts = report.counts;
  std::string text = fmt::format("{} lines in {} file{}", counts.lines, report.files,
                                 report.files == 1 ? "" : "s");
  if (counts.unreadable > 0)
    text += fmt::format(", {} of them no lines of a log", counts.unreadable);
  if (counts.first != WallTime())
    text += fmt::format("; from {} to {} UTC", minute_text(counts.first), minute_text(counts.last));
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
  text += outcomes_table(report.impact);
  if (report.counts.refused_without_recipient > 0)
    text += fmt::format("  {:>8}  refusals before RCPT: nobody knows of which mail\n",
                        report.counts.refused_without_recipient);
  return text;
}

std::string by_state(const ledger::Impact& impact) {
  std::string text = "\nToday the check says:\n" + states_table(impact);
  const auto counted = [](std::uint64_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  text += fmt::format(
      "Refused would be {} with {}, of {} to {}.\n", counted(impact.refused.clients, "client"),
      counted(impact.refused.messages, "accepted message"),
      counted(impact.refused.senders, "sender"), counted(impact.refused.recipients, "recipient"));
  if (const auto unknown = impact.by_state.find("temperror"); unknown != impact.by_state.end())
    text += fmt::format(
        "Of {} clients a lookup got no answer; run it again (with --journal only they are asked "
        "for), "
        "or ask other servers: [dns] in --config FILE.\n",
        unknown->second.clients);
  return text;
}

}  // namespace

std::string replay_text(const ReplayReport& report) {
  std::string text = head(report) + refused_then(report);
  if (!report.looked_up) return text + "\nNothing was looked up (--no-lookups).\n";
  text += by_state(report.impact);
  if (!report.impact.clients.empty())
    text += "\nWho would be refused, those whose mail is likely wanted first:\n" +
            clients_text(report.impact, report.clients_shown_max);
  return text + exemptions_text(report.impact, report.answer_at, report.clients_shown_max);
}

std::string replay_json(const ReplayReport& report, const ledger::LogCensus& census) {
  const auto& counts = report.counts;
  array deferrals;
  std::int64_t number = 0;
  for (const ledger::Deferral& deferral : census.refused().deferrals())
    deferrals.push_back(
        deferral_json(++number, deferral,
                      ledger::assess(deferral, counts.last, upstream::shipped_profiles_read())));
  object out{{"files", report.files},
             {"lines", counts.lines},
             {"unreadable_lines", counts.unreadable},
             {"first", format_iso8601(counts.first)},
             {"last", format_iso8601(counts.last)},
             {"clients", report.clients_seen},
             {"messages_accepted", counts.accepted},
             {"refused_before_rcpt", counts.refused_without_recipient},
             {"would_be_refused_then", counts.would_be_refused}};
  for (auto& member : impact_json(report.impact, report.answer_at)) out.insert(std::move(member));
  out["refused_then"] = std::move(deferrals);
  return boost::json::serialize(out);
}

}  // namespace postern::app
