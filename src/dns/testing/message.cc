#include "dns/testing/message.h"

#include "base/check.h"
#include "dns/name.h"

namespace postern::dns {
namespace {

constexpr std::uint16_t class_in = 1;
constexpr std::size_t edns_datagram_bytes = 1232;

std::string value_bytes(const Record& record) {
  std::string value;
  switch (record.type) {
    case Type::a:
      for (const auto byte : record.address.v4_bytes()) put_u8(value, byte);
      return value;
    case Type::aaaa:
      for (const auto byte : record.address.bytes()) put_u8(value, byte);
      return value;
    case Type::mx:
      put_u16(value, record.preference);
      [[fallthrough]];
    case Type::ptr:
    case Type::cname:
      put_name(value, record.name);
      return value;
    case Type::txt:
      for (std::size_t i = 0; i == 0 || i < record.text.size(); i += 255) {
        const auto piece = std::string_view(record.text).substr(i, 255);
        put_u8(value, piece.size());
        value += piece;
      }
      return value;
  }
  return value;
}

void put_section(std::string& bytes, const std::vector<WireRecord>& records) {
  for (const WireRecord& record : records) put_record(bytes, record);
}

/// QR, RD; RA where the server resolves for others, AA where it speaks for itself.
unsigned flags_of(const Response& response) {
  return 0x8100U | (response.authoritative ? 0x0400U : 0x0080U) |
         (response.truncated ? 0x0200U : 0U) | (response.code & 0x0fU);
}

}  // namespace

void put_u8(std::string& bytes, std::size_t value) {
  bytes += static_cast<char>(value & 0xff);
}

void put_u16(std::string& bytes, std::size_t value) {
  put_u8(bytes, value >> 8);
  put_u8(bytes, value);
}

void put_u32(std::string& bytes, std::uint32_t value) {
  put_u16(bytes, value >> 16);
  put_u16(bytes, value & 0xffff);
}

void put_name(std::string& bytes, std::string_view name) {
  const auto wire = name_to_wire(name);
  CHECK(wire.has_value());
  bytes += *wire;
}

void put_record(std::string& bytes, const WireRecord& record) {
  put_name(bytes, record.owner);
  put_u16(bytes, record.type);
  put_u16(bytes, class_in);
  put_u32(bytes, record.ttl_seconds);
  put_u16(bytes, record.value.size());
  bytes += record.value;
}

WireRecord to_wire(const Record& record) {
  return {record.owner, static_cast<std::uint16_t>(record.type), record.ttl_seconds,
          value_bytes(record)};
}

WireRecord soa(std::string zone, std::uint32_t ttl_seconds, std::uint32_t minimum_seconds) {
  WireRecord record{std::move(zone), type_soa, ttl_seconds, {}};
  // MNAME and RNAME ".", serial, refresh, retry, expire.
  record.value.append(2, '\0');
  for (int i = 0; i < 4; ++i) put_u32(record.value, Zone::negative_ttl_seconds);
  put_u32(record.value, minimum_seconds);
  return record;
}

std::string write_message(const Question& question, const Response& response) {
  std::string bytes;
  put_u16(bytes, question.id);
  put_u16(bytes, flags_of(response));
  put_u16(bytes, 1);
  put_u16(bytes, response.answer.size());
  put_u16(bytes, response.authority.size());
  put_u16(bytes, response.additional.size() + (question.has_edns ? 1 : 0));
  bytes += question.bytes;
  put_section(bytes, response.answer);
  put_section(bytes, response.authority);
  put_section(bytes, response.additional);
  if (question.has_edns) {
    put_name(bytes, "");
    put_u16(bytes, type_opt);
    put_u16(bytes, edns_datagram_bytes);
    put_u32(bytes, 0);
    put_u16(bytes, 0);
  }
  return bytes;
}

std::string write_response(const Question& question, const std::vector<Record>& records,
                           ResponseFlags flags) {
  Response response{.code = static_cast<unsigned>(flags.code), .truncated = flags.truncated};
  for (const Record& record : records) response.answer.push_back(to_wire(record));
  if (flags.with_soa)
    response.authority.push_back(soa("", Zone::negative_ttl_seconds, Zone::negative_ttl_seconds));
  return write_message(question, response);
}

}  // namespace postern::dns
