#include "ledger/deferral_row.h"

#include <algorithm>
#include <limits>

namespace postern::ledger {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t time_bytes = 8;
constexpr std::size_t address_bytes = 16;

}  // namespace

upstream::Greeting read_greeting(std::int64_t stored) {
  return stored == 1   ? upstream::Greeting::helo
         : stored == 2 ? upstream::Greeting::ehlo
                       : upstream::Greeting::unknown;
}

std::optional<RecordedDeferral> read_deferral(const Statement& row) {
  RecordedDeferral recorded;
  recorded.id = row.integer(0);
  Deferral& deferral = recorded.deferral;
  deferral.sender = row.text(1);
  deferral.recipient = row.text(2);
  deferral.helo = row.text(3);
  deferral.last_attempt = row.time(5);
  const std::int64_t attempts = row.integer(6);
  deferral.attempts = read_times(row.blob(7), Deferral::attempts_kept);
  deferral.addresses = read_addresses(row.blob(8), Deferral::addresses_kept);
  if (deferral.attempts.empty() || !std::ranges::is_sorted(deferral.attempts) ||
      deferral.last_attempt < deferral.attempts.back() ||
      attempts < static_cast<std::int64_t>(deferral.attempts.size()) ||
      attempts > std::numeric_limits<std::uint32_t>::max())
    return std::nullopt;
  deferral.attempts_count = static_cast<std::uint32_t>(attempts);
  if (!row.is_null(9)) {
    deferral.accepted = row.time(9);
    deferral.accepted_from = row.address(10);
  }
  deferral.greeting = read_greeting(row.integer(11));
  if (!row.is_null(12)) deferral.refused_for_good = row.time(12);
  return recorded;
}

std::string times_bytes(std::span<const WallTime> times) {
  std::string bytes;
  for (const WallTime time : times) {
    const auto since_1970 = static_cast<std::uint64_t>(
        std::chrono::floor<milliseconds>(time.time_since_epoch()).count());
    for (std::size_t i = 0; i < time_bytes; ++i)
      bytes += static_cast<char>(since_1970 >> (8 * (time_bytes - 1 - i)) & 0xff);
  }
  return bytes;
}

std::string addresses_bytes(std::span<const IpAddress> addresses) {
  std::string bytes;
  for (const IpAddress& address : addresses)
    bytes.append(reinterpret_cast<const char*>(address.bytes().data()), address_bytes);
  return bytes;
}

std::vector<WallTime> read_times(std::string_view bytes, std::size_t count_max) {
  std::vector<WallTime> times;
  for (; bytes.size() >= time_bytes && times.size() < count_max; bytes.remove_prefix(time_bytes)) {
    std::uint64_t since_1970 = 0;
    for (std::size_t i = 0; i < time_bytes; ++i)
      since_1970 = since_1970 << 8 | static_cast<unsigned char>(bytes[i]);
    times.push_back(stored_time(static_cast<std::int64_t>(since_1970)));
  }
  return times;
}

std::vector<IpAddress> read_addresses(std::string_view bytes, std::size_t count_max) {
  std::vector<IpAddress> addresses;
  for (; bytes.size() >= address_bytes && addresses.size() < count_max;
       bytes.remove_prefix(address_bytes)) {
    std::array<std::uint8_t, address_bytes> address{};
    std::ranges::copy(bytes.substr(0, address_bytes), address.begin());
    addresses.push_back(IpAddress::from_v6(address));
  }
  return addresses;
}

}  // namespace postern::ledger
