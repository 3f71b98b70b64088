#include "app/ledger_text.h"

#include <algorithm>
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "app/explanation.h"
#include "app/time_text.h"
#include "base/text.h"

namespace postern::app {
namespace {

using boost::json::array;
using boost::json::object;
using ledger::Assessment;
using ledger::Deferral;
using ledger::Outcome;

constexpr std::size_t addresses_shown_max = 4;
constexpr std::size_t address_shown_max = 60;  ///< of a mail address in a table

std::string attempts_text(const Deferral& deferral) {
  return deferral.attempts_count == 1 ? "1 attempt"
                                      : fmt::format("{} attempts", deferral.attempts_count);
}

/// "after 15m, 30m": the waits between the attempts that are known.
std::string waits_text(const Deferral& deferral) {
  std::string text;
  for (std::size_t i = 1; i < deferral.attempts.size(); ++i)
    text += (i == 1 ? ", again after " : ", ") +
            rounded(deferral.attempts[i] - deferral.attempts[i - 1]);
  if (deferral.attempts_count > deferral.attempts.size()) text += ", ...";
  return text;
}

std::string addresses_text(const Deferral& deferral) {
  std::string text;
  const std::size_t shown = std::min(deferral.addresses.size(), addresses_shown_max);
  for (std::size_t i = 0; i < shown; ++i)
    text += (i == 0 ? "from " : ", ") + deferral.addresses[i].text();
  if (shown < deferral.addresses.size())
    text += fmt::format(" and {} more", deferral.addresses.size() - shown);
  return text;
}

std::string_view outcome_words(Outcome outcome) {
  switch (outcome) {
    case Outcome::retrying:
      return "is being retried";
    case Outcome::recovered:
      return "accepted later";
    case Outcome::given_up:
      return "given up";
    case Outcome::never_retried:
      return "never tried again";
  }
  return "";
}

std::string server_text(const Assessment& assessment) {
  return fmt::format("{} ({:.0f} %)", assessment.upstream.profile->product,
                     assessment.upstream.probability * 100);
}

std::string about(WallTime time, WallTime now) {
  return fmt::format("about {} UTC ({})", minute_text(time), time_from(time, now));
}

std::string given_up_text(const Deferral& deferral, const Assessment& assessment, WallTime now) {
  const upstream::Forecast& forecast = assessment.forecast;
  std::string text;
  if (deferral.refused_for_good)
    text = fmt::format("refused for good {} UTC, {} after the first attempt\n",
                       minute_text(*deferral.refused_for_good),
                       rounded(*deferral.refused_for_good - deferral.attempts.front()));
  if (!forecast.first_sign)
    return text +
           fmt::format("its user hears nothing: it seems to be {}\n", server_text(assessment));
  return text +
         fmt::format("its user has the report, or should have, since {}: it seems to be {}\n",
                     about(forecast.gives_up, now), server_text(assessment));
}

/// What its server does, or did, and what its user hears.
std::string prospect(const Deferral& deferral, const Assessment& assessment, WallTime now) {
  const upstream::Forecast& forecast = assessment.forecast;
  switch (assessment.outcome) {
    case Outcome::recovered: {
      std::string text = fmt::format(
          "accepted {} UTC, {} after the first attempt, from {}\n", minute_text(*deferral.accepted),
          rounded(*deferral.accepted - deferral.attempts.front()), deferral.accepted_from.text());
      if (forecast.first_sign && *forecast.first_sign < *deferral.accepted)
        text += fmt::format("until then its user may have had a notice of delay, {}\n",
                            about(*forecast.first_sign, now));
      return text;
    }
    case Outcome::never_retried:
      return "as spam tools do, whose senders hear nothing\n";
    case Outcome::given_up:
      return given_up_text(deferral, assessment, now);
    case Outcome::retrying:
      break;
  }
  std::string text = fmt::format("it seems to be {}: next attempt {}\n", server_text(assessment),
                                 about(forecast.next_attempt, now));
  if (!forecast.first_sign) return text + "its user hears nothing\n";
  if (*forecast.first_sign < forecast.gives_up)
    text += fmt::format("its user hears of the delay {}\n", about(*forecast.first_sign, now));
  return text + fmt::format("it gives up and reports {}\n", about(forecast.gives_up, now));
}

/// The next that is to come of it, or the last that came; in a table.
std::string next_event(const ledger::ListedDeferral& listed, WallTime now) {
  const upstream::Forecast& forecast = listed.assessment.forecast;
  switch (listed.assessment.outcome) {
    case Outcome::recovered:
      return "after " + rounded(*listed.deferral.accepted - listed.deferral.attempts.front());
    case Outcome::never_retried:
      return "";
    case Outcome::given_up:
      return forecast.first_sign ? "reported" : "no report";
    case Outcome::retrying:
      return forecast.next_attempt > now ? "tries " + time_until(forecast.next_attempt, now)
                                         : "overdue";
  }
  return "";
}

std::string mail_address(const std::string& address) {
  return address.empty() ? "<>" : printable(address, address_shown_max);
}

/// Every attempt whose time is known, with its refusal when that is still kept.
std::string attempts_table(const ShownDeferral& shown) {
  const Deferral& deferral = shown.recorded.deferral;
  std::vector<WallTime> times = deferral.attempts;
  if (deferral.last_attempt > times.back()) times.push_back(deferral.last_attempt);
  const std::size_t unknown =
      deferral.attempts_count - std::min<std::size_t>(deferral.attempts_count, times.size());
  if (deferral.refused_for_good) times.push_back(*deferral.refused_for_good);
  std::string text;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool after_gap = i == deferral.attempts.size() && unknown > 0;
    if (after_gap) text += fmt::format("  ... {} more, of which only the count is kept\n", unknown);
    text += fmt::format("  {} UTC  {:>9}", second_text(times[i]),
                        i == 0 || after_gap ? "" : "+" + rounded(times[i] - times[i - 1]));
    const auto refusal = std::ranges::find(
        shown.refusals, times[i], [](const auto& recorded) { return recorded.refusal.time; });
    if (refusal != shown.refusals.end())
      text += fmt::format("  {:<15}  {}  case {}{}", refusal->refusal.client.text(),
                          printable(refusal->refusal.state), printable(refusal->refusal.case_id),
                          via_text(refusal->refusal.via));
    text += "\n";
  }
  return text;
}

array times_json(const Deferral& deferral) {
  array times;
  for (const WallTime time : deferral.attempts) times.emplace_back(format_iso8601(time));
  return times;
}

}  // namespace

