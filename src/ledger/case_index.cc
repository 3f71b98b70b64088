#include "ledger/case_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/crc.hpp>
#include <boost/endian/arithmetic.hpp>

namespace postern::ledger {
namespace {

using boost::endian::big_uint32_t;
constexpr std::size_t sum_bytes = sizeof(big_uint32_t);

big_uint32_t sum_of(std::string_view case_id) {
  boost::crc_32_type crc;
  crc.process_bytes(case_id.data(), case_id.size());
  return big_uint32_t(crc.checksum());
}

}  // namespace

Result<> CaseIndex::prepare(Database& database, std::int64_t last) {
  TRY(write_part_, database.prepare("INSERT OR REPLACE INTO case_index VALUES (?, ?)"));
  begin_part(last + 1);
  TRY(Statement newest, database.prepare(std::string(case_index_query) + " WHERE first <= " +
                                         std::to_string(last) + " ORDER BY first DESC LIMIT 1"));
  TRY(const bool there, newest.step());
  if (!there) return {};
  const std::string_view sums = newest.blob(1);
  const auto count = static_cast<std::int64_t>(sums.size() / sum_bytes);
  if (sums.size() % sum_bytes != 0 || newest.integer(0) + count != last + 1) return {};
  first_ = newest.integer(0);
  sums_ = sums;
  return {};
}

void CaseIndex::begin_part(std::int64_t first) {
  first_ = first;
  sums_.clear();
}

Result<> CaseIndex::add(std::string_view case_id) {
  if (const std::size_t count = sums_.size() / sum_bytes; count >= part_max) {
    TRY_VOID(write());
    begin_part(first_ + static_cast<std::int64_t>(count));
  }
  const big_uint32_t sum = sum_of(case_id);
  sums_.append(reinterpret_cast<const char*>(sum.data()), sum_bytes);
  changed_ = true;
  return {};
}

Result<> CaseIndex::write() {
  if (!std::exchange(changed_, false)) return {};
  return write_part_.bind(first_, Statement::Blob{sums_}).run();
}

CaseSearch::CaseSearch(std::string_view case_id) {
  const big_uint32_t sum = sum_of(case_id);
  std::memcpy(&wanted_, sum.data(), sum_bytes);
}

void CaseSearch::look_at(std::int64_t first, std::string_view sums) {
  for (std::size_t i = 0; (i + 1) * sum_bytes <= sums.size(); ++i) {
    std::uint32_t sum = 0;
    std::memcpy(&sum, sums.data() + i * sum_bytes, sum_bytes);
    if (sum == wanted_) found_.push_back(first + static_cast<std::int64_t>(i));
  }
}

std::vector<std::int64_t> CaseSearch::found() && {
  std::ranges::sort(found_);
  found_.erase(std::ranges::unique(found_).begin(), found_.end());
  return std::move(found_);
}

}  // namespace postern::ledger
