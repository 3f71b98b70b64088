#include <cstdlib>
#include <iterator>

#include "dns/packet.h"
#include "dns/testing/message.h"

// What a server sends is bytes of anybody's: reading ends, stays in bounds, and answers only what
// was asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern::dns;
  const std::span<const std::uint8_t> packet(data, size);
  constexpr Type types[] = {Type::a, Type::ptr, Type::mx, Type::txt, Type::aaaa};
  const Type type = types[size % std::size(types)];
  if (const auto answer = read_answer(packet, "a.example", type)) {
    const std::size_t records = answer->addresses.size() + answer->names.size() +
                                answer->mail_exchanges.size() + answer->texts.size();
    if (records > packet_records_max) std::abort();
    if ((answer->status == Status::ok) != (records > 0)) std::abort();
  }
  if (const auto question = read_question(packet)) {
    const std::string response = write_response(*question, {}, {.with_soa = true});
    const std::span<const std::uint8_t> written(
        reinterpret_cast<const std::uint8_t*>(response.data()), response.size());
    const auto answer = read_answer(written, question->name, static_cast<Type>(question->type));
    if (!answer || answer->status != Status::no_data) std::abort();
  }
  return 0;
}
