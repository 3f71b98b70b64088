#include "admin/control_protocol.h"

#include <array>
#include <cmath>
#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"

namespace postern::admin {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<Verb, std::string_view>, 12> verbs{{
    {Verb::status, "status"},
    {Verb::metrics, "metrics"},
    {Verb::queue_list, "queue.list"},
    {Verb::queue_show, "queue.show"},
    {Verb::queue_content, "queue.content"},
    {Verb::queue_retry, "queue.retry"},
    {Verb::queue_hold, "queue.hold"},
    {Verb::queue_release, "queue.release"},
    {Verb::queue_remove, "queue.remove"},
    {Verb::queue_bounce, "queue.bounce"},
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

std::string_view left_word(queue::Left why) {
  switch (why) {
    case queue::Left::in_delivery:
      return "in_delivery";
    case queue::Left::held:
      return "held";
    case queue::Left::not_held:
      return "not_held";
    case queue::Left::no_sender:
      return "no_sender";
    case queue::Left::damaged:
      return "damaged";
  }
  return "";
}

bool needs_id(Verb verb) {
  return verb == Verb::queue_show || verb == Verb::queue_content;
}
bool walks(Verb verb) {
  return verb == Verb::queue_list || changes_messages(verb);
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

Result<std::string> parse_text(const json::value& value, std::string_view key, std::size_t max) {
  const auto* text = value.if_string();
  if (text == nullptr || text->size() > max)
    return malformed(fmt::format("\"{}\" must be a string of at most {} bytes", key, max));
  return std::string(std::string_view(*text));
}

Result<bool> parse_flag(const json::value& value, std::string_view key) {
  const auto* flag = value.if_bool();
  if (flag == nullptr) return malformed(fmt::format("\"{}\" must be true or false", key));
  return *flag;
}

Result<Duration> parse_age(const json::value& value, std::string_view key) {
  const auto* text = value.if_string();
  const auto age = text == nullptr ? std::nullopt : parse_duration(std::string_view(*text));
  if (!age) return malformed(fmt::format("\"{}\" must be a time such as \"4h\" or \"2d\"", key));
  return *age;
}

Result<std::vector<queue::MessageId>> parse_ids(const json::value& value, std::string_view key) {
  const auto* array = value.if_array();
  if (array == nullptr || array->empty() || array->size() > queue::walk_count_max)
    return malformed(
        fmt::format("\"{}\" must be a list of 1 to {} message ids", key, queue::walk_count_max));
  std::vector<queue::MessageId> ids;
  for (const json::value& entry : *array) {
    TRY(const queue::MessageId id, parse_id(entry, key));
    ids.push_back(id);
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

constexpr std::size_t address_bytes_max = 1000;

/// A member that belongs to the walk; false: it is none of them.
Result<bool> parse_walk_member(queue::Walk& walk, std::string_view key, const json::value& value) {
  queue::Selection& selection = walk.selection;
  if (key == "after") {
    TRY(walk.after, parse_id(value, key));
  } else if (key == "until") {
    TRY(walk.until, parse_id(value, key));
  } else if (key == "count") {
    TRY(walk.count, parse_count(value, key, queue::walk_count_max));
  } else if (key == "ids") {
    TRY(walk.ids, parse_ids(value, key));
  } else if (key == "dead") {
    TRY(const bool dead, parse_flag(value, key));
    walk.box = dead ? queue::Box::dead : queue::Box::queue;
  } else if (key == "sender") {
    TRY(selection.sender, parse_text(value, key, address_bytes_max));
  } else if (key == "recipient") {
    TRY(selection.recipient, parse_text(value, key, address_bytes_max));
  } else if (key == "destination") {
    TRY(selection.destination, parse_text(value, key, address_bytes_max));
  } else if (key == "older_than") {
    TRY(selection.older_than, parse_age(value, key));
  } else if (key == "younger_than") {
    TRY(selection.younger_than, parse_age(value, key));
  } else if (key == "held") {
    TRY(selection.held, parse_flag(value, key));
  } else {
    return false;
  }
  return true;
}

Result<> parse_member(Request& request, std::string_view key, const json::value& value) {
  constexpr std::size_t recipients_from_max = 1'000'000;
  constexpr std::size_t offset_max = std::size_t{1} << 40;
  if (key == "verb") return {};
  TRY(const bool known, parse_walk_member(request.walk, key, value));
  if (known) return {};
  if (key == "id") {
    TRY(request.id, parse_id(value, key));
  } else if (key == "all") {
    TRY(request.all, parse_flag(value, key));
  } else if (key == "recipients_from") {
    TRY(request.recipients_from, parse_count(value, key, recipients_from_max));
  } else if (key == "offset") {
    TRY(request.offset, parse_count(value, key, offset_max));
  } else if (key == "reason") {
    TRY(request.reason, parse_text(value, key, reason_bytes_max));
  } else {
    return malformed(fmt::format("unknown member \"{}\"", printable(key, 40)));
  }
  return {};
}

Result<> check_request(Request& request, const json::object& object) {
  const std::string_view name = verb_name(request.verb);
  if (needs_id(request.verb) && !object.contains("id"))
    return malformed(fmt::format("{} needs the \"id\" of a message", name));
  if (!changes_messages(request.verb)) return {};
  if (object.contains("id")) request.walk.ids = {std::exchange(request.id, {})};
  if (request.verb == Verb::queue_flush) request.all = true;
  if (request.walk.ids.empty() && request.walk.selection.empty() && !request.all)
    return malformed(fmt::format(
        "{} needs to know which messages: \"id\", \"ids\", something to select them by, or "
        "\"all\":true",
        name));
  return {};
}

void add_walk(json::object& object, const queue::Walk& walk) {
  const queue::Selection& selection = walk.selection;
  if (walk.after != queue::MessageId()) object["after"] = walk.after.text();
  if (walk.until != queue::MessageId()) object["until"] = walk.until.text();
  object["count"] = walk.count;
  json::array ids;
  for (const queue::MessageId id : walk.ids) ids.emplace_back(id.text());
  if (!ids.empty()) object["ids"] = std::move(ids);
  if (!selection.sender.empty()) object["sender"] = selection.sender;
  if (!selection.recipient.empty()) object["recipient"] = selection.recipient;
  if (!selection.destination.empty()) object["destination"] = selection.destination;
  if (selection.older_than) object["older_than"] = format_duration(*selection.older_than);
  if (selection.younger_than) object["younger_than"] = format_duration(*selection.younger_than);
  if (selection.held) object["held"] = true;
}

void add_step(json::object& reply, const queue::Step& step) {
  json::array missing;
  for (const queue::MessageId id : step.missing) missing.emplace_back(id.text());
  reply["missing"] = std::move(missing);
  reply["after"] = step.last.text();
  reply["until"] = step.until.text();
  reply["more"] = step.more;
}

json::object recipient_object(const queue::QueuedRecipient& recipient) {
  json::object object;
  object["address"] = shown(recipient.recipient.address);
  object["state"] = state_word(recipient.state);
  object["attempts"] = recipient.attempts;
  if (recipient.state == queue::RecipientState::waiting)
    object["next_attempt"] = format_iso8601(recipient.next_attempt);
  if (recipient.last_attempt != WallTime())
    object["last_attempt"] = format_iso8601(recipient.last_attempt);
  object["last_reply"] = shown(recipient.last_reply);
  object["last_remote"] = shown(recipient.last_remote);
  return object;
}

json::value seconds_in(Duration duration) {
  return plain_number(std::chrono::duration<double>(duration).count());
}

json::object sample_object(const Sample& sample) {
  json::object labels;
  for (const Label& label : sample.labels) labels[label.name] = shown(label.value);
  json::object object{{"labels", std::move(labels)}};
  if (const auto* histogram = std::get_if<HistogramView>(&sample.value)) {
    object["buckets"] = json::array(histogram->buckets.begin(), histogram->buckets.end());
    object["sum"] = plain_number(histogram->sum_seconds);
  } else {
    object["value"] = plain_number(std::get<double>(sample.value));
  }
  return object;
}

json::object family_object(const MetricFamily& family) {
  json::object object{{"name", family.name}, {"type", type_word(family.type)}};
  json::array samples;
  for (const Sample& sample : family.samples) samples.push_back(sample_object(sample));
  if (family.type == MetricType::histogram && !family.samples.empty()) {
    json::array bounds;
    for (const Duration bound : std::get<HistogramView>(family.samples.front().value).bounds)
      bounds.push_back(seconds_in(bound));
    object["bounds"] = std::move(bounds);
  }
  object["samples"] = std::move(samples);
  return object;
}

}  // namespace

std::string_view verb_name(Verb verb) {
  for (const auto& [value, name] : verbs)
    if (value == verb) return name;
  return "";
}

bool changes_messages(Verb verb) {
  switch (verb) {
    case Verb::queue_retry:
    case Verb::queue_hold:
    case Verb::queue_release:
    case Verb::queue_remove:
    case Verb::queue_bounce:
    case Verb::queue_flush:
      return true;
    default:
      return false;
  }
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
  TRY_VOID(check_request(request, *object));
  return request;
}

std::string format_request(const Request& request) {
  json::object object{{"verb", verb_name(request.verb)}};
  if (needs_id(request.verb)) object["id"] = request.id.text();
  if (request.walk.box == queue::Box::dead) object["dead"] = true;
  if (request.verb == Verb::queue_show) object["recipients_from"] = request.recipients_from;
  if (request.verb == Verb::queue_content) object["offset"] = request.offset;
  if (walks(request.verb)) add_walk(object, request.walk);
  if (request.all) object["all"] = true;
  if (!request.reason.empty()) object["reason"] = request.reason;
  return json::serialize(object);
}

json::object error_reply(const Error& error) {
  return {{"ok", false}, {"error", error_word(error.cause)}, {"what", shown(error.what)}};
}

json::object ok_reply() {
  return {{"ok", true}};
}

json::object breaker_object(const Breaker& breaker) {
  json::array signals;
  for (const Breaker::Signal& signal : breaker.signals)
    signals.push_back({{"name", signal.name},
                       {"bad", signal.bad},
                       {"total", signal.total},
                       {"opens_at_percent", signal.opens_at_percent},
                       {"opens_at_count", signal.opens_at_count},
                       {"figures", shown(signal.figures)}});
  json::object object{{"enabled", breaker.enabled},
                      {"state", breaker.state},
                      {"opened", breaker.opened},
                      {"learning", breaker.learning},
                      {"signals", std::move(signals)}};
  if (breaker.since) object["since"] = format_iso8601(*breaker.since);
  if (breaker.opened_by.empty()) return object;
  object["opened_by"] = breaker.opened_by;
  object["closes_when"] = shown(breaker.closes_when);
  object["advice"] = shown(breaker.advice);
  return object;
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
                    {"damaged", status.queue.damaged},
                    {"held", status.queue.held},
                    {"dead_letters", status.queue.dead_letters},
                    {"oldest_age_seconds", seconds_in(status.queue.oldest_age)},
                    {"disk_full", status.queue.disk_full}};
  reply["ledger"] = {{"enabled", status.ledger.enabled},
                     {"problem", shown(status.ledger.problem)},
                     {"written", status.ledger.written},
                     {"dropped", status.ledger.dropped},
                     {"database_bytes", status.ledger.database_bytes}};
  reply["breaker"] = breaker_object(status.breaker);
  json::array troubles;
  bool ready = true;
  for (const Trouble& trouble : status.troubles) {
    const bool stops_mail = trouble.weight == Trouble::Weight::not_ready;
    ready = ready && !stops_mail;
    troubles.push_back(
        {{"weight", stops_mail ? "not_ready" : "degraded"}, {"what", shown(trouble.what)}});
  }
  reply["ready"] = ready;
  reply["troubles"] = std::move(troubles);
  return reply;
}

json::object metrics_reply(const std::vector<MetricFamily>& families, const Refusals& refusals,
                           WallTime now) {
  json::object reply = ok_reply();
  reply["time"] = format_iso8601(now);
  json::array metrics;
  for (const MetricFamily& family : families) metrics.push_back(family_object(family));
  reply["metrics"] = std::move(metrics);
  json::array clients;
  for (const Refusals::Client& refused : refusals.clients)
    clients.push_back(
        {{"client", refused.client.text()}, {"cause", refused.cause}, {"count", refused.count}});
  json::array cause_list;
  for (const Refusals::Cause& refused : refusals.causes)
    cause_list.push_back({{"cause", refused.cause}, {"count", refused.count}});
  reply["refusals"] = {{"window_seconds", seconds_in(refusals.window)},
                       {"clients", std::move(clients)},
                       {"causes", std::move(cause_list)}};
  return reply;
}

json::object list_reply(const queue::Listed& listed) {
  json::array messages;
  for (const queue::Summary& message : listed.messages) {
    json::object object{{"id", message.id.text()},
                        {"reverse_path", shown(message.reverse_path)},
                        {"bytes", message.content_bytes},
                        {"arrived", format_iso8601(message.arrived)},
                        {"next_attempt", format_iso8601(message.next_attempt)},
                        {"recipients_waiting", message.recipients_waiting},
                        {"in_delivery", message.leased},
                        {"held", message.held}};
    if (message.last_attempt != WallTime())
      object["last_attempt"] = format_iso8601(message.last_attempt);
    messages.push_back(std::move(object));
  }
  json::object reply = ok_reply();
  reply["messages"] = std::move(messages);
  add_step(reply, listed.step);
  return reply;
}

json::object act_reply(const queue::Acted& acted) {
  json::object reply = ok_reply();
  reply["chosen"] = acted.chosen;
  reply["changed"] = acted.changed;
  json::array unchanged;
  for (const queue::Acted::Unchanged& message : acted.unchanged)
    unchanged.push_back({{"id", message.id.text()}, {"why", left_word(message.why)}});
  reply["unchanged"] = std::move(unchanged);
  add_step(reply, acted.step);
  return reply;
}

Error refusal(const queue::Acted& acted) {
  if (acted.unchanged.empty())
    return {Persistence::permanent, Blame::operator_, Cause::not_found, "there is no such message"};
  const queue::Acted::Unchanged& message = acted.unchanged.front();
  const auto refused = [&](Cause cause, std::string_view words) {
    return Error{Persistence::permanent, Blame::operator_, cause,
                 fmt::format("message {} {}", message.id.text(), words)};
  };
  switch (message.why) {
    case queue::Left::in_delivery:
      return refused(Cause::in_use, "is being delivered: try again when the attempt has ended");
    case queue::Left::held:
      return refused(Cause::refused, "is held: release it first");
    case queue::Left::not_held:
      return refused(Cause::refused, "is not held");
    case queue::Left::no_sender:
      return refused(Cause::refused,
                     "has no sender that may be told (it is a report itself): remove it without");
    case queue::Left::damaged:
      break;
  }
  return refused(Cause::damaged,
                 "does not read: it is set aside at the next start, and the log says why");
}

json::object content_reply(const queue::ContentPart& part) {
  json::object reply = ok_reply();
  reply["content"] = encode_base64(part.bytes);
  reply["bytes"] = part.content_bytes;
  reply["crc32"] = part.content_crc;
  return reply;
}

json::object show_reply(const queue::QueuedMessage& message, std::size_t recipients_from) {
  json::object reply = ok_reply();
  reply["id"] = message.id.text();
  reply["reverse_path"] = shown(message.envelope.reverse_path);
  reply["bytes"] = message.content_bytes;
  reply["held"] = message.held;
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

json::value plain_number(double number) {
  constexpr double exact_max = 9007199254740992.0;
  if (std::floor(number) == number && std::abs(number) <= exact_max)
    return static_cast<std::int64_t>(number);
  return number;
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
