#include "ledger/retention.h"

#include <algorithm>

#include "ledger/case_index.h"
#include "ledger/evidence_ids.h"

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

/// A refusal from later than this was written by a clock that ran ahead; nor may one from later
/// than now stand before all others when there is too much.
constexpr Duration ahead_max = 24h;
/// Clients have no order of time: all of them are looked at, now and then.
constexpr Duration sweep_pause = 1h;
constexpr std::uint64_t swept_per_step = 1000;
/// Free pages are used again; more than one in so many is given back.
constexpr std::int64_t free_share = 8;

constexpr Retention::Progress more_if(bool more) {
  return more ? Retention::Progress::more_to_do : Retention::Progress::done;
}

}  // namespace

Result<> Retention::prepare(Database& database) {
  TRY(oldest_refusals_, database.prepare("SELECT id, time FROM refusals ORDER BY id LIMIT ?"));
  TRY(delete_refusals_, database.prepare("DELETE FROM refusals WHERE id <= ?"));
  TRY(delete_cases_, database.prepare("DELETE FROM case_index WHERE first <= ?"));
  TRY(first_evidence_, database.prepare("SELECT taken FROM evidence ORDER BY id LIMIT 1"));
  TRY(delete_evidence_, database.prepare("DELETE FROM evidence WHERE taken < ?1 AND id IN "
                                         "(SELECT id FROM evidence ORDER BY id LIMIT ?2)"));
  TRY(next_deferral_, database.prepare("SELECT id, first FROM deferrals WHERE id > ? LIMIT 1"));
  TRY(delete_deferrals_,
      database.prepare("DELETE FROM deferrals WHERE id BETWEEN ? AND ? AND last < ?"));
  TRY(last_client_, database.prepare("SELECT max(address), count(*) FROM (SELECT address FROM "
                                     "clients WHERE address > ? ORDER BY address LIMIT ?)"));
  TRY(delete_clients_,
      database.prepare("DELETE FROM clients WHERE address > ? AND address <= ? AND last < ?"));
  return {};
}

Result<Retention::Progress> Retention::step(Database& database, const Limits& limits,
                                            WallTime now) {
  TRY_VOID(set_horizon(database, limits, now));
  bool more = too_large_;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const Progress refusals, remove_refusals(limits, now));
  TRY(const Progress evidence, remove_evidence(database, limits, now));
  TRY(const Progress deferrals, remove_deferrals(limits));
  for (const Progress progress : {refusals, evidence, deferrals})
    more = more || progress == Progress::more_to_do;
  if (now >= next_sweep_ || too_large_) {
    TRY(const Progress clients, remove_clients(limits));
    if (clients == Progress::done) next_sweep_ = now + sweep_pause;
    more = more || clients == Progress::more_to_do;
  }
  TRY_VOID(transaction.commit());
  TRY(const Progress returned, give_back(database, limits));
  return more_if(more || returned == Progress::more_to_do);
}

Result<> Retention::set_horizon(Database& database, const Limits& limits, WallTime now) {
  TRY(const std::int64_t pages, database.number("PRAGMA page_count"));
  TRY(const std::int64_t free, database.number("PRAGMA freelist_count"));
  TRY(const std::int64_t page_bytes, database.number("PRAGMA page_size"));
  too_large_ = static_cast<std::uint64_t>((pages - free) * page_bytes) > limits.bytes_max;
  horizon_ = now - limits.time;
  if (!too_large_) return {};
  // The oldest step's worth of refusals, and what else was not heard of after them; without
  // refusals, what is oldest by an hour each time.
  WallTime oldest = horizon_;
  bool refusals = false;
  oldest_refusals_.bind(limits.rows_per_step);
  while (true) {
    TRY(const bool row, oldest_refusals_.step());
    if (!row) break;
    refusals = true;
    const WallTime time = oldest_refusals_.time(1);
    if (time < now) oldest = std::max(oldest, time + 1ms);
  }
  if (!refusals) oldest = std::max(oldest, size_horizon_) + 1h;
  horizon_ = size_horizon_ = std::min(oldest, now);
  return {};
}