std::string greeting_text(upstream::Greeting greeting, std::string_view helo) {
  if (helo.empty()) return {};
  return fmt::format(", {} {}",
                     greeting == upstream::Greeting::ehlo   ? "EHLO"
                     : greeting == upstream::Greeting::helo ? "HELO"
                                                            : "which calls itself",
                     printable(helo));
}

std::string via_text(const std::optional<IpAddress>& via) {
  return via ? ", through " + via->text() : std::string();
}

boost::json::value via_json(const std::optional<IpAddress>& via) {
  return via ? boost::json::value(via->text()) : boost::json::value(nullptr);
}

std::string outcome_text(const Deferral& deferral, const Assessment& assessment, WallTime now) {
  return fmt::format("{}: {}, the first {} UTC{}; the last {}, {}\n{}",
                     outcome_words(assessment.outcome), attempts_text(deferral),
                     second_text(deferral.attempts.front()), waits_text(deferral),
                     time_since(deferral.last_attempt, now), addresses_text(deferral),
                     prospect(deferral, assessment, now));
}

object deferral_json(std::int64_t id, const Deferral& deferral, const Assessment& assessment) {
  array addresses;
  for (const IpAddress& address : deferral.addresses) addresses.emplace_back(address.text());
  const upstream::Forecast& forecast = assessment.forecast;
  object out{{"id", id},
             {"from", printable(deferral.sender)},
             {"to", printable(deferral.recipient)},
             {"greeting", upstream::greeting_name(deferral.greeting)},
             {"helo", printable(deferral.helo)},
             {"clients", std::move(addresses)},
             {"attempts", deferral.attempts_count},
             {"first", format_iso8601(deferral.attempts.front())},
             {"last", format_iso8601(deferral.last_attempt)},
             {"times", times_json(deferral)},
             {"outcome", ledger::outcome_name(assessment.outcome)},
             {"upstream", assessment.upstream.profile->name},
             {"probability", assessment.upstream.probability},
             {"gives_up", format_iso8601(forecast.gives_up)}};
  if (assessment.outcome == Outcome::retrying)
    out["next_attempt"] = format_iso8601(forecast.next_attempt);
  if (forecast.first_sign) out["first_sign"] = format_iso8601(*forecast.first_sign);
  if (deferral.accepted) {
    out["accepted"] = format_iso8601(*deferral.accepted);
    out["accepted_from"] = deferral.accepted_from.text();
  }
  if (deferral.refused_for_good)
    out["refused_for_good"] = format_iso8601(*deferral.refused_for_good);
  return out;
}

