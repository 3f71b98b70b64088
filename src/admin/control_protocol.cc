#include "admin/control_protocol.h"

#include <array>
#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"

namespace postern::admin {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<Verb, std::string_view>, 7> verbs{{
    {Verb::status, "status"},
    {Verb::queue_list, "queue.list"},
    {Verb::queue_show, "queue.show"},
    {Verb::queue_retry, "queue.retry"},
    {Verb::queue_remove, "queue.remove"},
    {Verb::queue_flush, "queue.flush"},
    {Verb::reload, "reload"},
}};

constexpr std::array<std::pair<Cause, std::string_view>, 11> causes{{
    {Cause::other, "failed"},
    {Cause::closed, "closed"},
    {Cause::timed_out, "timed_out"},
    {Cause::cancelled, "cancelled"},
    {Cause::refused, "refused"},
    {Cause::not_found, "not_found"},
    {Cause::no_space, "no_space"},
    {Cause::damaged, "damaged"},
    {Cause::limit, "limit"},
    {Cause::in_use, "in_use"},
    {Cause::no_permission, "no_permission"},
}};

/// A reply must be JSON whatever bytes an address holds.
std::string shown(std::string_view text) {
  constexpr std::size_t length_max = 1000;
  const bool plain = text.size() <= length_max && std::ranges::all_of(text, ascii_printable);
  return plain ? std::string(text) : printable(text, length_max);
}

std::string_view state_word(queue::RecipientState state) {
  switch (state) {
    case queue::RecipientState::waiting:
      return "waiting";
    case queue::RecipientState::delivered:
      return "delivered";
    case queue::RecipientState::failed:
      return "failed";
    case queue::RecipientState::dead:
      return "dead";
  }
  return "waiting";
}

bool needs_id(Verb verb) {
  return verb == Verb::queue_show || verb == Verb::queue_retry || verb == Verb::queue_remove;
}

std::unexpected<Error> malformed(std::string what) {
  return operator_failure(Cause::other, std::move(what));
}

Result<queue::MessageId> parse_id(const json::value& value, std::string_view key) {
  const auto* text = value.if_string();
  const auto id = text == nullptr ? std::nullopt : queue::MessageId::parse(std::string_view(*text));
  if (!id)
    return malformed(fmt::format(
        "\"{}\" is not a message id; ids are the 13 letters and digits that queue list shows",
        key));
  return *id;
}

Result<std::size_t> parse_count(const json::value& value, std::string_view key, std::size_t max) {
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 0 || static_cast<std::size_t>(*number) > max)
    return malformed(fmt::format("\"{}\" must be a whole number from 0 to {}", key, max));
  return static_cast<std::size_t>(*number);
}

Result<> parse_member(Request& request, std::string_view key, const json::value& value) {
  constexpr std::size_t recipients_from_max = 1'000'000;
  if (key == "verb") return {};
  if (key == "id") {
    TRY(request.id, parse_id(value, key));
  } else if (key == "after") {
    TRY(request.after, parse_id(value, key));
  } else if (key == "count") {
    TRY(request.count, parse_count(value, key, list_count_max));
  } else if (key == "recipients_from") {
    TRY(request.recipients_from, parse_count(value, key, recipients_from_max));
  } else {
    return malformed(fmt::format("unknown member \"{}\"", printable(key, 40)));
  }
  return {};
}

json::object recipient_object(const queue::QueuedRecipient& recipient) {
  json::object object;
  object["address"] = shown(recipient.recipient.address);
  object["state"] = state_word(recipient.state);
  object["attempts"] = recipient.attempts;
  if (recipient.state == queue::RecipientState::waiting)
    object["next_attempt"] = format_iso8601(recipient.next_attempt);
  object["last_reply"] = shown(recipient.last_reply);
  object["last_remote"] = shown(recipient.last_remote);
  return object;
}

}  // namespace

std::string_view verb_name(Verb verb) {
  for (const auto& [value, name] : verbs)
    if (value == verb) return name;
  return "";
}

std::string_view error_word(Cause cause) {
  for (const auto& [value, word] : causes)
    if (value == cause) return word;
  return "failed";
}

Result<Request> parse_request(std::string_view line) {
  if (line.size() > request_bytes_max) return malformed("the request is too long");
  json::parse_options limits;
  limits.max_depth = 4;
  json::error_code error;
  const json::value parsed = json::parse(line, error, {}, limits);
  if (error) return malformed("not JSON: " + error.message());
  const json::object* object = parsed.if_object();
  if (object == nullptr) return malformed("not a JSON object");
  const json::value* verb = object->if_contains("verb");
  if (verb == nullptr || !verb->is_string())
    return malformed("no \"verb\"; say for example {\"verb\":\"status\"}");
  Request request;
  const std::string_view name = verb->get_string();
  const auto* found = std::ranges::find(verbs, name, &std::pair<Verb, std::string_view>::second);
  if (found == verbs.end())
    return malformed(fmt::format("unknown verb \"{}\"", printable(name, 40)));
  request.verb = found->first;
  for (const auto& [key, value] : *object) TRY_VOID(parse_member(request, key, value));
  if (needs_id(request.verb) && !object->contains("id"))
    return malformed(fmt::format("{} needs the \"id\" of a message", name));
  return request;
}

