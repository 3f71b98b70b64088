#include "dns/packet.h"

#include <algorithm>
#include <array>

#include "dns/name.h"
#include "dns/zone_resolver.h"

namespace postern::dns {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t type_soa = 6;
constexpr std::uint16_t type_opt = 41;
constexpr std::uint32_t ttl_seconds_max = 0x7fffffff;

/// Reads forward through a message; once something was beyond its end, everything is.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> packet, std::size_t at = 0)
      : packet_(packet), at_(at) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::uint8_t u8() {
    if (!need(1)) return 0;
    return packet_[at_++];
  }
  std::uint16_t u16() {
    const auto high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::string_view bytes(std::size_t count) {
    if (!need(count)) return {};
    const auto* from = reinterpret_cast<const char*>(packet_.data() + at_);
    at_ += count;
    return {from, count};
  }

  /// RFC 1035 section 4.1.4: labels and pointers. A pointer must lead to before the place that it
  /// is read from, so that a message cannot send us round in circles.
  std::string name() {
    std::string text;
    std::size_t wire_bytes = 1;
    Reader from = *this;
    bool jumped = false;
    std::size_t lowest = at_;
    while (true) {
      const std::size_t place = from.at_;
      const std::uint8_t length = from.u8();
      if (!from.ok_) return failed();
      if ((length & 0xc0) == 0xc0) {
        const std::size_t target = static_cast<std::size_t>(length & 0x3f) << 8 | from.u8();
        if (!from.ok_ || target >= lowest) return failed();
        if (!jumped) at_ = place + 2;
        jumped = true;
        lowest = target;
        from.at_ = target;
        continue;
      }
      if (length > label_bytes_max) return failed();
      if (length == 0) break;
      const std::string_view label = from.bytes(length);
      wire_bytes += length + 1U;
      if (!from.ok_ || wire_bytes > name_wire_bytes_max) return failed();
      append_label(text, label);
    }
    if (!jumped) at_ = from.at_;
    return text;
  }

 private:
  bool need(std::size_t count) {
    if (count > packet_.size() - at_) ok_ = false;
    return ok_;
  }
  std::string failed() {
    ok_ = false;
    return {};
  }

  std::span<const std::uint8_t> packet_;
  std::size_t at_;
  bool ok_ = true;
};

struct Header {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::array<std::uint16_t, 4> counts{};  // question, answer, authority, additional

