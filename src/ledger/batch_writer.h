#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ledger/case_index.h"
#include "ledger/event_batch.h"
#include "ledger/evidence_ids.h"
#include "ledger/open_deferrals.h"
#include "ledger/retention.h"
#include "ledger/sqlite.h"

namespace postern::ledger {

/// The one who writes the ledger's database (docs/design/ledger.md). Blocks for the disk, so that
/// it lives on a worker. After an error of write() or expire() what it knows may differ from the
/// file: it is to be destroyed, and opened anew.
class BatchWriter {
 public:
  /// Some 500,000 deferrals' worth, 40 MB at the most.
  static constexpr std::size_t open_keys_max = 1'500'000;

  /// Opens the file, or makes it, brings its schema up to date, and reads which deferrals are open.
  /// Errors as those of Database and migrate.
  /// `profiles` outlives it.
  static Result<std::unique_ptr<BatchWriter>> open(
      const std::string& path, WallTime now,
      const upstream::Profiles& profiles = upstream::shipped_profiles_read());

  /// Writes all of the events, or none.
  Result<> write(std::span<const Event> events);
  /// One small step of what `Retention` does.
  Result<Retention::Progress> expire(const Retention::Limits& limits, WallTime now);
  struct Sizes {
    std::uint64_t database_bytes = 0;
    std::uint64_t deferrals_open = 0;  ///< not answered yet, and heard of in the last 8 days
  };
  Result<Sizes> sizes();

  /// All that are kept, `count_max` at most, in the order in which they began.
  Result<std::vector<Deferral>> deferrals(std::size_t count_max);

 private:
  using Id = OpenDeferrals::Id;
  /// A deferral as it is with the batch so far.
  struct Known {
    Deferral deferral;
    bool is_new = false;   ///< and not in the table yet
    bool changed = false;  ///< and in `changed_`
  };
  struct ClientChange {
    WallTime first;
    WallTime last;
    std::string helo;
    std::string name;
    std::optional<WallTime> last_confirmed;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t would_refuse = 0;
  };

  BatchWriter(Database database, const upstream::Profiles& profiles)
      : database_(std::move(database)), profiles_(profiles) {}
  Result<> prepare();
  Result<> load(WallTime now);
  /// A statement about the deferrals whose next attempt may come: not answered yet, heard of
  /// lately.
  Result<Statement> select_open(std::string_view columns, WallTime now);
  Result<> count_open(WallTime now);

  Result<> add(const Refusal& refusal);
  Result<> add(const Acceptance& acceptance);
  /// The deferral that a refused attempt begins or belongs to.
  Result<std::optional<Id>> defer(const Attempt& attempt);
  /// The deferral that the attempt ends, by being taken or refused for good; nullopt: none.
  Result<std::optional<Id>> end(const Attempt& attempt);
  /// The open deferral an attempt belongs to; nullptr: none.
  Result<Known*> find(const Attempt& attempt, const OpenDeferrals::Keys& keys, Id& id);
  Result<Known*> look_up(Id id);
  void mark_changed(Id id, Known& known);
  Result<std::int64_t> evidence_of(const Refusal& refusal);
  ClientChange& client(const IpAddress& address, WallTime time, const std::string& helo);
  Result<> write_deferrals();
  Result<> write_clients();

  Database database_;
  Statement insert_refusal_;
  Statement insert_evidence_;
  Statement insert_deferral_;
  Statement update_deferral_;
  Statement select_deferral_;
  Statement upsert_client_;

  const upstream::Profiles& profiles_;
  OpenDeferrals open_{open_keys_max};
  EvidenceIds evidence_;
  Retention retention_;
  CaseIndex case_index_;
  std::int64_t last_refusal_ = 0;
  std::int64_t last_evidence_ = 0;
  Id last_deferral_ = 0;
  std::uint64_t deferrals_open_ = 0;
  WallTime counted_;  ///< those, from the table

  // What was looked at lately: a server that tries again soon is not read from the table again.
  static constexpr std::size_t known_max = 8192;
  std::unordered_map<Id, Known> known_;

  // Of the batch under way.
  std::vector<Id> changed_;
  std::unordered_map<IpAddress, ClientChange> clients_;
};

}  // namespace postern::ledger