std::string format_request(const Request& request) {
  json::object object{{"verb", verb_name(request.verb)}};
  if (needs_id(request.verb)) object["id"] = request.id.text();
  if (request.verb == Verb::queue_show) object["recipients_from"] = request.recipients_from;
  if (request.verb == Verb::queue_list) {
    object["after"] = request.after.text();
    object["count"] = request.count;
  }
  return json::serialize(object);
}

json::object error_reply(const Error& error) {
  return {{"ok", false}, {"error", error_word(error.cause)}, {"what", shown(error.what)}};
}

json::object ok_reply() {
  return {{"ok", true}};
}

json::object status_reply(const Status& status, WallTime now) {
  json::object reply = ok_reply();
  reply["version"] = shown(status.version);
  reply["hostname"] = shown(status.hostname);
  json::array listening;
  for (const std::string& endpoint : status.listening) listening.emplace_back(shown(endpoint));
  reply["listening"] = std::move(listening);
  reply["started"] = format_iso8601(status.started);
  reply["uptime_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(now - status.started).count();
  reply["unknown_ip_mode"] = shown(status.unknown_ip_mode);
  reply["draining"] = status.draining;
  reply["sessions"] = status.sessions;
  reply["queue"] = {{"messages", status.queue.messages},
                    {"leased", status.queue.leased},
                    {"damaged", status.queue.damaged}};
  return reply;
}

json::object list_reply(const std::vector<queue::Queue::Summary>& messages, bool more) {
  json::array listed;
  for (const queue::Queue::Summary& message : messages)
    listed.push_back({{"id", message.id.text()},
                      {"reverse_path", shown(message.reverse_path)},
                      {"bytes", message.content_bytes},
                      {"arrived", format_iso8601(message.arrived)},
                      {"next_attempt", format_iso8601(message.next_attempt)},
                      {"recipients_waiting", message.recipients_waiting},
                      {"in_delivery", message.leased}});
  json::object reply = ok_reply();
  reply["messages"] = std::move(listed);
  reply["more"] = more;
  return reply;
}

json::object show_reply(const queue::QueuedMessage& message, std::size_t recipients_from) {
  json::object reply = ok_reply();
  reply["id"] = message.id.text();
  reply["reverse_path"] = shown(message.envelope.reverse_path);
  reply["bytes"] = message.content_bytes;
  reply["arrived"] = format_iso8601(message.provenance.arrived);
  reply["client"] = message.provenance.client.text();
  reply["client_name"] = shown(message.provenance.client_name);
  reply["helo"] = shown(message.provenance.helo);
  reply["protocol"] = shown(message.provenance.protocol);
  reply["envelope_id"] = shown(message.envelope.envelope_id);
  const std::size_t count = message.recipients.size();
  const std::size_t first = std::min(recipients_from, count);
  const std::size_t last = std::min(first + recipients_shown_max, count);
  json::array recipients;
  for (std::size_t i = first; i < last; ++i)
    recipients.push_back(recipient_object(message.recipients[i]));
  reply["recipients_total"] = count;
  reply["recipients_from"] = first;
  reply["recipients"] = std::move(recipients);
  reply["more"] = last < count;
  return reply;
}

std::string format_reply(const json::object& reply) {
  return json::serialize(reply);
}

Result<json::object> parse_reply(std::string_view line) {
  json::error_code error;
  json::value parsed = json::parse(line, error);
  json::object* object = parsed.if_object();
  const json::value* ok = object == nullptr || error ? nullptr : object->if_contains("ok");
  if (ok == nullptr || !ok->is_bool())
    return peer_failure(Cause::damaged,
                        "the server's reply is not understood; is it of another version?");
  if (ok->get_bool()) return std::move(*object);
  Error failure{Persistence::permanent, Blame::peer, Cause::other, "no reason given"};
  if (const auto* what = object->if_contains("what"); what != nullptr && what->is_string())
    failure.what = std::string(std::string_view(what->get_string()));
  if (const auto* word = object->if_contains("error"); word != nullptr && word->is_string())
    for (const auto& [cause, name] : causes)
      if (name == std::string_view(word->get_string())) failure.cause = cause;
  return fail(std::move(failure));
}

}  // namespace postern::admin
