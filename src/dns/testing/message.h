#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dns/packet.h"
#include "dns/zone_text.h"

/// Writes DNS messages (RFC 1035 section 4), as servers do, for tests.
namespace postern::dns {

/// Types that only servers need to know.
inline constexpr std::uint16_t type_ns = 2;
inline constexpr std::uint16_t type_soa = 6;
inline constexpr std::uint16_t type_dname = 39;
inline constexpr std::uint16_t type_opt = 41;

/// A record of any type, its value as it goes over the wire.
struct WireRecord {
  std::string owner;  ///< in our form
  std::uint16_t type = 0;
  std::uint32_t ttl_seconds = 0;
  std::string value;
};
WireRecord to_wire(const Record& record);
/// RFC 2308 section 5: the SOA that goes with a negative answer.
WireRecord soa(std::string zone, std::uint32_t ttl_seconds, std::uint32_t minimum_seconds);

/// Everything of a response but the question.
struct Response {
  unsigned code = 0;  ///< RFC 1035 section 4.1.1
  bool authoritative = false;
  bool truncated = false;
  std::vector<WireRecord> answer = {};
  std::vector<WireRecord> authority = {};
  std::vector<WireRecord> additional = {};
};

/// The response to a question, with an OPT record when the question has one. Names are not
/// compressed.
std::string write_message(const Question& question, const Response& response);

/// What a plain response says beside its records.
struct ResponseFlags {
  ResponseCode code = ResponseCode::no_error;
  bool truncated = false;
  bool with_soa = false;  ///< a SOA of the root in the authority section, for negative answers
};
std::string write_response(const Question& question, const std::vector<Record>& records,
                           ResponseFlags flags);

void put_u8(std::string& bytes, std::size_t value);
void put_u16(std::string& bytes, std::size_t value);
void put_u32(std::string& bytes, std::uint32_t value);
/// A name in our form, not compressed. Aborts when it is none.
void put_name(std::string& bytes, std::string_view name);
/// RFC 1035 section 4.1.3.
void put_record(std::string& bytes, const WireRecord& record);

}  // namespace postern::dns
