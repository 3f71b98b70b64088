// Any bytes may be in the store: decoding never crashes, and what it accepts it writes again.
#include <cstdlib>

#include "queue/record.h"

namespace {

void decode_and_compare(std::string_view bytes) {
  using namespace postern::queue;
  readable_fields(bytes);
  const auto first = decode_record(bytes);
  if (!first) return;
  const auto again = encode_record(*first);
  if (!again) std::abort();
  const auto second = decode_record(*again);
  if (!second || encode_record(*second) != *again) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(bytes), size);
  decode_and_compare(text);
  // The same with a right checksum, which a fuzzer would not find.
  const std::uint32_t crc = postern::queue::crc32_of(text);
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(crc >> shift));
  decode_and_compare(text);
  return 0;
}
