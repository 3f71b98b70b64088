#include "queue/record.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <zlib.h>

namespace postern::queue {
namespace {

constexpr std::uint8_t version_1 = 1;
constexpr std::size_t crc_bytes = 4;
// Bits of the flags.
constexpr std::uint8_t flag_held = 1;
constexpr std::uint8_t flag_delay_told = 1;
// The fixed parts of a recipient in version 1, which are the fewest: five lengths and numbers of a
// byte, two bytes, eight of time.
constexpr std::size_t recipient_bytes_min = 15;

class Writer {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void fixed(std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
      byte(static_cast<std::uint8_t>(value >> shift));
  }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  void string(std::string_view text) {
    too_long_ = too_long_ || text.size() > record_string_bytes_max;
    number(text.size());
    out_.append(text);
  }
  void time(WallTime time) {
    fixed(static_cast<std::uint64_t>(time.time_since_epoch().count()), 8);
  }
  [[nodiscard]] bool too_long() const { return too_long_; }
  std::string& out() { return out_; }

 private:
  std::string out_;
  bool too_long_ = false;
};

// Reads fields in order; after the first that does not fit, all are empty and `damage` names it.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t fixed(int bytes, const char* field) {
    if (!has(static_cast<std::size_t>(bytes), field)) return 0;
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = (value << 8) | static_cast<std::uint8_t>(rest_[i]);
    rest_.remove_prefix(static_cast<std::size_t>(bytes));
    return value;
  }
  std::uint64_t number(std::uint64_t max, const char* field) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const std::uint64_t part = fixed(1, field);
      value |= (part & 0x7f) << shift;
      if ((part & 0x80) == 0) {
        if (value > max) spoil(field);
        return damage_ == nullptr ? value : 0;
      }
    }
    spoil(field);
    return 0;
  }
  template <typename Enum>
  Enum choice(Enum last, const char* field) {
    const auto value = fixed(1, field);
    if (value > static_cast<std::uint64_t>(last)) spoil(field);
    return damage_ == nullptr ? static_cast<Enum>(value) : Enum{};
  }
  std::string string(const char* field) {
    const std::uint64_t size = number(record_string_bytes_max, field);
    if (!has(size, field)) return {};
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  WallTime time(const char* field) {
    return WallTime(Duration(static_cast<std::int64_t>(fixed(8, field))));
  }
  void spoil(const char* field) {
    if (damage_ == nullptr) damage_ = field;
  }
  [[nodiscard]] const char* damage() const { return damage_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  bool has(std::size_t bytes, const char* field) {
    if (rest_.size() < bytes) spoil(field);
    return damage_ == nullptr;
  }
  std::string_view rest_;
  const char* damage_ = nullptr;
};

std::unexpected<Error> damaged(std::string what) {
  return fail(Persistence::permanent, Blame::us, Cause::damaged, std::move(what));
}

std::uint8_t notify_bits(const mail::DsnNotify& notify) {
  return static_cast<std::uint8_t>((notify.specified ? 1 : 0) | (notify.never ? 2 : 0) |
                                   (notify.success ? 4 : 0) | (notify.failure ? 8 : 0) |
                                   (notify.delay ? 16 : 0));
}

mail::DsnNotify notify_of(std::uint64_t bits) {
  return {.specified = (bits & 1) != 0,
          .never = (bits & 2) != 0,
          .success = (bits & 4) != 0,
          .failure = (bits & 8) != 0,
          .delay = (bits & 16) != 0};
}

void write_recipient(Writer& out, const QueuedRecipient& recipient) {
  out.string(recipient.recipient.address);
  out.byte(notify_bits(recipient.recipient.notify));
  out.string(recipient.recipient.original_recipient);
  out.byte(static_cast<std::uint8_t>(recipient.state));
  out.byte(recipient.delay_told ? flag_delay_told : 0);
  out.number(recipient.attempts);
  out.time(recipient.next_attempt);
  out.time(recipient.last_attempt);
  out.string(std::string_view(recipient.last_reply).substr(0, record_reply_bytes_max));
  out.string(std::string_view(recipient.last_remote).substr(0, record_reply_bytes_max));
}

QueuedRecipient read_recipient(Reader& in, std::uint8_t version) {
  QueuedRecipient out;
  out.recipient.address = in.string("recipient address");
  out.recipient.notify = notify_of(in.number(31, "recipient NOTIFY"));
  out.recipient.original_recipient = in.string("recipient ORCPT");
  const auto last = version == version_1 ? RecipientState::failed : RecipientState::dead;
  out.state = in.choice(last, "recipient state");
  if (version != version_1)
    out.delay_told = in.number(flag_delay_told, "recipient flags") == flag_delay_told;
  out.attempts = static_cast<std::uint32_t>(in.number(UINT32_MAX, "recipient attempts"));
  out.next_attempt = in.time("recipient next attempt");
  if (version != version_1) out.last_attempt = in.time("recipient last attempt");
  out.last_reply = in.string("recipient last reply");
  out.last_remote = in.string("recipient last remote");
  return out;
}

void write_envelope(Writer& out, const mail::Envelope& envelope) {
  out.string(envelope.reverse_path);
  out.byte(static_cast<std::uint8_t>(envelope.body));
  out.byte(envelope.smtputf8 ? 1 : 0);
  out.byte(static_cast<std::uint8_t>(envelope.dsn_return));
  out.string(envelope.envelope_id);
}

void write_provenance(Writer& out, const Provenance& provenance) {
  for (const std::uint8_t byte : provenance.client.bytes()) out.byte(byte);
  out.string(provenance.client_name);
  out.string(provenance.helo);
  out.string(provenance.protocol);
  out.time(provenance.arrived);
}

mail::Envelope read_envelope(Reader& in) {
  mail::Envelope out;
  out.reverse_path = in.string("reverse path");
  out.body = in.choice(mail::BodyType::eight_bit_mime, "body type");
  out.smtputf8 = in.number(1, "SMTPUTF8") == 1;
  out.dsn_return = in.choice(mail::DsnReturn::headers, "RET");
  out.envelope_id = in.string("ENVID");
  return out;
}

Provenance read_provenance(Reader& in) {
  Provenance out;
  std::array<std::uint8_t, 16> address{};
  for (std::uint8_t& byte : address)
    byte = static_cast<std::uint8_t>(in.fixed(1, "client address"));
  out.client = IpAddress::from_v6(address);
  out.client_name = in.string("client name");
  out.helo = in.string("HELO name");
  out.protocol = in.string("protocol");
  out.arrived = in.time("arrival time");
  return out;
}

StoredMessage read_message(Reader& in, std::uint8_t version) {
  StoredMessage out;
  QueuedMessage& message = out.message;
  message.id = MessageId{in.fixed(8, "id")};
  out.place = in.choice(ContentPlace::file, "content place");
  if (version != version_1) message.held = in.number(flag_held, "flags") == flag_held;
  message.content_bytes = in.number(INT64_MAX, "content size");
  out.content_crc = static_cast<std::uint32_t>(in.fixed(4, "content checksum"));
  message.envelope = read_envelope(in);
  message.provenance = read_provenance(in);
  message.lifetime_from =
      version == version_1 ? message.provenance.arrived : in.time("start of the lifetime");
  const std::uint64_t count = in.number(record_recipients_max, "number of recipients");
  // What the bytes cannot hold is refused before memory is taken for it.
  if (count > in.left() / recipient_bytes_min) in.spoil("number of recipients");
  if (in.damage() == nullptr) message.recipients.reserve(count);
  for (std::uint64_t i = 0; i < count && in.damage() == nullptr; ++i)
    message.recipients.push_back(read_recipient(in, version));
  return out;
}

}  // namespace

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc) {
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Result<std::string> encode_record(const StoredMessage& stored) {
  const QueuedMessage& message = stored.message;
  Writer out;
  out.out().reserve(256 + message.recipients.size() * 96);
  out.byte(record_version);
  out.fixed(message.id.value, 8);
  out.byte(static_cast<std::uint8_t>(stored.place));
  out.byte(message.held ? flag_held : 0);
  out.number(message.content_bytes);
  out.fixed(stored.content_crc, 4);
  write_envelope(out, message.envelope);
  write_provenance(out, message.provenance);
  out.time(message.lifetime_from);
  out.number(message.recipients.size());
  for (const QueuedRecipient& recipient : message.recipients) write_recipient(out, recipient);
  if (out.too_long() || message.recipients.size() > record_recipients_max)
    return fail(
        Persistence::permanent, Blame::us, Cause::limit,
        fmt::format("envelope too large for the queue: {} recipients (at most {}), or an "
                    "address or name beyond {} bytes",
                    message.recipients.size(), record_recipients_max, record_string_bytes_max));
  out.fixed(crc32_of(out.out()), crc_bytes);
  return std::move(out.out());
}

Result<StoredMessage> decode_record(std::string_view bytes) {
  if (bytes.size() < 1 + crc_bytes)
    return damaged(fmt::format("the record has only {} bytes", bytes.size()));
  const std::string_view body = bytes.substr(0, bytes.size() - crc_bytes);
  Reader trailer(bytes.substr(body.size()));
  const std::uint64_t kept = trailer.fixed(crc_bytes, "checksum");
  const std::uint32_t crc = crc32_of(body);
  if (kept != crc)
    return damaged(fmt::format("checksum differs (stored {:08x}, computed {:08x} over {} bytes)",
                               kept, crc, body.size()));
  Reader in(body);
  const auto version = static_cast<std::uint8_t>(in.fixed(1, "version"));
  if (version < version_1 || version > record_version)
    return damaged(fmt::format(
        "version {} of the record format is unknown here ({} to {} are); was it written by a newer "
        "Postern?",
        version, version_1, record_version));
  StoredMessage out = read_message(in, version);
  if (in.damage() == nullptr && in.left() != 0) in.spoil("end of record: bytes left over");
  if (in.damage() != nullptr)
    return damaged(fmt::format("field \"{}\" is cut short or out of range", in.damage()));
  return out;
}

QueuedMessage readable_fields(std::string_view bytes) {
  if (bytes.size() < crc_bytes) return {};
  Reader in(bytes.substr(0, bytes.size() - crc_bytes));
  const auto version = static_cast<std::uint8_t>(in.fixed(1, "version"));
  return read_message(in, version == version_1 ? version_1 : record_version).message;
}

bool is_of_newer_version(std::string_view bytes) {
  if (bytes.size() < 1 + crc_bytes) return false;
  const std::string_view body = bytes.substr(0, bytes.size() - crc_bytes);
  return Reader(bytes.substr(body.size())).fixed(crc_bytes, "checksum") == crc32_of(body) &&
         static_cast<std::uint8_t>(bytes.front()) > record_version;
}

std::string encode_number(std::uint64_t value) {
  Writer out;
  out.fixed(value, 8);
  return std::move(out.out());
}
std::optional<std::uint64_t> decode_number(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return Reader(bytes).fixed(8, "number");
}
std::string encode_id(MessageId id) {
  return encode_number(id.value);
}

std::string message_key(MessageId id) {
  return std::string(message_prefix) + encode_id(id);
}
std::string dead_key(MessageId id) {
  return std::string(dead_prefix) + message_key(id);
}
std::string content_key(MessageId id) {
  return std::string(content_prefix) + encode_id(id);
}
std::string content_file(MessageId id) {
  return "content/" + id.text();
}

std::optional<MessageId> id_of_key(std::string_view key) {
  for (const std::string_view box : {damaged_prefix, dead_prefix})
    if (key.starts_with(box)) key.remove_prefix(box.size());
  if (!key.starts_with(message_prefix)) return std::nullopt;
  const auto value = decode_number(key.substr(message_prefix.size()));
  if (!value) return std::nullopt;
  return MessageId{*value};
}

}  // namespace postern::queue
