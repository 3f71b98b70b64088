#include "ledger/archive.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "base/text.h"
#include "ledger/case_index.h"
#include "ledger/lookups_json.h"
#include "ledger/schema.h"
#include "mail/address_pattern.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Rows with one case id that are this far apart are different cases: no session lasts as long.
constexpr Duration case_lasts_max = 24h;
constexpr milliseconds latency_max = 1h;
/// How far a wall clock may have been set back without hiding deferrals that began later.
constexpr Duration clock_slack = 1h;
/// Nobody who keeps mail is silent for longer.
constexpr Duration retrying_silence_max = 10 * 24h;
/// Of rows with the same millisecond, how many are looked through for one attempt.
constexpr int same_time_rows_max = 10'000;
/// Refusals that are looked at for what is usual now.
constexpr int lately_rows = 10'000;

constexpr std::string_view refusal_columns =
    "refusals.id, time, case_id, refusals.client, via, greeting, helo, sender, recipient, message, "
    "refusals.state, action, effect, reply, override, observed, escalated, latency, deferral, "
    "taken, lookups";
constexpr int deferral_column = 18;
constexpr std::string_view with_evidence =
    "refusals LEFT JOIN evidence ON evidence.id = refusals.evidence";

/// Unknown numbers are refusals.
Effect stored_effect(std::int64_t stored) {
  return stored == 1 ? Effect::would_refuse : stored == 2 ? Effect::excused : Effect::refused;
}

/// What was looked up, and when; evidence that is missing or damaged leaves both out.
void take_evidence(const Statement& row, RecordedRefusal& recorded) {
  Refusal& refusal = recorded.refusal;
  auto lookups = row.is_null(19) ? std::nullopt : read_lookups(row.text(20), refusal.client);
  if (lookups) {
    recorded.looked_up = row.time(19);
  } else {
    lookups.emplace();
    lookups->address = refusal.client;
  }
  refusal.lookups = std::make_shared<const auth::Iprev>(std::move(*lookups));
}

RecordedRefusal read_refusal(const Statement& row) {
  RecordedRefusal recorded;
  recorded.id = row.integer(0);
  Refusal& refusal = recorded.refusal;
  refusal.time = row.time(1);
  refusal.case_id = row.text(2);
  refusal.client = row.address(3);
  if (!row.is_null(4)) refusal.via = row.address(4);
  refusal.greeting = read_greeting(row.integer(5));
  refusal.helo = row.text(6);
  refusal.sender = row.text(7);
  refusal.recipient = row.text(8);
  refusal.message = static_cast<std::uint64_t>(row.integer(9));
  refusal.state = row.text(10);
  refusal.action = row.text(11);
  refusal.effect = stored_effect(row.integer(12));
  refusal.reply = row.text(13);
  refusal.override_name = row.text(14);
  refusal.observed_because = row.text(15);
  refusal.escalated = row.integer(16) != 0;
  refusal.latency = std::clamp(milliseconds(row.integer(17)), 0ms, latency_max);
  if (!row.is_null(deferral_column)) recorded.deferral = row.integer(deferral_column);
  take_evidence(row, recorded);
  return recorded;
}

/// What the filter wants of a row's own columns, before anything is made of it.
class RowFilter {
 public:
  RowFilter(const DeferralFilter& wanted, WallTime now)
      : wanted_(wanted), retrying_since_(now - retrying_silence_max) {}

  [[nodiscard]] bool matches(const Statement& row) const {
    return possible_outcome(row) && matches_address(wanted_.sender, row.text(1)) &&
           matches_address(wanted_.recipient, row.text(2)) && matches_client(row.blob(8)) &&
           (!wanted_.since || row.time(4) >= *wanted_.since);
  }

 private:
  /// What can be told without an assessment, which costs more.
  [[nodiscard]] bool possible_outcome(const Statement& row) const {
    if (!wanted_.outcome) return true;
    const bool accepted = !row.is_null(9);
    if (*wanted_.outcome == Outcome::recovered || accepted)
      return accepted && *wanted_.outcome == Outcome::recovered;
    if (!row.is_null(12)) return *wanted_.outcome == Outcome::given_up;  // refused for good
    if (*wanted_.outcome == Outcome::retrying) return row.time(5) >= retrying_since_;
    return (row.integer(6) == 1) == (*wanted_.outcome == Outcome::never_retried);
  }
  [[nodiscard]] static bool matches_address(const std::string& pattern, std::string_view address) {
    return pattern.empty() || mail::matches_pattern(pattern, address);
  }
  [[nodiscard]] bool matches_client(std::string_view addresses) const {
    if (!wanted_.client) return true;
    return std::ranges::any_of(
        read_addresses(addresses, Deferral::addresses_kept),
        [this](const IpAddress& address) { return wanted_.client->contains(address); });
  }

