#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace postern::ledger {

/// Which refusals have which case, as the table `case_index` keeps it: ids of refusals ascend
/// without gaps, so that a row is a list of checksums of case ids, of one refusal after the other.
/// An index of SQLite would cost a third of what writing a refusal costs.
///
/// On the worker, within the transaction of the refusals; after an error it is to be made anew.
class CaseIndex {
 public:
  static constexpr std::size_t part_max = 1000;  ///< refusals of one row, which then fits in a page

  /// Goes on behind the refusal `last`; the table is there.
  Result<> prepare(Database& database, std::int64_t last);
  /// The next refusal has this case.
  Result<> add(std::string_view case_id);
  /// Writes what add() did not yet.
  Result<> write();

 private:
  void begin_part(std::int64_t first);

  Statement write_part_;
  std::int64_t first_ = 1;  ///< of the part
  std::string sums_;
  bool changed_ = false;
};

/// All of the table, for CaseSearch.
inline constexpr std::string_view case_index_query = "SELECT first, sums FROM case_index";

/// Looks for a case in the rows of the table, about 1 ms for a million refusals.
class CaseSearch {
 public:
  explicit CaseSearch(std::string_view case_id);
  /// A row of `case_index_query`; what does not fit its form is passed over.
  void look_at(std::int64_t first, std::string_view sums);
  /// Ascending; may have some whose case is another one with the same checksum, or that were
  /// removed.
  [[nodiscard]] std::vector<std::int64_t> found() &&;

 private:
  std::uint32_t wanted_ = 0;  ///< its bytes as they are stored
  std::vector<std::int64_t> found_;
};

}  // namespace postern::ledger
