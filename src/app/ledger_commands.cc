#include "app/ledger_commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "app/explanation.h"
#include "app/ledger_text.h"
#include "app/values.h"
#include "base/text.h"
#include "io/real/shard.h"
#include "ledger/case_id.h"
#include "maillog/log_time.h"

namespace postern::app {
namespace {

using ledger::Outcome;

void print_error(std::string_view command, std::string_view text) {
  fmt::print(stderr, "postern ledger {}: {}\n", command, text);
}

std::optional<std::int64_t> parse_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id < 0) return std::nullopt;
  return id;
}

std::optional<Outcome> outcome_named(std::string_view name) {
  constexpr std::array outcomes{Outcome::retrying, Outcome::recovered, Outcome::given_up,
                                Outcome::never_retried};
  const auto* found = std::ranges::find(outcomes, name, ledger::outcome_name);
  return found == outcomes.end() ? std::nullopt : std::optional(*found);
}

/// "2026-11-25T09:00", also with seconds or an offset; empty: `now`.
std::optional<WallTime> moment_named(std::string text, WallTime now) {
  if (text.empty()) return now;
  constexpr std::string_view without_seconds = "2026-11-25T09:00";
  if (text.size() == without_seconds.size()) text += ":00";
  const auto stamp = maillog::LogTime(now, {}).read(text);
  if (!stamp || !stamp->rest.empty()) return std::nullopt;
  return stamp->time;
}

/// What the words ask for, or what is wrong with them.
class ListRequest {
 public:
  ListRequest(const Arguments::Ledger& words, WallTime now) : words_(words), now_(now) {
    take_outcome();
    take_client();
    take_state();
    take_since();
    take_after();
    filter.sender = words.sender;
    filter.recipient = words.recipient;
  }

  ledger::DeferralFilter filter;
  std::optional<std::int64_t> before;
  std::string wrong;  ///< empty: nothing

 private:
  void take_outcome() {
    if (words_.outcome.empty()) return;
    filter.outcome = outcome_named(words_.outcome);
    if (!filter.outcome)
      wrong = fmt::format(
          "--outcome {} is none; write retrying, recovered, given_up or "
          "never_retried",
          printable(words_.outcome, 40));
  }
  void take_client() {
    if (words_.client.empty()) return;
    const auto network = parse_network(words_.client);
    if (network)
      filter.client = *network;
    else
      wrong = fmt::format("--client {}: {}", network.error().what, network.error().advice);
  }
  void take_state() {
    if (words_.state.empty()) return;
    filter.state = words_.state;
    if (!state_named(words_.state))
      wrong = fmt::format(
          "--state {} is none; write no_ptr, bad_name, no_forward, mismatch or "
          "temperror",
          printable(words_.state, 40));
  }
  void take_since() {
    if (words_.since.empty()) return;
    const auto age = parse_duration(words_.since);
    if (age)
      filter.since = now_ - *age;
    else
      wrong = fmt::format("--since {} is no time; write for example 30m, 4h or 2d",
                          printable(words_.since, 40));
  }
  void take_after() {
    if (words_.after.empty()) return;
    before = parse_id(words_.after);
    if (!before)
      wrong = fmt::format("--after {} is no id; write the last one of the list before",
                          printable(words_.after, 40));
  }

  const Arguments::Ledger& words_;
  WallTime now_;
};

/// What every command of the ledger begins with.
struct Reading {
  ledger::Archive archive;
  WallTime now;  ///< or the time that is asked about
};

Result<Reading> begin_reading(const Arguments& arguments) {
  const auto configuration = configuration_or_defaults(arguments.config, Arguments{}.config);
  if (!configuration) return operator_failure(Cause::other, "the configuration has mistakes");
  TRY(const auto shard, io::RealShard::create({.directory = "/"}));
  TRY(ledger::Archive archive, open_ledger(*configuration));
  return Reading{std::move(archive), shard->world().clock.wall_now()};
}

/// False: the words name no time, which has been said.
bool take_moment(std::string_view command, const Arguments& arguments, Reading& reading) {
  const auto moment = moment_named(arguments.ledger.at, reading.now);
  if (moment) {
    reading.now = *moment;
    return true;
  }
  print_error(command, fmt::format("--at {} is no time; write for example {} (UTC)",
                                   printable(arguments.ledger.at, 40),
                                   format_iso8601(reading.now).substr(0, 16)));
  return false;
}

class Rows {
 public:
  Rows(bool json, WallTime now) : json_(json), now_(now) {
    if (json_) fmt::print("{{\"deferrals\":[");
  }
  void print(const ledger::ListedDeferral& listed) {
    if (json_)
      fmt::print("{}{}", count == 0 ? "" : ",\n", boost::json::serialize(listed_json(listed)));
    else
      fmt::print("{}{}", count == 0 ? deferral_table_head() : "", deferral_table_row(listed, now_));
    ++count;
    last = listed.id;
  }
  /// `early`: there are clients of whom no deferral tells.
  void end(bool more, bool early) const {
    if (json_) {
      fmt::print("],\"more\":{},\"refused_before_recipient\":{}}}\n", more, early);
      return;
    }
    fmt::print("{} listed", count);
    if (more) fmt::print("; for older ones: --after {}", last);
    fmt::print("\n");
    if (early)
      fmt::print(
          "Clients that were refused before they named a recipient (unknown_ip.answer_at) are not\n"
          "here, since nobody knows for whom their mail was; `postern impact` counts them.\n");
  }

