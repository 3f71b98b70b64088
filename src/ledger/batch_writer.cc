#include "ledger/batch_writer.h"

#include <algorithm>
#include <utility>

#include <boost/json/serialize.hpp>

#include "ledger/deferral_row.h"
#include "ledger/lookups_json.h"
#include "ledger/schema.h"

namespace postern::ledger {
namespace {

/// What was silent for longer is over, whoever it is of.
constexpr Duration quiet_max = 8 * std::chrono::hours(24);
/// That reads much of the table.
constexpr Duration count_pause = std::chrono::minutes(10);

// Who was answered before naming a recipient cannot be followed.
bool can_be_followed(const Refusal& refusal) {
  return refusal.effect == Effect::refused && !refusal.recipient.empty();
}

Attempt attempt_of(const Refusal& refusal) {
  return {.time = refusal.time,
          .client = refusal.client,
          .helo = refusal.helo,
          .sender = refusal.sender,
          .recipient = refusal.recipient,
          .refused_for_good = refusal.reply.starts_with('5'),
          .greeting = refusal.greeting};
}

Attempt attempt_of(const Acceptance& acceptance) {
  return {.time = acceptance.time,
          .client = acceptance.client,
          .helo = acceptance.helo,
          .sender = acceptance.sender,
          .recipient = acceptance.recipient,
          .accepted = true,
          .greeting = acceptance.greeting};
}

}  // namespace

// --- opening

Result<std::unique_ptr<BatchWriter>> BatchWriter::open(const std::string& path, WallTime now,
                                                       const upstream::Profiles& profiles) {
  TRY(Database database, Database::open(path, Database::Access::create));
  TRY_VOID(read_schema_version(database));
  // Before the first table is made. Commits do not wait for the disk: what a power failure takes is
  // the last of them, never the database. Checkpoints do.
  TRY_VOID(
      database.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
                       "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; "
                       "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 33554432; "
                       "PRAGMA temp_store = MEMORY"));
  TRY_VOID(migrate(database));
  std::unique_ptr<BatchWriter> writer(new BatchWriter(std::move(database), profiles));
  TRY_VOID(writer->prepare());
  TRY_VOID(writer->load(now));
  return writer;
}

