#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/deferral.h"
#include "ledger/sqlite.h"

namespace postern::ledger {

/// A deferral as a row of its table.
struct RecordedDeferral {
  std::int64_t id = 0;
  Deferral deferral;
};

/// The columns that read_deferral() reads, in their order.
inline constexpr std::string_view deferral_columns =
    "id, sender, recipient, helo, first, last, attempts, times, addresses, accepted, "
    "accepted_from, "
    "greeting, refused_for_good";

/// The row as a deferral that assess() can take: one attempt at least, times ascending, no more of
/// anything than a Deferral keeps. nullopt: the row is damaged.
std::optional<RecordedDeferral> read_deferral(const Statement& row);

/// What stands in a column `greeting`; strange numbers are unknown.
upstream::Greeting read_greeting(std::int64_t stored);

// The columns `times` and `addresses`: milliseconds since 1970 as 8 bytes, the highest first; 16
// bytes for an address. Reading drops an incomplete last one, and what is beyond `count_max`.
std::string times_bytes(std::span<const WallTime> times);
std::string addresses_bytes(std::span<const IpAddress> addresses);
std::vector<WallTime> read_times(std::string_view bytes, std::size_t count_max);
std::vector<IpAddress> read_addresses(std::string_view bytes, std::size_t count_max);

}  // namespace postern::ledger
