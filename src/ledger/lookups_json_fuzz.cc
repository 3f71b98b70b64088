#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/json/serialize.hpp>

#include "base/check.h"
#include "ledger/lookups_json.h"

// Whatever a damaged database holds is read or refused, and what is read survives being written and
// read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace postern;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto client = IpAddress::from_v4({192, 0, 2, 7});
  const auto read = ledger::read_lookups(text, client);
  if (!read) return 0;
  const std::string written = boost::json::serialize(ledger::lookups_json(*read));
  const auto again = ledger::read_lookups(written, client);
  CHECK(again.has_value());
  CHECK(boost::json::serialize(ledger::lookups_json(*again)) == written);
  return 0;
}
