#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "auth/iprev.h"
#include "base/time.h"

namespace postern::ledger {

/// Which row holds the lookups that a cached result stands on: clients of one result share the
/// object, and so the row. Bounded: the older half is forgotten when there are too many.
class EvidenceIds {
 public:
  static constexpr std::size_t half_max = 2048;
  /// So that rows may be removed in the order of their ids, soon after the refusals of their time.
  static constexpr Duration shared_for_max = std::chrono::hours(1);

  [[nodiscard]] std::optional<std::int64_t> find(const auth::Iprev* lookups, WallTime now) const {
    for (const Rows* rows : {&now_, &before_}) {
      const auto found = rows->find(lookups);
      if (found != rows->end() && now - found->second.written <= shared_for_max)
        return found->second.id;
    }
    return std::nullopt;
  }
  /// Holds the lookups meanwhile, so that no others get their address.
  void add(std::shared_ptr<const auth::Iprev> lookups, std::int64_t id, WallTime now) {
    if (now_.size() >= half_max) before_ = std::exchange(now_, {});
    const auth::Iprev* key = lookups.get();
    now_.insert_or_assign(key, Row{std::move(lookups), id, now});
  }

 private:
  struct Row {
    std::shared_ptr<const auth::Iprev> lookups;
    std::int64_t id = 0;
    WallTime written;
  };
  using Rows = std::unordered_map<const auth::Iprev*, Row>;
  Rows now_;
  Rows before_;
};

}  // namespace postern::ledger