  const DeferralFilter& wanted_;
  WallTime retrying_since_;  ///< none is whose last attempt is older
};

/// The error that tells an operator what to do about the file.
Error about_file(const std::string& path, Error error) {
  switch (error.cause) {
    case Cause::damaged:
      error.what = fmt::format(
          "{} is damaged ({}); mail is not concerned. The server moves it "
          "aside when it finds out, and begins a new one",
          path, error.what);
      break;
    case Cause::in_use:
      error.what = fmt::format("{} is locked by somebody; try again", path);
      break;
    case Cause::other:
      error.what = fmt::format("{}: {}", path, error.what);
      break;
    default:
      // It is there, so that a file that cannot be opened is one that may not be.
      error.what = fmt::format("{} cannot be read ({}); run this as root or as the server's user",
                               path, error.what);
  }
  return error;
}

std::optional<Error> absence(const std::string& path) {
  std::error_code wrong;
  const auto status = std::filesystem::status(path, wrong);
  if (status.type() == std::filesystem::file_type::not_found)
    return Error{
        Persistence::permanent, Blame::operator_, Cause::not_found,
        fmt::format("there is no ledger at {}. A server writes one from its start on, unless "
                    "[ledger] enabled = false; is this the configuration that it runs with? "
                    "(--config FILE)",
                    path)};
  if (wrong)
    return about_file(
        path, {Persistence::permanent, Blame::operator_, Cause::no_permission, wrong.message()});
  return std::nullopt;
}

}  // namespace

struct Archive::Opened {
  std::string path;
  Database database;

  // As the Database's, with errors that name the file and tell what to do.
  Result<Statement> prepare(const std::string& sql) {
    auto statement = database.prepare(sql);
    if (!statement) return fail(about_file(path, statement.error()));
    return statement;
  }
  Result<bool> step(Statement& statement) const {
    auto row = statement.step();
    if (!row) return fail(about_file(path, row.error()));
    return row;
  }

  /// The first refusal of this time or later; ids ascend with time. One beyond the last: none.
  Result<std::int64_t> first_at(WallTime time);
  /// The refusal of a deferral at this time, when it is still kept.
  Result<std::optional<RecordedRefusal>> refusal_at(std::int64_t deferral, WallTime time);
  /// The deferrals that were once refused in this state.
  Result<std::set<std::int64_t>> refused_in(const std::string& state);
  /// Refusals whose case it is, and perhaps some others.
  Result<std::vector<std::int64_t>> may_be_of_case(std::string_view case_id);
  Result<> add_last_refusal(ListedDeferral& listed);
  // Parts of mail_since().
  Result<> add_refusals(WallTime since, RecordedMail& mail);
  Result<> add_deferrals(WallTime since, const upstream::Profiles& profiles, RecordedMail& mail);
  Result<> add_clients(RecordedMail& mail, const CauseText& cause);
  Result<> add_known_domains(RecordedMail& mail);
};

Result<std::int64_t> Archive::Opened::first_at(WallTime time) {
  // Both in one statement would read the whole table.
  TRY(Statement lowest, prepare("SELECT min(id) FROM refusals"));
  TRY(Statement highest, prepare("SELECT max(id) FROM refusals"));
  TRY_VOID(step(lowest));
  TRY_VOID(step(highest));
  if (lowest.is_null(0)) return 0;
  std::int64_t low = lowest.integer(0);
  std::int64_t high = highest.integer(0) + 1;
  TRY(Statement from, prepare("SELECT id, time FROM refusals WHERE id >= ?1 ORDER BY id LIMIT 1"));
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    TRY(const bool there, step(from.bind(middle)));
    if (there && from.time(1) < time)
      low = from.integer(0) + 1;
    else
      high = middle;
  }
  return low;
}

Result<std::optional<RecordedRefusal>> Archive::Opened::refusal_at(std::int64_t deferral,
                                                                   WallTime time) {
  TRY(const std::int64_t first, first_at(time));
  TRY(Statement from,
      prepare(fmt::format("SELECT {} FROM {} WHERE refusals.id >= ?1 ORDER BY refusals.id LIMIT {}",
                          refusal_columns, with_evidence, same_time_rows_max)));
  from.bind(first);
  while (true) {
    TRY(const bool there, step(from));
    if (!there || from.time(1) > time) return std::nullopt;
    if (!from.is_null(deferral_column) && from.integer(deferral_column) == deferral)
      return read_refusal(from);
  }
}