  [[nodiscard]] bool is_response() const { return (flags & 0x8000) != 0; }
  [[nodiscard]] bool truncated() const { return (flags & 0x0200) != 0; }
  [[nodiscard]] unsigned code() const { return flags & 0x000f; }
};

Header read_header(Reader& reader) {
  Header header;
  header.id = reader.u16();
  header.flags = reader.u16();
  for (auto& count : header.counts) count = reader.u16();
  return header;
}

/// A record whose type we know, or a SOA's negative TTL.
struct Section {
  std::vector<Record> records;
  std::optional<std::uint32_t> negative_ttl;
};

/// Reads the RDATA of a known type; false when it does not read as that type.
bool read_value(std::span<const std::uint8_t> packet, std::size_t at, std::size_t length,
                Record& record) {
  // The value ends where it says: names in it may still point to before it.
  Reader reader(packet.first(at + length), at);
  switch (record.type) {
    case Type::a: {
      if (length != 4) return false;
      record.address = IpAddress::from_v4({reader.u8(), reader.u8(), reader.u8(), reader.u8()});
      return true;
    }
    case Type::aaaa: {
      if (length != 16) return false;
      std::array<std::uint8_t, 16> bytes{};
      for (auto& byte : bytes) byte = reader.u8();
      record.address = IpAddress::from_v6(bytes);
      return true;
    }
    case Type::mx:
      record.preference = reader.u16();
      [[fallthrough]];
    case Type::ptr:
    case Type::cname:
      record.name = reader.name();
      return reader.ok();
    case Type::txt:
      while (reader.ok() && reader.at() < at + length) record.text += reader.bytes(reader.u8());
      return reader.ok();
  }
  return false;
}

bool is_known(std::uint16_t type) {
  static constexpr std::array known{Type::a,  Type::cname, Type::ptr,
                                    Type::mx, Type::txt,   Type::aaaa};
  return std::ranges::find(known, static_cast<Type>(type)) != known.end();
}

/// RFC 2308 section 5: a negative answer lives for the smaller of the SOA's TTL and its MINIMUM.
std::optional<std::uint32_t> read_soa(std::span<const std::uint8_t> packet, std::size_t at,
                                      std::size_t length, std::uint32_t ttl) {
  Reader reader(packet.first(at + length), at);
  reader.name();
  reader.name();
  reader.bytes(16);
  const std::uint32_t minimum = reader.u32();
  if (!reader.ok()) return std::nullopt;
  return std::min(ttl, minimum);
}

bool read_record(std::span<const std::uint8_t> packet, Reader& reader, Section& section) {
  Record record;
  record.owner = reader.name();
  const std::uint16_t type = reader.u16();
  const std::uint16_t record_class = reader.u16();
  record.ttl_seconds = reader.u32();
  // RFC 2181 section 8: a TTL with the highest bit set counts as 0.
  if (record.ttl_seconds > ttl_seconds_max) record.ttl_seconds = 0;
  const std::uint16_t length = reader.u16();
  const std::size_t at = reader.at();
  reader.bytes(length);
  if (!reader.ok()) return false;
  if (record_class != class_in) return true;
  if (type == type_soa) {
    section.negative_ttl = read_soa(packet, at, length, record.ttl_seconds);
    return section.negative_ttl.has_value();
  }
  if (!is_known(type)) return true;
  record.type = static_cast<Type>(type);
  if (!read_value(packet, at, length, record)) return false;
  if (section.records.size() < packet_records_max) section.records.push_back(std::move(record));
  return true;
}

void append(Answer& answer, Record& record) {
  switch (record.type) {
    case Type::a:
    case Type::aaaa:
      answer.addresses.push_back(record.address);
      return;
    case Type::ptr:
    case Type::cname:
      answer.names.push_back(std::move(record.name));
      return;
    case Type::mx:
      answer.mail_exchanges.push_back({record.preference, std::move(record.name)});
      return;
    case Type::txt:
      answer.texts.push_back(std::move(record.text));
      return;
  }
}

/// Follows the CNAMEs of the answer section. False: a loop.
bool follow_names(const std::vector<Record>& records, Type type, Answer& answer,
                  std::uint32_t& ttl) {
  if (type == Type::cname) return true;
  for (int step = 0; step < cname_steps_max; ++step) {
    const auto alias = std::ranges::find_if(records, [&answer](const Record& record) {
      return record.type == Type::cname && record.owner == answer.canonical_name;
    });
    if (alias == records.end()) return true;
    answer.canonical_name = alias->name;
    ttl = std::min(ttl, alias->ttl_seconds);
  }
  return false;
}

Answer answer_of(Section answers, const Header& header, std::optional<std::uint32_t> negative_ttl,
                 const std::string& name, Type type) {
  Answer answer;
  answer.canonical_name = name;
  answer.status = Status::serv_fail;
  const bool nx_domain = header.code() == static_cast<unsigned>(ResponseCode::nx_domain);
  if (header.code() != 0 && !nx_domain) return answer;
  std::uint32_t ttl = ttl_seconds_max;
  if (!follow_names(answers.records, type, answer, ttl)) return answer;
  bool found = false;
  for (Record& record : answers.records) {
    if (record.type != type || record.owner != answer.canonical_name) continue;
    ttl = std::min(ttl, record.ttl_seconds);
    append(answer, record);
    found = true;
  }
  // RFC 2308 section 5: without a SOA a negative answer is not to be kept.
  if (!found) ttl = std::min(ttl, negative_ttl.value_or(0));
  answer.status = found ? Status::ok : nx_domain ? Status::nx_domain : Status::no_data;
  answer.ttl_seconds = ttl;
  sort_answer(answer);
  return answer;
}

}  // namespace

std::optional<Answer> read_answer(std::span<const std::uint8_t> packet, const std::string& name,
                                  Type type) {
  Reader reader(packet);
  const Header header = read_header(reader);
  if (!reader.ok() || !header.is_response() || header.truncated() || header.counts[0] != 1)
    return std::nullopt;
  const std::string asked = reader.name();
  const std::uint16_t asked_type = reader.u16();
  reader.u16();
  if (!reader.ok() || asked != name || asked_type != static_cast<std::uint16_t>(type))
    return std::nullopt;
  Section answers;
  for (std::size_t i = 0; i < header.counts[1]; ++i)
    if (!read_record(packet, reader, answers)) return std::nullopt;
  Section authority;
  for (std::size_t i = 0; i < header.counts[2]; ++i)
    if (!read_record(packet, reader, authority)) return std::nullopt;
  return answer_of(std::move(answers), header, authority.negative_ttl, name, type);
}

std::optional<Question> read_question(std::span<const std::uint8_t> packet) {
  Reader reader(packet);
  const Header header = read_header(reader);
  Question question;
  question.id = header.id;
  question.name = reader.name();
  question.type = reader.u16();
  reader.u16();
  if (!reader.ok() || header.is_response() || header.counts[0] != 1) return std::nullopt;
  question.bytes.assign(reinterpret_cast<const char*>(packet.data()) + header_bytes,
                        reader.at() - header_bytes);
  // Nothing stands before the question's name that it could point to; and then its bytes could not
  // be repeated elsewhere.
  const auto wire = name_to_wire(question.name);
  if (!wire || question.bytes.size() != wire->size() + 4) return std::nullopt;
  if (header.counts[3] > 0) {
    reader.name();
    question.has_edns = reader.u16() == type_opt && reader.ok();
  }
  return question;
}

}  // namespace postern::dns