Result<Retention::Progress> Retention::remove_refusals(const Limits& limits, WallTime now) {
  std::int64_t last = 0;
  std::uint64_t count = 0;
  oldest_refusals_.bind(limits.rows_per_step);
  while (true) {
    TRY(const bool row, oldest_refusals_.step());
    if (!row) break;
    const WallTime time = oldest_refusals_.time(1);
    const WallTime latest = too_large_ ? now : now + ahead_max;
    if (time >= horizon_ && time <= latest) break;
    last = oldest_refusals_.integer(0);
    ++count;
  }
  oldest_refusals_.reset();
  if (count == 0) return Progress::done;
  TRY_VOID(delete_refusals_.bind(last).run());
  TRY_VOID(delete_cases_.bind(last + 1 - static_cast<std::int64_t>(CaseIndex::part_max)).run());
  return more_if(count == limits.rows_per_step);
}

Result<Retention::Progress> Retention::remove_evidence(Database& database, const Limits& limits,
                                                       WallTime now) {
  WallTime oldest = horizon_;
  oldest_refusals_.bind(1);
  TRY(const bool row, oldest_refusals_.step());
  if (row) oldest = std::min(oldest, oldest_refusals_.time(1));
  oldest_refusals_.reset();
  const WallTime unused_before = oldest - EvidenceIds::shared_for_max;
  // Nearly always the first is not too old, and then none is; unless its clock ran ahead.
  TRY(const bool any, first_evidence_.step());
  const WallTime first = any ? first_evidence_.time(0) : now;
  first_evidence_.reset();
  if (first >= unused_before && first <= now) return Progress::done;
  TRY_VOID(delete_evidence_.bind(unused_before, limits.rows_per_step).run());
  return more_if(database.changes() == limits.rows_per_step);
}

// They are in the order in which they began; one that began long ago may still go on.
Result<Retention::Progress> Retention::remove_deferrals(const Limits& limits) {
  next_deferral_.bind(deferral_after_);
  TRY(const bool row, next_deferral_.step());
  if (!row || next_deferral_.time(1) >= horizon_) {
    next_deferral_.reset();
    deferral_after_ = 0;
    return Progress::done;
  }
  const std::int64_t first = next_deferral_.integer(0);
  next_deferral_.reset();
  deferral_after_ = first + static_cast<std::int64_t>(limits.rows_per_step) - 1;
  TRY_VOID(delete_deferrals_.bind(first, deferral_after_, horizon_).run());
  return Progress::more_to_do;
}

Result<Retention::Progress> Retention::remove_clients(const Limits& limits) {
  // There is no hurry, while there is room: most of those that are read stay.
  const std::uint64_t rows =
      too_large_ ? limits.rows_per_step : std::min(limits.rows_per_step, swept_per_step);
  last_client_.bind(Statement::Blob{client_after_}, rows);
  TRY(const bool row, last_client_.step());
  const std::string last(row ? last_client_.blob(0) : std::string_view());
  const auto count = static_cast<std::uint64_t>(row ? last_client_.integer(1) : 0);
  last_client_.reset();
  if (count > 0)
    TRY_VOID(delete_clients_.bind(Statement::Blob{client_after_}, Statement::Blob{last}, horizon_)
                 .run());
  const bool end = count < rows;
  client_after_ = end ? std::string() : last;
  return more_if(!end);
}

Result<Retention::Progress> Retention::give_back(Database& database, const Limits& limits) {
  TRY(const std::int64_t pages, database.number("PRAGMA page_count"));
  TRY(const std::int64_t free, database.number("PRAGMA freelist_count"));
  if (free * free_share <= pages) return Progress::done;
  TRY_VOID(
      database.execute("PRAGMA incremental_vacuum(" + std::to_string(limits.rows_per_step) + ")"));
  return Progress::more_to_do;
}

}  // namespace postern::ledger
