#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "admin/commands.h"
#include "base/result.h"
#include "queue/administration.h"

/// The language of the control socket, without I/O: one JSON object a line in each direction.
///
///     {"verb":"queue.list","sender":"@example.com","older_than":"4h","count":100}
///     {"ok":true,"messages":[...],"more":false}
///     {"ok":false,"error":"not_found","what":"there is no message 0123456789ABC in the queue"}
namespace postern::admin {

constexpr std::size_t request_bytes_max = 64 * 1024;  ///< with its line end
constexpr std::size_t reply_bytes_max = 4 << 20;
constexpr std::size_t recipients_shown_max = 500;  ///< in one reply; then ask on

enum class Verb : std::uint8_t {
  status,
  metrics,
  queue_list,
  queue_show,
  queue_content,
  queue_retry,
  queue_hold,
  queue_release,
  queue_remove,
  queue_bounce,
  queue_flush,
  reload
};
/// "queue.list"
std::string_view verb_name(Verb verb);

/// retry, hold, ...: it needs to be told which messages.
bool changes_messages(Verb verb);

struct Request {
  Verb verb = Verb::status;
  queue::MessageId id = {};         ///< show, content
  queue::Walk walk = {};            ///< list and what changes messages; its box also for the others
  bool all = false;                 ///< what changes messages: yes, every one
  std::size_t recipients_from = 0;  ///< show: the first recipient to show
  std::uint64_t offset = 0;         ///< content: of the first byte
  std::string reason = {};          ///< bounce: what the sender reads
  bool operator==(const Request&) const = default;
};
constexpr std::size_t reason_bytes_max = 500;

/// One line, without its line end. Error: what is wrong with it, for the one who wrote it.
Result<Request> parse_request(std::string_view line);
/// The line, without its line end, that parse_request() reads back as the same.
std::string format_request(const Request& request);

/// Replies. Text that is not printable ASCII (addresses may hold any bytes) stands in them with
/// \xNN. error_word() is the error's kind: "not_found", "in_use", "failed", ...
std::string_view error_word(Cause cause);
boost::json::object error_reply(const Error& error);
boost::json::object ok_reply();
boost::json::object status_reply(const Status& status, WallTime now);
/// What is measured, and who was refused of late:
///
///     {"ok":true,"time":"2026-11-24T03:25:53.123Z","metrics":[
///        {"name":"postern_smtp_replies_total","type":"counter",
///         "samples":[{"labels":{"class":"2xx"},"value":12},...]},
///        {"name":"...","type":"histogram","bounds":[0.001,...],
///         "samples":[{"labels":{},"buckets":[3,...],"sum":0.7},...]}],
///      "refusals":{"window_seconds":300,"clients":[{"client":"192.0.2.7","cause":"no_ptr",
///        "count":5},...],"causes":[{"cause":"no_ptr","count":7},...]}}
boost::json::object metrics_reply(const std::vector<MetricFamily>& families,
                                  const Refusals& refusals, WallTime now);
boost::json::object list_reply(const queue::Listed& listed);
boost::json::object act_reply(const queue::Acted& acted);
boost::json::object content_reply(const queue::ContentPart& part);
/// Why nothing was done to the only message that was named.
Error refusal(const queue::Acted& acted);
boost::json::object show_reply(const queue::QueuedMessage& message, std::size_t recipients_from);
/// Whole numbers without exponent and point, as far as a double is exact.
boost::json::value plain_number(double number);
/// A reply on one line, without its line end.
std::string format_reply(const boost::json::object& reply);
/// RFC 4648 section 4: base64, as `content` has its bytes.
std::string encode_base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);
/// A reply line: the object of an ok reply, or the Error that the server sent.
Result<boost::json::object> parse_reply(std::string_view line);

}  // namespace postern::admin