Result<std::set<std::int64_t>> Archive::Opened::refused_in(const std::string& state) {
  TRY(Statement refused,
      prepare("SELECT deferral FROM refusals WHERE state = ?1 AND deferral IS NOT NULL"));
  refused.bind(state);
  std::set<std::int64_t> found;
  while (true) {
    TRY(const bool there, step(refused));
    if (!there) return found;
    found.insert(found.end(), refused.integer(0));
  }
}

Result<std::vector<std::int64_t>> Archive::Opened::may_be_of_case(std::string_view case_id) {
  TRY(Statement parts, prepare(std::string(case_index_query)));
  CaseSearch search(case_id);
  while (true) {
    TRY(const bool there, step(parts));
    if (!there) return std::move(search).found();
    search.look_at(parts.integer(0), parts.blob(1));
  }
}

Result<> Archive::Opened::add_last_refusal(ListedDeferral& listed) {
  TRY(auto last, refusal_at(listed.id, listed.deferral.last_attempt));
  if (!last) return {};
  listed.state = std::move(last->refusal.state);
  listed.case_id = std::move(last->refusal.case_id);
  return {};
}

Result<> Archive::Opened::add_refusals(WallTime since, RecordedMail& mail) {
  TRY(const std::int64_t first, first_at(since));
  TRY(Statement row,
      prepare("SELECT time, message, client, helo, sender, recipient, state, effect, "
              "evidence, deferral FROM refusals WHERE id >= ?1 ORDER BY id"));
  row.bind(first);
  while (true) {
    TRY(const bool there, step(row));
    if (!there) return {};
    mail.add({.time = row.time(0),
              .message = static_cast<std::uint64_t>(row.integer(1)),
              .client = row.address(2),
              .helo = row.text(3),
              .sender = row.text(4),
              .recipient = row.text(5),
              .state = row.text(6),
              .effect = stored_effect(row.integer(7)),
              .evidence = row.integer(8),
              .deferral = row.is_null(9) ? std::nullopt : std::optional(row.integer(9))});
  }
}

Result<> Archive::Opened::add_deferrals(WallTime since, const upstream::Profiles& profiles,
                                        RecordedMail& mail) {
  TRY(Statement row, prepare(fmt::format("SELECT {} FROM deferrals WHERE last >= ?1 ORDER BY id",
                                         deferral_columns)));
  row.bind(since);
  while (true) {
    TRY(const bool there, step(row));
    if (!there) return {};
    if (const auto recorded = read_deferral(row))
      mail.add(recorded->deferral, assess(recorded->deferral, mail.counts().now, profiles));
  }
}

Result<> Archive::Opened::add_clients(RecordedMail& mail, const CauseText& cause) {
  TRY(Statement lookups, prepare("SELECT lookups FROM evidence WHERE id = ?1"));
  TRY(Statement known, prepare("SELECT name, last_confirmed FROM clients WHERE address = ?1"));
  for (auto& [address, client] : mail.clients()) {
    TRY(const bool kept, step(lookups.bind(client.evidence)));
    const auto iprev = kept ? read_lookups(lookups.text(0), address) : std::nullopt;
    client.finding.cause =
        iprev ? cause(client.finding.state, *iprev) : std::string("its lookups are not kept");
    TRY(const bool seen, step(known.bind(address)));
    if (!seen) continue;
    client.seen.name = known.text(0);
    if (!known.is_null(1)) client.confirmed = known.time(1);
  }
  return {};
}

Result<> Archive::Opened::add_known_domains(RecordedMail& mail) {
  KnownDomains& domains = mail.domains();
  for (const auto& [address, client] : mail.clients()) domains.ask_about(address, client.seen);
  TRY(Statement confirmed, prepare("SELECT name FROM clients WHERE name <> '' AND accepted > 0 AND "
                                   "last_confirmed IS NOT NULL"));
  while (true) {
    TRY(const bool there, step(confirmed));
    if (!there) return {};
    domains.add(confirmed.text(0));
  }
}

