#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "ledger/sqlite.h"

namespace postern::ledger {

/// Removes what is too old, or the oldest of what is too much, in small steps, and gives the space
/// back to the file system. What it has seen of the tables it remembers between the steps.
class Retention {
 public:
  struct Limits {
    Duration time = std::chrono::hours(90 * 24);
    std::uint64_t bytes_max = 2ULL << 30;  ///< of the pages in use
    std::uint64_t rows_per_step = 1000;    ///< of each table
  };
  enum class Progress : std::uint8_t { done, more_to_do };

  Result<> prepare(Database& database);
  /// Progress::more_to_do: another step would remove more, or look further.
  Result<Progress> step(Database& database, const Limits& limits, WallTime now);

 private:
  Result<> set_horizon(Database& database, const Limits& limits, WallTime now);
  Result<Progress> remove_refusals(const Limits& limits, WallTime now);
  Result<Progress> remove_evidence(Database& database, const Limits& limits, WallTime now);
  Result<Progress> remove_deferrals(const Limits& limits);
  Result<Progress> remove_clients(const Limits& limits);
  Result<Progress> give_back(Database& database, const Limits& limits);

  WallTime horizon_;  ///< what was last heard of before it goes
  WallTime size_horizon_;
  bool too_large_ = false;
  std::int64_t deferral_after_ = 0;  ///< the sweep over the table has come so far
  std::string client_after_;
  WallTime next_sweep_;  ///< of the clients

  Statement oldest_refusals_;
  Statement delete_refusals_;
  Statement delete_cases_;
  Statement first_evidence_;
  Statement delete_evidence_;
  Statement next_deferral_;
  Statement delete_deferrals_;
  Statement last_client_;
  Statement delete_clients_;
};

}  // namespace postern::ledger
