#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "queue/queue.h"

namespace postern::queue {

/// Where the content of a queued message lies.
enum class ContentPlace : std::uint8_t {
  store,  ///< in the store, beside the record
  file,   ///< in a file of its own, content/<id>
};

/// What the store keeps for a message: FORMAT.md.
struct StoredMessage {
  QueuedMessage message;
  ContentPlace place = ContentPlace::store;
  std::uint32_t content_crc = 0;  ///< CRC-32 of the whole content
};

// Bounds of a record. The session's limits are far below; a record beyond them is damage.
constexpr std::size_t record_recipients_max = 100'000;
constexpr std::size_t record_string_bytes_max = 64 * 1024;
/// What is kept of a next hop's reply, for people.
constexpr std::size_t record_reply_bytes_max = 1024;

/// The version that encode_record writes; decode_record reads it and every earlier one.
constexpr std::uint8_t record_version = 2;
/// The store as a whole, under format_key: what its keys mean, and the newest record in it.
constexpr std::uint64_t store_format = 2;

/// The record's bytes. Cause::limit when the message is beyond the bounds; replies are cut.
Result<std::string> encode_record(const StoredMessage& stored);
/// Reads what encode_record writes, or wrote in an earlier version, and nothing else:
/// Cause::damaged says which field, or that the checksum differs. Any bytes may be given; memory
/// stays in proportion to them.
Result<StoredMessage> decode_record(std::string_view bytes);

/// What can still be read of a record that decode_record refuses, for people: the fields up to the
/// first that does not fit, checksum or not, so that any of them may be wrong.
QueuedMessage readable_fields(std::string_view bytes);
/// The bytes are whole, of a version that only a newer Postern reads.
bool is_of_newer_version(std::string_view bytes);

/// CRC-32 (ISO 3309, as zlib has it), continued from `crc`; 0 to start.
std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc = 0);

// Keys of the store. Ids in keys are 8 bytes, big-endian: the order of keys is that of arrival.
constexpr std::string_view message_prefix = "m/";
constexpr std::string_view content_prefix = "c/";
constexpr std::string_view dead_prefix = "dead/";
constexpr std::string_view damaged_prefix = "damaged/";
constexpr std::string_view last_id_key = "s/last_id";
constexpr std::string_view format_key = "s/format";
std::string message_key(MessageId id);
/// Of a dead letter; its content stays under content_key or in its file.
std::string dead_key(MessageId id);
std::string content_key(MessageId id);
std::string encode_id(MessageId id);
/// Eight bytes, big-endian, as store_format and ids are written.
std::string encode_number(std::uint64_t value);
std::optional<std::uint64_t> decode_number(std::string_view bytes);
/// The id of a key of message_prefix, or of dead_prefix or damaged_prefix with it; nullopt when it
/// holds none.
std::optional<MessageId> id_of_key(std::string_view key);
/// "content/<id>", below the spool.
std::string content_file(MessageId id);

}  // namespace postern::queue