Archive::Archive(std::unique_ptr<Opened> opened) : opened_(std::move(opened)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(const std::string& path) {
  if (auto absent = absence(path)) return fail(*std::move(absent));
  const auto about = [&path](Error error) { return fail(about_file(path, std::move(error))); };
  auto database = Database::open(path, Database::Access::read_only);
  if (!database) return about(std::move(database).error());
  const auto version = read_schema_version(*database);
  if (!version) return about(version.error());
  if (*version == 0)
    return operator_failure(Cause::not_found,
                            fmt::format("{} is empty: nothing was recorded yet", path));
  if (*version < schema_version)
    return operator_failure(Cause::other,
                            fmt::format("{} is of an older Postern; start the server once, which "
                                        "brings it up to date",
                                        path));
  return Archive(std::make_unique<Opened>(path, *std::move(database)));
}

Result<std::vector<Case>> Archive::find_case(std::string_view case_id) {
  TRY(const std::vector<std::int64_t> ids, opened_->may_be_of_case(case_id));
  TRY(Statement row, opened_->prepare(fmt::format("SELECT {} FROM {} WHERE refusals.id = ?1",
                                                  refusal_columns, with_evidence)));
  std::vector<Case> cases;
  for (const std::int64_t id : ids) {
    TRY(const bool there, opened_->step(row.bind(id)));
    if (!there) continue;
    RecordedRefusal next = read_refusal(row);
    if (next.refusal.case_id != case_id) continue;
    const RecordedRefusal* before = cases.empty() ? nullptr : &cases.back().recipients.back();
    const bool same = before != nullptr && before->refusal.client == next.refusal.client &&
                      next.refusal.time - before->refusal.time < case_lasts_max;
    if (!same) cases.emplace_back();
    Case& found = cases.back();
    if (found.recipients.size() < recipients_max)
      found.recipients.push_back(std::move(next));
    else
      ++found.left_out;
  }
  std::ranges::reverse(cases);
  return cases;
}

Result<std::optional<RecordedDeferral>> Archive::find_deferral(std::int64_t id) {
  TRY(Statement row,
      opened_->prepare(fmt::format("SELECT {} FROM deferrals WHERE id = ?1", deferral_columns)));
  TRY(const bool there, opened_->step(row.bind(id)));
  return there ? read_deferral(row) : std::nullopt;
}

Result<std::vector<RecordedRefusal>> Archive::refusals_of(const RecordedDeferral& deferral) {
  std::vector<WallTime> times = deferral.deferral.attempts;
  if (deferral.deferral.last_attempt > times.back())
    times.push_back(deferral.deferral.last_attempt);
  if (deferral.deferral.refused_for_good) times.push_back(*deferral.deferral.refused_for_good);
  std::vector<RecordedRefusal> found;
  for (const WallTime time : times) {
    TRY(auto refusal, opened_->refusal_at(deferral.id, time));
    if (refusal) found.push_back(*std::move(refusal));
  }
  return found;
}

Result<DeferralPage> Archive::deferrals(const DeferralFilter& filter,
                                        std::optional<std::int64_t> before, std::size_t count,
                                        WallTime now, const upstream::Profiles& profiles) {
  DeferralPage page;
  count = std::clamp<std::size_t>(count, 1, deferrals_max);
  std::set<std::int64_t> in_state;
  if (!filter.state.empty()) {
    TRY(in_state, opened_->refused_in(filter.state));
  }
  TRY(Statement row,
      opened_->prepare(fmt::format("SELECT {} FROM deferrals WHERE id < ?1 ORDER BY id DESC",
                                   deferral_columns)));
  row.bind(before.value_or(std::numeric_limits<std::int64_t>::max()));
  const RowFilter wanted(filter, now);
  while (page.deferrals.size() < count) {
    TRY(const bool there, opened_->step(row));
    // Ids ascend with the beginning.
    if (!there || (filter.since && row.time(4) < *filter.since - clock_slack)) return page;
    if (!wanted.matches(row) || (!filter.state.empty() && !in_state.contains(row.integer(0))))
      continue;
    auto recorded = read_deferral(row);
    if (!recorded) continue;
    Assessment assessment = assess(recorded->deferral, now, profiles);
    if (filter.outcome && assessment.outcome != *filter.outcome) continue;
    ListedDeferral& listed = page.deferrals.emplace_back();
    listed.id = recorded->id;
    listed.deferral = std::move(recorded->deferral);
    listed.assessment = assessment;
    TRY_VOID(opened_->add_last_refusal(listed));
  }
  page.before = page.deferrals.back().id;
  return page;
}

Result<bool> Archive::has_refused_early() {
  TRY(Statement early, opened_->prepare(fmt::format(
                           "SELECT 1 FROM (SELECT recipient, effect FROM refusals ORDER BY id DESC "
                           "LIMIT {}) WHERE recipient = '' AND effect = 0 LIMIT 1",
                           lately_rows)));
  return opened_->step(early);
}

Result<RecordedMail> Archive::mail_since(WallTime since, WallTime now, const CauseText& cause,
                                         const upstream::Profiles& profiles) {
  RecordedMail mail;
  mail.set_end(now);
  TRY_VOID(opened_->add_refusals(since, mail));
  TRY_VOID(opened_->add_deferrals(since, profiles, mail));
  TRY_VOID(opened_->add_clients(mail, cause));
  TRY_VOID(opened_->add_known_domains(mail));
  return mail;
}

}  // namespace postern::ledger