Result<> BatchWriter::prepare() {
  TRY(insert_refusal_, database_.prepare("INSERT INTO refusals VALUES "
                                         "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                         "?, ?)"));
  TRY(insert_evidence_, database_.prepare("INSERT INTO evidence VALUES (?, ?, ?, ?, ?)"));
  TRY(insert_deferral_,
      database_.prepare("INSERT INTO deferrals (" + std::string(deferral_columns) +
                        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  TRY(update_deferral_,
      database_.prepare(
          "UPDATE deferrals SET attempts = ?, times = ?, addresses = ?, accepted = ?, "
          "accepted_from = ?, greeting = ?, refused_for_good = ?, last = ? WHERE id = ?"));
  TRY(select_deferral_, database_.prepare("SELECT " + std::string(deferral_columns) +
                                          " FROM deferrals WHERE id = ?"));
  TRY(upsert_client_,
      database_.prepare(
          "INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE "
          "SET first = min(first, excluded.first), last = max(last, excluded.last), "
          "helo = excluded.helo, name = CASE excluded.name WHEN '' THEN name ELSE excluded.name "
          "END, last_confirmed = coalesce(excluded.last_confirmed, last_confirmed), "
          "accepted = accepted + excluded.accepted, refused = refused + excluded.refused, "
          "would_refuse = would_refuse + excluded.would_refuse"));
  return retention_.prepare(database_);
}

Result<> BatchWriter::load(WallTime now) {
  TRY(last_refusal_, database_.number("SELECT max(id) FROM refusals"));
  TRY_VOID(case_index_.prepare(database_, last_refusal_));
  TRY(last_evidence_, database_.number("SELECT max(id) FROM evidence"));
  TRY(last_deferral_, database_.number("SELECT max(id) FROM deferrals"));
  counted_ = now;
  TRY(Statement open, select_open(deferral_columns, now));
  while (true) {
    TRY(const bool row, open.step());
    if (!row) return {};
    const auto kept = read_deferral(open);
    if (!kept) continue;
    open_.add(kept->id, kept->deferral);
    ++deferrals_open_;
  }
}

Result<Statement> BatchWriter::select_open(std::string_view columns, WallTime now) {
  TRY(Statement open, database_.prepare("SELECT " + std::string(columns) +
                                        " FROM deferrals WHERE id > ? AND accepted IS NULL AND "
                                        "refused_for_good IS NULL AND last >= ?"));
  open.bind(last_deferral_ - static_cast<Id>(open_keys_max / 3), now - quiet_max);
  return open;
}

// Those that ended in silence, and those that were removed, nobody tells of.
Result<> BatchWriter::count_open(WallTime now) {
  if (now >= counted_ && now < counted_ + count_pause) return {};
  counted_ = now;
  TRY(Statement open, select_open("count(*)", now));
  TRY(const bool row, open.step());
  deferrals_open_ = row ? static_cast<std::uint64_t>(open.integer(0)) : 0;
  return {};
}

// --- a batch

Result<> BatchWriter::write(std::span<const Event> events) {
  clients_.clear();
  TRY(Transaction transaction, Transaction::begin(database_));
  for (const Event& event : events) {
    Result<> added = std::visit([this](const auto& told) { return add(told); }, event);
    if (!added) return added;
  }
  TRY_VOID(case_index_.write());
  TRY_VOID(write_deferrals());
  TRY_VOID(write_clients());
  return transaction.commit();
}

Result<> BatchWriter::add(const Refusal& refusal) {
  std::optional<Id> deferral;
  if (can_be_followed(refusal)) {
    const Attempt attempt = attempt_of(refusal);
    TRY(deferral, attempt.refused_for_good ? end(attempt) : defer(attempt));
  }
  TRY(const std::int64_t evidence, evidence_of(refusal));
  ClientChange& seen = client(refusal.client, refusal.time, refusal.helo);
  if (refusal.effect == Effect::refused) ++seen.refused;
  if (refusal.effect == Effect::would_refuse) ++seen.would_refuse;
  TRY_VOID(case_index_.add(refusal.case_id));
  return insert_refusal_
      .bind(++last_refusal_, refusal.time, refusal.case_id, refusal.client, refusal.via,
            static_cast<int>(refusal.greeting), refusal.helo, refusal.sender, refusal.recipient,
            refusal.message, refusal.state, refusal.action, static_cast<int>(refusal.effect),
            refusal.reply, refusal.override_name, refusal.observed_because,
            static_cast<int>(refusal.escalated),
            std::int64_t{std::chrono::floor<std::chrono::milliseconds>(refusal.latency).count()},
            evidence, deferral)
      .run();
}

Result<> BatchWriter::add(const Acceptance& acceptance) {
  ClientChange& seen = client(acceptance.client, acceptance.time, acceptance.helo);
  ++seen.accepted;
  if (!acceptance.confirmed_name.empty()) {
    seen.name = acceptance.confirmed_name;
    seen.last_confirmed = acceptance.time;
  }
  TRY_VOID(end(attempt_of(acceptance)));
  return {};
}

Result<std::optional<BatchWriter::Id>> BatchWriter::end(const Attempt& attempt) {
  Id id = 0;
  TRY(Known * open, find(attempt, OpenDeferrals::keys_of(attempt), id));
  if (open == nullptr) return std::nullopt;
  if (note(open->deferral, attempt)) mark_changed(id, *open);
  if (deferrals_open_ > 0) --deferrals_open_;
  return id;
}

Result<std::optional<BatchWriter::Id>> BatchWriter::defer(const Attempt& attempt) {
  Id id = 0;
  const OpenDeferrals::Keys keys = OpenDeferrals::keys_of(attempt);
  TRY(Known * open, find(attempt, keys, id));
  if (open != nullptr) {
    if (note(open->deferral, attempt)) mark_changed(id, *open);
  } else {
    id = ++last_deferral_;
    mark_changed(id, known_.emplace(id, Known{deferral_of(attempt), true}).first->second);
    ++deferrals_open_;
  }
  open_.add(id, keys);
  return id;
}

Result<BatchWriter::Known*> BatchWriter::find(const Attempt& attempt,
                                              const OpenDeferrals::Keys& keys, Id& id) {
  Result<> failed;
  const auto found = open_.find(keys, [&](Id candidate) {
    const Result<Known*> looked_at = look_up(candidate);
    if (!looked_at) failed = fail(looked_at.error());
    return looked_at && *looked_at != nullptr && !(*looked_at)->deferral.is_answered() &&
           belongs_to((*looked_at)->deferral, attempt, profiles_);
  });
  TRY_VOID(failed);
  if (!found) return nullptr;
  id = *found;
  return &known_.at(id);
}

Result<BatchWriter::Known*> BatchWriter::look_up(Id id) {
  const auto known = known_.find(id);
  if (known != known_.end()) return &known->second;
  select_deferral_.bind(id);
  TRY(const bool row, select_deferral_.step());
  if (!row) return nullptr;
  auto kept = read_deferral(select_deferral_);
  select_deferral_.reset();
  if (!kept) return nullptr;
  return &known_.emplace(id, Known{std::move(kept->deferral)}).first->second;
}

void BatchWriter::mark_changed(Id id, Known& known) {
  if (!std::exchange(known.changed, true)) changed_.push_back(id);
}

Result<std::int64_t> BatchWriter::evidence_of(const Refusal& refusal) {
  if (const auto known = evidence_.find(refusal.lookups.get(), refusal.time)) return *known;
  const std::string lookups = boost::json::serialize(lookups_json(*refusal.lookups));
  TRY_VOID(
      insert_evidence_.bind(++last_evidence_, refusal.client, refusal.time, refusal.state, lookups)
          .run());
  evidence_.add(refusal.lookups, last_evidence_, refusal.time);
  return last_evidence_;
}

BatchWriter::ClientChange& BatchWriter::client(const IpAddress& address, WallTime time,
                                               const std::string& helo) {
  const auto [place, added] = clients_.try_emplace(address);
  ClientChange& change = place->second;
  if (added) change.first = time;
  change.last = std::max(change.last, time);
  if (change.helo != helo) change.helo = helo;
  return change;
}

Result<> BatchWriter::write_deferrals() {
  // In the order of their ids, which is that of the file.
  std::ranges::sort(changed_);
  for (const Id id : changed_) {
    Known& known = known_.at(id);
    const Deferral& deferral = known.deferral;
    const std::string times = times_bytes(deferral.attempts);
    const std::string addresses = addresses_bytes(deferral.addresses);
    const Statement::Blob times_blob{times};
    const Statement::Blob addresses_blob{addresses};
    std::optional<IpAddress> accepted_from;
    if (deferral.accepted) accepted_from = deferral.accepted_from;
    if (known.is_new)
      TRY_VOID(insert_deferral_
                   .bind(id, deferral.sender, deferral.recipient, deferral.helo,
                         deferral.attempts.front(), deferral.last_attempt, deferral.attempts_count,
                         times_blob, addresses_blob, deferral.accepted, accepted_from,
                         static_cast<int>(deferral.greeting), deferral.refused_for_good)
                   .run());
    else
      TRY_VOID(update_deferral_
                   .bind(deferral.attempts_count, times_blob, addresses_blob, deferral.accepted,
                         accepted_from, static_cast<int>(deferral.greeting),
                         deferral.refused_for_good, deferral.last_attempt, id)
                   .run());
    known.is_new = known.changed = false;
  }
  changed_.clear();
  if (known_.size() > known_max) known_.clear();
  return {};
}

Result<> BatchWriter::write_clients() {
  for (const auto& [address, change] : clients_)
    TRY_VOID(upsert_client_
                 .bind(address, change.first, change.last, change.helo, change.name,
                       change.last_confirmed, change.accepted, change.refused, change.would_refuse)
                 .run());
  clients_.clear();
  return {};
}

// --- the rest

Result<Retention::Progress> BatchWriter::expire(const Retention::Limits& limits, WallTime now) {
  TRY_VOID(count_open(now));
  const std::uint64_t before = database_.changes_so_far();
  auto done = retention_.step(database_, limits, now);
  if (database_.changes_so_far() != before) known_.clear();
  // With the next batch the file is read, so that it shows when somebody has damaged it.
  database_.release_memory();
  return done;
}

Result<BatchWriter::Sizes> BatchWriter::sizes() {
  TRY(const std::int64_t pages, database_.number("PRAGMA page_count"));
  TRY(const std::int64_t page_bytes, database_.number("PRAGMA page_size"));
  return Sizes{static_cast<std::uint64_t>(pages * page_bytes), deferrals_open_};
}

Result<std::vector<Deferral>> BatchWriter::deferrals(std::size_t count_max) {
  TRY(Statement all, database_.prepare("SELECT " + std::string(deferral_columns) +
                                       " FROM deferrals ORDER BY id LIMIT ?"));
  all.bind(static_cast<std::uint64_t>(count_max));
  std::vector<Deferral> deferrals;
  while (true) {
    TRY(const bool row, all.step());
    if (!row) return deferrals;
    if (auto kept = read_deferral(all)) deferrals.push_back(std::move(kept->deferral));
  }
}

}  // namespace postern::ledger