std::string deferral_table_head() {
  return fmt::format("{:>8}  {:<13}  {:>5}  {:>10}  {:<16}  {:<20}  {}\n", "ID", "OUTCOME", "TRIES",
                     "BEGAN", "NEXT", "LIKELY", "SENDER -> RECIPIENT");
}

std::string deferral_table_row(const ledger::ListedDeferral& listed, WallTime now) {
  const Deferral& deferral = listed.deferral;
  return fmt::format("{:>8}  {:<13}  {:>5}  {:>10}  {:<16}  {:<20}  {} -> {}\n", listed.id,
                     ledger::outcome_name(listed.assessment.outcome), deferral.attempts_count,
                     time_since(deferral.attempts.front(), now), next_event(listed, now),
                     fmt::format("{} {:.0f} %", listed.assessment.upstream.profile->name,
                                 listed.assessment.upstream.probability * 100),
                     mail_address(deferral.sender), mail_address(deferral.recipient));
}

object listed_json(const ledger::ListedDeferral& listed) {
  object out = deferral_json(listed.id, listed.deferral, listed.assessment);
  out["state"] = printable(listed.state);
  out["case"] = printable(listed.case_id);
  return out;
}

Result<ShownDeferral> shown_deferral(ledger::Archive& archive, ledger::RecordedDeferral recorded,
                                     WallTime now) {
  ShownDeferral shown;
  shown.now = now;
  const Deferral& deferral = recorded.deferral;
  TRY(shown.refusals, archive.refusals_of(recorded));
  TRY(shown.upstreams, upstreams_of({}, ledger::habits_of(deferral)));
  shown.assessment = ledger::assess(deferral, now, upstream::shipped_profiles_read());
  shown.recorded = std::move(recorded);
  return shown;
}

std::string shown_text(const ShownDeferral& shown) {
  const Deferral& deferral = shown.recorded.deferral;
  std::string text = fmt::format("Deferral {}: {} -> {}{}\n\n", shown.recorded.id,
                                 mail_address(deferral.sender), mail_address(deferral.recipient),
                                 greeting_text(deferral.greeting, deferral.helo));
  text += outcome_text(deferral, shown.assessment, shown.now);
  text += "\nAttempts:\n" + attempts_table(shown);
  text += "\nIts server seems to be:\n";
  for (const upstream::Candidate& candidate : shown.upstreams)
    text +=
        fmt::format("  {:>3.0f} %  {}\n", candidate.probability * 100, candidate.profile->product);
  return text;
}

object shown_json(const ShownDeferral& shown) {
  const ledger::RecordedDeferral& recorded = shown.recorded;
  object out = deferral_json(recorded.id, recorded.deferral, shown.assessment);
  array refusals;
  for (const ledger::RecordedRefusal& recorded_refusal : shown.refusals) {
    const ledger::Refusal& refusal = recorded_refusal.refusal;
    refusals.push_back(object{{"time", format_iso8601(refusal.time)},
                              {"client", refusal.client.text()},
                              {"greeting", upstream::greeting_name(refusal.greeting)},
                              {"helo", printable(refusal.helo)},
                              {"via", via_json(refusal.via)},
                              {"case", printable(refusal.case_id)},
                              {"state", printable(refusal.state)},
                              {"reply", printable(refusal.reply, 512)}});
  }
  out["refusals"] = std::move(refusals);
  array upstreams;
  for (const upstream::Candidate& candidate : shown.upstreams)
    upstreams.push_back(object{{"profile", candidate.profile->name},
                               {"product", candidate.profile->product},
                               {"probability", candidate.probability}});
  out["upstreams"] = std::move(upstreams);
  return out;
}

}  // namespace postern::app
