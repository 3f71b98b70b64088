#include "stage.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <regex>

#include "base/check.h"
#include "base/text.h"

namespace postern::dialog {
namespace {

/// How long an expected line may take, in virtual time; longer than every timeout of the server.
constexpr Duration patience_max = std::chrono::minutes(30);
/// What is still on its way has arrived after this.
constexpr Duration settling_time = std::chrono::seconds(1);

const IpAddress gateway_address = *IpAddress::parse("198.51.100.25");
const IpAddress hop_address = *IpAddress::parse("198.51.100.80");

dns::Zone zone_of(const std::string& text) {
  auto zone = dns::Zone::parse(text);
  CHECK(zone.has_value());
  return *std::move(zone);
}

/// The addresses that clients of a script connect from.
std::vector<IpAddress> client_addresses(const Script& script) {
  std::vector<IpAddress> addresses;
  for (const Line& line : script.play) {
    if (line.word != "connect") continue;
    const auto address = IpAddress::parse(line.text.substr(line.text.rfind(' ') + 1));
    CHECK(address.has_value());
    if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
  }
  return addresses;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  while (!(text = trim(text)).empty()) {
    const std::size_t end = text.find(' ');
    result.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  return result;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CHECK(error == std::errc() && end == text.data() + text.size());
  return value;
}

policy::Action action_of(const std::string& text) {
  for (const auto action : {policy::Action::accept, policy::Action::tag, policy::Action::reply_450,
                            policy::Action::reply_451, policy::Action::reply_550})
    if (policy::action_name(action) == text) return action;
  check_failed("a dialog names an action that there is not");
}

policy::AnswerAt answer_at_of(const std::string& text) {
  using policy::AnswerAt;
  for (const auto step : {AnswerAt::connect, AnswerAt::ehlo, AnswerAt::mail, AnswerAt::rcpt})
    if (policy::answer_at_name(step) == text) return step;
  check_failed("a dialog names a step that there is not");
}

/// "network=192.0.2.0/24", "sender_domain=...", "action=550", "comment=..."
policy::Overrides with_override(const policy::Overrides& before,
                                const std::vector<std::string>& words) {
  policy::Override rule;
  for (const std::string& word : words) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(key.size() + 1);
    if (key == "network") rule.network = IpNetwork::parse(value);
    if (key == "ptr_domain") rule.ptr_domain = value;
    if (key == "sender_domain") rule.sender_domain = value;
    if (key == "recipient_domain") rule.recipient_domain = value;
    if (key == "action") rule.action = action_of(value);
    if (key == "comment") rule.comment = value;
  }
  std::vector<policy::Override> rules = before.all();
  rules.push_back(std::move(rule));
  return policy::Overrides(std::move(rules));
}

std::vector<IpNetwork> networks(const std::string& text) {
  std::vector<IpNetwork> result;
  for (const std::string& word : words(text)) result.push_back(*IpNetwork::parse(word));
  return result;
}

/// In the simulator the handshake is a formality: what matters is what is forgotten around it.
io::Task<Result<std::unique_ptr<io::Stream>>> pretend_tls(std::unique_ptr<io::Stream> stream,
                                                          io::Deadline) {
  co_return std::move(stream);
}

struct FieldText {
  std::string operator()(std::string_view text) const { return std::string(text); }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return std::to_string(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
};

}  // namespace

void KeptLog::line(Severity severity, std::string_view event,
                   std::initializer_list<LogField> fields) {
  std::string text(event);
  for (const LogField& field : fields)
    text += fmt::format(" {}={}", field.key, std::visit(FieldText{}, field.value));
  entries.push_back({severity, std::move(text)});
}

Stage::Stage(Script script)
    : script_(std::move(script)),
      gateway_(sim_.add_host("gateway", gateway_address)),
      clients_(sim_.add_host("clients", client_addresses(script_))),
      hop_host_(sim_.add_host("hop", hop_address)),
      world_(gateway_.world()),
      resolver_(world_.clock, zone_of(script_.zone)),
      check_(world_, resolver_, unknown_ip_options_),
      hop_(hop_host_.world(), {hop_address, 25}),
      prober_(world_, resolver_, nullptr, log_, probing()),
      probe_(prober_),
      recipients_(world_, &probe_, {}),
      queue_(world_, store_, log_, {}),
      breaker_alerts_(world_, log_, queue_, check_.breaker(), {}),
      server_(world_, {queue_, check_, recipients_, log_}, options_) {
  options_->smtp.hostname = "gw.example.com";
  options_->relay.domains = {"ours.example"};
  unknown_ip_options_.mode = policy::UnknownIpMode::enforce;
  for (const Line& line : script_.config) configure(line);
  check_.set_options(unknown_ip_options_);
  breaker_alerts_.set_options({.hostname = "gw.example.com",
                               .mode = unknown_ip_options_.mode,
                               .mail_to = "postmaster@gw.example.com"});
  recipients_.set_options(recipient_options_);
}

delivery::DeliveryOptions Stage::probing() {
  delivery::DeliveryOptions options;
  options.hostname = "gw.example.com";
  options.routes = {{"*", {{smtp::ClientProtocol::smtp, hop_address.text(), 25}}}};
  return options;
}

/// "down", "up", or "START OF A COMMAND = REPLY".
void Stage::set_hop(const Line& line) {
  const std::size_t equals = line.text.find(" = ");
  if (line.text == "down" || line.text == "up") {
    sim_.network().set_connect_rule(
        hop_address, line.text == "up" ? io::ConnectRule::allow : io::ConnectRule::refuse);
    sim_.network().reset_connections(hop_address);
  } else if (equals != std::string::npos) {
    hop_replies_[line.text.substr(0, equals)] = line.text.substr(equals + 3);
  } else {
    fail(line, "needs down, up, or COMMAND = REPLY");
  }
}

/// "recipients.ours.example.when_unknown" -> that key of the rule of ours.example, which is made
/// when there is none.
bool Stage::configure_recipients(std::string_view path, const std::string& value) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view domain = path.substr(0, dot);
  const std::string_view key = path.substr(dot + 1);
  auto& rules = recipient_options_.rules;
  auto found = std::ranges::find(rules, domain, &policy::RecipientRule::domain);
  if (found == rules.end()) {
    found = rules.emplace(rules.end());
    found->domain = domain;
  }
  if (key == "list") {
    std::string lines;
    for (const std::string& word : words(value)) lines += word + "\n";
    found->source = policy::RecipientSource::list;
    found->list = policy::RecipientList::parse(lines).list;
    found->list_name = "the list";
  } else if (key == "check" && value == "probe") {
    found->source = policy::RecipientSource::probe;
  } else if (key == "when_undecided") {
    found->when_undecided =
        value == "accept" ? policy::WhenUndecided::accept : policy::WhenUndecided::reply_450;
  } else if (key == "delimiter") {
    found->delimiter = value;
  } else if (key == "when_unknown") {
    found->when_unknown =
        value == "450" ? policy::WhenUnknown::reply_450 : policy::WhenUnknown::reply_550;
  } else {
    return false;
  }
  return true;
}

bool Stage::configure_proxies(const std::string& key, const std::string& value) {
  session::ProxyOptions& proxies = options_->proxies;
  if (key == "proxies.proxy_protocol")
    proxies.proxy_protocol = networks(value);
  else if (key == "proxies.header_timeout")
    proxies.header_timeout = *parse_duration(value);
  else if (key == "proxies.xclient")
    proxies.xclient = networks(value);
  else if (key == "proxies.xforward")
    proxies.xforward = networks(value);
  else
    return false;
  return true;
}

/// The keys of [unknown_ip.breaker], "breaker.open_time".
bool Stage::configure_breaker(std::string_view key, const std::string& value) {
  policy::BreakerOptions& breaker = unknown_ip_options_.breaker;
  if (key == "breaker.temperror_networks_min")
    breaker.temperror_networks_min = number(value);
  else if (key == "breaker.one_client_connections_min")
    breaker.one_client_connections_min = number(value);
  else if (key == "breaker.recovery_networks_min")
    breaker.recovery_networks_min = number(value);
  else
    return false;
  return true;
}

/// The keys of [unknown_ip].
bool Stage::configure_unknown_ip(std::string_view key, const std::string& value) {
  policy::UnknownIpOptions& unknown = unknown_ip_options_;
  if (key == "mode")
    unknown.mode = value == "observe" ? policy::UnknownIpMode::observe
                   : value == "off"   ? policy::UnknownIpMode::off
                                      : policy::UnknownIpMode::enforce;
  else if (key == "reply_style")
    unknown.reply_style =
        value == "postfix" ? policy::ReplyStyle::postfix : policy::ReplyStyle::postern;
  else if (key == "deadline")
    unknown.deadline = *parse_duration(value);
  else if (key == "answer_at")
    unknown.answer_at = answer_at_of(value);
  else if (key == "stale_max")
    unknown.stale_max = *parse_duration(value);
  else if (key == "header")
    options_->unknown_ip_header = value == "always"  ? session::UnknownIpHeader::always
                                  : value == "never" ? session::UnknownIpHeader::never
                                                     : session::UnknownIpHeader::tagged;
  else if (key == "escalation.after_attempts")
    unknown.escalation.after_attempts = number(value);
  else if (key == "escalation.after")
    unknown.escalation.after = *parse_duration(value);
  else if (key == "escalation.enabled")
    unknown.escalation.enabled = value == "true";
  else if (key == "exempt_networks")
    unknown.exempt_networks = networks(value);
  else if (key == "known_hosts")
    unknown.known_hosts = networks(value);
  else if (key == "known_hosts_decide")
    unknown.known_hosts_decide =
        value == "refuse" ? policy::KnownHostsDecide::refuse : policy::KnownHostsDecide::record;
  else if (key == "override")
    unknown.overrides = with_override(unknown.overrides, words(value));
  else if (key == "actions.no_ptr")
    unknown.no_ptr = action_of(value);
  else if (key == "actions.mismatch")
    unknown.mismatch = action_of(value);
  else
    return false;
  return true;
}

void Stage::configure(const Line& line) {
  const std::string& key = line.word;
  const std::string& value = line.text;
  constexpr std::string_view unknown_ip = "unknown_ip.";
  if (key.starts_with(unknown_ip) && (configure_unknown_ip(key.substr(unknown_ip.size()), value) ||
                                      configure_breaker(key.substr(unknown_ip.size()), value)))
    return;
  if (key == "relay.domains")
    options_->relay.domains = words(value);
  else if (key == "relay.networks")
    options_->relay.networks = networks(value);
  else if (key == "limits.message_bytes_max")
    options_->smtp.message_bytes_max = number(value);
  else if (key == "limits.recipients_max")
    options_->smtp.recipients_max = number(value);
  else if (key == "limits.sessions_max")
    options_->sessions_max = number(value);
  else if (key == "limits.sessions_per_client_max")
    options_->sessions_per_client_max = number(value);
  else if (key == "limits.received_max")
    options_->received_max = number(value);
  else if (key == "smtp.errors_max")
    options_->smtp.errors_max = number(value);
  else if (key == "smtp.bare_newline")
    options_->smtp.bare_newline =
        value == "normalize" ? smtp::BareNewline::normalize : smtp::BareNewline::refuse;
  else if (key == "smtp.greeting_delay")
    options_->greeting_delay = *parse_duration(value);
  else if (key == "smtp.tls_certificate")
    server_.set_tls(pretend_tls);
  else if (key == "log.postfix_rejects")
    options_->postfix_rejects = value == "true";
  else if (!configure_proxies(key, value) &&
           (!key.starts_with("recipients.") ||
            !configure_recipients(std::string_view(key).substr(key.find('.') + 1), value)))
    fail(line, "unknown configuration key");
}

std::vector<std::string> Stage::play() {
  if (!sim_.run_task(gateway_, start())) failures_.emplace_back("the server did not start");
  if (!sim_.run_task(clients_, play_lines())) failures_.emplace_back("the play did not end");
  if (!sim_.run_task(gateway_, stop())) failures_.emplace_back("the server did not stop");
  if (!sim_.run_task(hop_host_, hop_.stop())) failures_.emplace_back("the next hop did not stop");
  check_leftovers();
  return failures_;
}

io::Task<> Stage::start() {
  const auto recovered = co_await queue_.recover();
  CHECK(recovered.has_value());
  hop_.script = [this](const std::string& command) -> std::string {
    for (const auto& [start, reply] : hop_replies_)
      if (command.starts_with(start)) return reply;
    return {};
  };
  hop_.start();
  const auto listening = server_.listen({gateway_address, 25});
  CHECK(listening.has_value());
}

io::Task<> Stage::drain() {
  stopped_ = true;
  breaker_alerts_.cease();
  prober_.cease();
  co_await server_.stop(world_.clock.in(std::chrono::seconds(30)));
}

io::Task<> Stage::stop() {
  if (!stopped_) co_await drain();
  resolver_.stop();
  co_await check_.stop();
  co_await prober_.stop();
  co_await recipients_.stop();
  co_await breaker_alerts_.stop(world_.clock.in(std::chrono::seconds(30)));
  co_await queue_.drain();
}

io::Task<> Stage::play_lines() {
  for (const Line& line : script_.play) {
    if (!failures_.empty()) break;
    co_await play_line(line);
  }
  co_await settle();
  for (auto& [name, connection] : connections_) {
    if (failures_.empty() && !connection.input.empty())
      failures_.push_back(fmt::format("{}: not accounted for on '{}': {}", script_.path, name,
                                      printable(connection.input)));
    connection.stream->close();
  }
}

io::Task<> Stage::play_line(const Line& line) {
  const std::string& word = line.word;
  if (word == "connect") {
    co_await connect(line);
  } else if (word == "use") {
    current_ = &connections_.at(line.text);
  } else if (word == "C:" || word == "C|") {
    const std::string bytes = word == "C:" ? line.text + "\r\n" : unescape(line.text);
    const auto sent =
        co_await current_->stream->write_all(bytes, clients_.world().clock.in(patience_max));
    if (!sent) fail(line, "could not be sent: " + sent.error().what);
  } else if (word == "S:" || word == "S~") {
    co_await expect_line(line);
  } else if (word == "closed") {
    co_await expect_end(line);
  } else if (word == "close") {
    current_->stream->close();
    current_->ended = true;
  } else if (word == "wait") {
    co_await clients_.world().clock.sleep_for(*parse_duration(line.text));
  } else if (word == "messages") {
    co_await expect_messages(line);
  } else if (word == "M~" || word == "M!") {
    if (std::regex_search(messages_, std::regex(line.text)) != (word == "M~"))
      fail(line, "the messages are: " + printable(messages_, 2000));
  } else if (word == "log~") {
    expect_log(line);
  } else if (word == "query") {
    expect_query(line);
  } else if (word == "disk") {
    store_.set_full(line.text == "full");
  } else if (word == "drain") {
    gateway_.spawn("drain", drain());
  } else if (word == "hop") {
    set_hop(line);
  } else {
    fail(line, "unknown word");
  }
}

io::Task<> Stage::connect(const Line& line) {
  const auto parts = words(line.text);
  const std::string name = parts.size() > 1 ? parts[0] : "";
  const IpAddress from = *IpAddress::parse(parts.back());
  io::World world = clients_.world();
  auto stream =
      co_await world.network.connect({gateway_address, 25}, world.clock.in(patience_max), &from);
  if (!stream) {
    fail(line, "cannot connect: " + stream.error().what);
    co_return;
  }
  current_ = &connections_[name];
  *current_ = Connection{*std::move(stream), {}, false};
}

io::Task<bool> Stage::fill(Connection& connection, Duration patience) {
  if (connection.ended) co_return false;
  std::array<char, 4096> buffer;
  const auto count =
      co_await connection.stream->read_some(buffer, clients_.world().clock.in(patience));
  if (count && *count > 0) {
    connection.input.append(buffer.data(), *count);
    co_return true;
  }
  if (count || count.error().cause != Cause::timed_out) connection.ended = true;
  co_return false;
}

io::Task<> Stage::expect_line(const Line& line) {
  while (!current_->input.contains("\r\n")) {
    if (co_await fill(*current_, patience_max)) continue;
    fail(line, "no line came; only: " + printable(current_->input));
    co_return;
  }
  const std::size_t end = current_->input.find("\r\n");
  const std::string got = current_->input.substr(0, end);
  current_->input.erase(0, end + 2);
  const bool same =
      line.word == "S:" ? got == line.text : std::regex_match(got, std::regex(line.text));
  if (!same) fail(line, "got: " + got);
}

io::Task<> Stage::expect_end(const Line& line) {
  while (co_await fill(*current_, patience_max)) {
  }
  if (!current_->ended || !current_->input.empty())
    fail(line, "the connection did not end here: " + printable(current_->input));
}

io::Task<> Stage::settle() {
  co_await clients_.world().clock.sleep_for(settling_time);
  for (auto& [name, connection] : connections_)
    while (co_await fill(connection, std::chrono::milliseconds(1))) {
    }
}

io::Task<> Stage::expect_messages(const Line& line) {
  messages_.clear();
  std::uint64_t count = 0;
  while (true) {
    const auto due = queue_.due_destinations();
    auto lease = due.empty() ? std::nullopt : co_await queue_.lease(due.front());
    if (!lease) break;
    auto content = co_await queue_.content(*lease);
    CHECK(content.has_value());
    messages_ += "from <" + lease->message().envelope.reverse_path + ">\n";
    std::vector<queue::RecipientOutcome> outcomes;
    for (const std::uint32_t index : lease->recipients()) {
      messages_ += "to <" + lease->message().recipients[index].recipient.address + ">\n";
      outcomes.push_back({index, queue::RecipientState::delivered, {}, "250", "test"});
    }
    for (auto chunk = co_await (*content)->next_chunk(); chunk && !chunk->empty();
         chunk = co_await (*content)->next_chunk())
      messages_ += *chunk;
    ++count;
    CHECK((co_await queue_.complete(*std::move(lease), std::move(outcomes), {})).has_value());
  }
  if (count != number(line.text)) fail(line, fmt::format("there are {}", count));
}

void Stage::expect_log(const Line& line) {
  const std::regex wanted(line.text);
  const auto found = std::ranges::find_if(log_.entries, [&wanted](const KeptLog::Entry& entry) {
    return std::regex_search(entry.text, wanted);
  });
  if (found != log_.entries.end()) {
    log_.entries.erase(found);
    return;
  }
  std::string all;
  for (const auto& entry : log_.entries) all += "\n    " + entry.text;
  fail(line, "no such log line in:" + all);
}

void Stage::expect_query(const Line& line) {
  for (auto& lookup : resolver_.take_lookups()) lookups_.push_back(std::move(lookup));
  const auto parts = words(line.text);
  const auto found = std::ranges::find_if(lookups_, [&parts](const dns::LookupRecord& lookup) {
    return lookup.name == parts.at(0) &&
           equal_ignoring_case(dns::type_name(lookup.type), parts.at(1));
  });
  if (found == lookups_.end())
    fail(line, "was not asked");
  else
    lookups_.erase(found);
}

void Stage::check_leftovers() {
  if (!failures_.empty()) return;
  for (auto& lookup : resolver_.take_lookups()) lookups_.push_back(std::move(lookup));
  for (const auto& lookup : lookups_)
    failures_.push_back(fmt::format("{}: query not accounted for: {} {}", script_.path, lookup.name,
                                    dns::type_name(lookup.type)));
  for (const auto& entry : log_.entries)
    if (entry.severity >= Severity::warning)
      failures_.push_back(script_.path + ": warning not accounted for: " + entry.text);
  if (queue_.counts().messages != 0)
    failures_.push_back(script_.path + ": messages not accounted for");
}

void Stage::fail(const Line& line, std::string what) {
  failures_.push_back(
      fmt::format("{}:{}: {} {}: {}", script_.path, line.number, line.word, line.text, what));
}

}  // namespace postern::dialog