  std::uint64_t count = 0;
  std::int64_t last = 0;

 private:
  bool json_;
  WallTime now_;
};

/// Page by page, so that a ledger of any length costs little memory.
Result<> print_list(Reading& reading, ListRequest& request, std::uint64_t count_max, Rows& rows) {
  bool more = true;
  while (more && rows.count < count_max) {
    TRY(const ledger::DeferralPage page,
        reading.archive.deferrals(request.filter, request.before, count_max - rows.count,
                                  reading.now, upstream::shipped_profiles_read()));
    for (const ledger::ListedDeferral& listed : page.deferrals) rows.print(listed);
    request.before = page.before;
    more = page.before.has_value();
  }
  TRY(const bool early, reading.archive.has_refused_early());
  rows.end(more, early);
  return {};
}

/// The deferrals that an id means: a case has one for each of its recipients.
Result<std::vector<ledger::RecordedDeferral>> deferrals_meant(ledger::Archive& archive,
                                                              const std::string& typed) {
  std::vector<ledger::RecordedDeferral> meant;
  const auto add = [&](std::int64_t id) -> Result<> {
    TRY(auto found, archive.find_deferral(id));
    const bool known = std::ranges::find(meant, id, &ledger::RecordedDeferral::id) != meant.end();
    if (found && !known) meant.push_back(std::move(*found));
    return {};
  };
  if (const auto id = parse_id(typed)) TRY_VOID(add(*id));
  TRY(const auto cases, find_case(archive, typed));
  for (const ledger::Case& found : cases)
    for (const ledger::RecordedRefusal& refusal : found.recipients)
      if (refusal.deferral) TRY_VOID(add(*refusal.deferral));
  return meant;
}

ExitCode fail_with(std::string_view command, const Error& error) {
  print_error(command, error.what);
  return ExitCode::failed;
}

Result<std::string> shown(Reading& reading, const std::vector<ledger::RecordedDeferral>& meant,
                          bool json) {
  std::string text;
  boost::json::array deferrals;
  for (const ledger::RecordedDeferral& recorded : meant) {
    TRY(const ShownDeferral deferral, shown_deferral(reading.archive, recorded, reading.now));
    if (json)
      deferrals.push_back(shown_json(deferral));
    else
      text += (text.empty() ? "" : "\n") + shown_text(deferral);
  }
  if (!json) return text;
  return boost::json::serialize(boost::json::object{{"deferrals", std::move(deferrals)}}) + "\n";
}

}  // namespace

std::string ledger_path(const Configuration& configuration) {
  return configuration.server.spool + "/ledger.db";
}

Result<ledger::Archive> open_ledger(const Configuration& configuration) {
  return ledger::Archive::open(ledger_path(configuration));
}

Result<std::vector<ledger::Case>> find_case(ledger::Archive& archive, const std::string& typed) {
  for (const std::string& id : ledger::case_ids_meant(typed)) {
    TRY(std::vector<ledger::Case> found, archive.find_case(id));
    if (!found.empty()) return found;
  }
  return std::vector<ledger::Case>();
}

ExitCode ledger_list(const Arguments& arguments) {
  auto reading = begin_reading(arguments);
  if (!reading) return fail_with("list", reading.error());
  if (!take_moment("list", arguments, *reading)) return ExitCode::wrong_usage;
  ListRequest request(arguments.ledger, reading->now);
  if (!request.wrong.empty()) {
    print_error("list", request.wrong);
    return ExitCode::wrong_usage;
  }
  Rows rows(arguments.json, reading->now);
  if (const auto done = print_list(*reading, request, arguments.ledger.count_max, rows); !done)
    return fail_with("list", done.error());
  return ExitCode::ok;
}

ExitCode ledger_show(const Arguments& arguments) {
  const std::string& typed = arguments.ledger.id;
  auto reading = begin_reading(arguments);
  if (!reading) return fail_with("show", reading.error());
  if (!take_moment("show", arguments, *reading)) return ExitCode::wrong_usage;
  const auto meant = deferrals_meant(reading->archive, typed);
  if (!meant) return fail_with("show", meant.error());
  if (meant->empty()) {
    print_error("show", fmt::format("nothing that was refused for now is called {}; `postern "
                                    "ledger list` lists what there is, `postern explain CASE` "
                                    "tells of other cases",
                                    printable(typed, 40)));
    return ExitCode::failed;
  }
  const auto text = shown(*reading, *meant, arguments.json);
  if (!text) return fail_with("show", text.error());
  std::fwrite(text->data(), 1, text->size(), stdout);
  return ExitCode::ok;
}

}  // namespace postern::app
