#include <cstdlib>

#include "dns/name.h"
#include "dns/zone_resolver.h"

// Any text is a zone or an error with a line; names that come out are in our form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern::dns;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto zone = Zone::parse(text);
  if (!zone) {
    if (zone.error().what.find("line ") == std::string::npos) std::abort();
    return 0;
  }
  for (const Type type : {Type::a, Type::ptr, Type::mx}) {
    const auto found = answer_from_zone(*zone, "a.example", type);
    for (const std::string& name : found.answer.names)
      if (normalize_name(name) != name) std::abort();
  }
  if (const auto name = normalize_name(text))
    if (normalize_name(*name) != name || !name_to_wire(*name)) std::abort();
  return 0;
}
