#include "next_hop.h"

#include <charconv>
#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "report_reader.h"

namespace postern::sim {
namespace {

constexpr std::size_t tasks_max = 500;
/// Longer than the gateway waits for anything.
constexpr Duration patience = std::chrono::minutes(15);
constexpr Duration greylist_time = std::chrono::minutes(1);
// Of a thousand answers while flaky.
constexpr std::uint64_t hangs_per_mille = 10;
constexpr std::uint64_t stops_per_mille = 10;
constexpr std::uint64_t breaks_per_mille = 40;
// The same while busy too.
constexpr std::uint64_t refuses_per_mille = 120;

/// What stands between the first "<" and the next ">".
std::string path_in(const std::string& line) {
  const std::size_t begin = line.find('<') + 1;
  return line.substr(begin, line.find('>') - begin);
}

/// The value of an ESMTP parameter; empty when it is not there.
std::string parameter_in(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(" " + name + "=", line.find('>'));
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

// RFC 3461 section 4: xtext, by a reader of our own.
std::string from_xtext(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '+' || i + 2 >= text.size()) {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

int code_of(const std::string& reply) {
  int code = 0;
  std::from_chars(reply.data(), reply.data() + reply.size(), code);
  return code;
}

/// Of the message in the gateway's queue, as the first trace header has it.
std::string id_in(const std::string& content) {
  constexpr std::string_view before = "id ";
  constexpr std::size_t id_length = 13;
  const std::size_t at = content.find(before);
  return at == std::string::npos ? std::string() : content.substr(at + before.size(), id_length);
}

}  // namespace

/// A recipient whose RCPT was answered 250.
struct NextHop::Taken {
  std::string address;
  std::string notify;
  std::string original_recipient;
  std::size_t attempt = 0;  ///< in the history
};

struct NextHop::Session {
  LineStream lines;
  bool in_transaction = false;
  std::string reverse_path{};
  std::string dsn_return{};
  std::string envelope_id{};
  std::vector<Taken> recipients{};
  /// Arrivals and reports whose reply the gateway may not have read yet.
  std::vector<std::size_t> unread_arrivals{};
  std::vector<std::size_t> unread_reports{};
  std::vector<std::size_t> attempts{};
};

NextHop::NextHop(io::SimHost& host, NextHopOptions options, History& history)
    : world_(host.world()),
      options_(std::move(options)),
      history_(history),
      dice_(options_.seed),
      tasks_(world_.executor, world_.clock, tasks_max) {}

void NextHop::start() {
  auto listener = world_.network.listen({options_.address, 25});
  CHECK(listener.has_value());
  listener_ = *std::move(listener);
  CHECK(tasks_.spawn("next hop", accept_all()));
}

io::Task<> NextHop::stop() {
  listener_->close();
  co_await tasks_.join();
}

io::Task<> NextHop::accept_all() {
  while (true) {
    auto stream = co_await listener_->accept();
    if (!stream) co_return;
    tasks_.spawn("next hop session", serve(*std::move(stream)));
  }
}

io::Task<> NextHop::serve(std::unique_ptr<io::Stream> stream) {
  ++sessions_;
  Session session{.lines = LineStream(std::move(stream), world_.clock, patience)};
  bool goes_on = co_await say_in(mood(), session, "220 " + options_.name + " ESMTP", "421 busy");
  while (goes_on) {
    auto line = co_await session.lines.line();
    if (!line) break;
    reply_was_read(session);
    goes_on = co_await act(session, *std::move(line));
  }
  session.lines.close();
  --sessions_;
}

// Whoever goes on after a reply has read it.
void NextHop::reply_was_read(Session& session) {
  const SteadyTime now = world_.clock.now();
  for (const std::size_t at : session.unread_arrivals) history_.arrivals[at].read = now;
  for (const std::size_t at : session.unread_reports) history_.reports[at].read = now;
  session.unread_arrivals.clear();
  session.unread_reports.clear();
}

NextHop::Mood NextHop::mood() {
  if (temper_ == Temper::usual) return Mood::usual;
  if (temper_ == Temper::flaky) {
    if (dice_.chance_per_mille(hangs_per_mille)) return Mood::hangs;
    if (dice_.chance_per_mille(stops_per_mille)) return Mood::stops;
    if (dice_.chance_per_mille(breaks_per_mille)) return Mood::breaks;
  }
  return dice_.chance_per_mille(refuses_per_mille) ? Mood::refuses : Mood::usual;
}

io::Task<bool> NextHop::say(Session& session, std::string reply) {
  const bool ends = reply.starts_with("221") || reply.starts_with("421");
  const auto sent = co_await session.lines.send(reply + "\r\n");
  co_return sent.has_value() && !ends;
}

io::Task<> NextHop::wait_for_end(Session& session) {
  const SteadyTime begin = world_.clock.now();
  auto line = co_await session.lines.line();
  while (line) line = co_await session.lines.line();
  if (!options_.gateway_ends_sessions || line.error().cause != Cause::timed_out) co_return;
  history_.oddities.push_back(fmt::format("the gateway bears the silence of {} for {}",
                                          options_.name,
                                          format_duration(world_.clock.now() - begin)));
}

io::Task<bool> NextHop::say_in(Mood now, Session& session, std::string reply, std::string refusal) {
  switch (now) {
    case Mood::usual:
      co_return co_await say(session, std::move(reply));
    case Mood::refuses:
      co_return co_await say(session, std::move(refusal));
    case Mood::stops:
      co_await session.lines.send(reply.substr(0, 1 + dice_.below(reply.size())));
      co_await wait_for_end(session);
      co_return false;
    case Mood::hangs:
      co_await wait_for_end(session);
      co_return false;
    case Mood::breaks:
      co_return false;
  }
  co_return false;
}

io::Task<bool> NextHop::hello(Session& session, bool lmtp) {
  if (lmtp != options_.lmtp)
    history_.oddities.push_back(options_.name + " was greeted in the wrong protocol");
  std::string reply = "250-" + options_.name + "\r\n250-PIPELINING\r\n250-8BITMIME\r\n";
  if (options_.dsn) reply += "250-DSN\r\n";
  co_return co_await say_in(mood(), session, reply + "250 ENHANCEDSTATUSCODES",
                            "421 4.3.2 not now");
}

io::Task<bool> NextHop::mail(Session& session, const std::string& line) {
  session.recipients.clear();
  session.reverse_path = path_in(line);
  session.dsn_return = parameter_in(line, "RET");
  session.envelope_id = from_xtext(parameter_in(line, "ENVID"));
  if (!options_.dsn && !(session.dsn_return + session.envelope_id).empty())
    history_.oddities.push_back(options_.name + " does not offer DSN and was told: " + line);
  const Mood now = mood();
  session.in_transaction = now == Mood::usual;
  co_return co_await say_in(now, session, "250 2.1.0 ok", "451 4.3.0 not now");
}

io::Task<bool> NextHop::act(Session& session, std::string line) {
  const std::string verb = to_lower(line.substr(0, 4));
  if (verb == "ehlo" || verb == "lhlo") co_return co_await hello(session, verb == "lhlo");
  if (verb == "mail") co_return co_await mail(session, line);
  if (verb == "rcpt") co_return co_await recipient(session, line);
  if (verb == "data") co_return co_await data(session);
  if (verb == "rset") {
    session.recipients.clear();
    session.in_transaction = false;
    co_return co_await say(session, "250 2.0.0 ok");
  }
  if (verb == "quit") {
    for (const std::size_t at : session.attempts) history_.attempts[at].settled = true;
    co_return co_await say(session, "221 2.0.0 bye");
  }
  history_.oddities.push_back(options_.name + " was told: " + printable(line));
  co_return co_await say(session, "500 5.5.1 what?");
}

bool NextHop::greylisted(const std::string& reverse_path, const std::string& recipient) {
  if (!options_.greylisting) return false;
  const SteadyTime now = world_.clock.now();
  const auto [at, is_new] = first_seen_.emplace(std::pair{reverse_path, recipient}, now);
  return now - at->second < greylist_time;
}

void NextHop::decide(std::size_t attempt, const std::string& reply) {
  history_.attempts[attempt].code = code_of(reply);
}

std::string NextHop::verdict_on(Session& session, const Taken& taken) {
  const std::string& address = taken.address;
  if (address.starts_with("gone") || (address.starts_with("late") && !options_.lmtp))
    return "550 5.1.1 <" + address + ">: no such mailbox";
  // RFC 5321 section 4.5.3.1.10: who takes fewer recipients than offered says so to the rest.
  if (options_.recipients_max != 0 && session.recipients.size() >= options_.recipients_max)
    return "452 4.5.3 too many recipients";
  if (greylisted(session.reverse_path, address)) return "450 4.7.1 greylisted, come back";
  return "250 2.1.5 ok";
}

io::Task<bool> NextHop::recipient(Session& session, const std::string& line) {
  Taken taken{.address = path_in(line),
              .notify = parameter_in(line, "NOTIFY"),
              .original_recipient = from_xtext(parameter_in(line, "ORCPT")),
              .attempt = history_.attempts.size()};
  if (!options_.dsn && !(taken.notify + taken.original_recipient).empty())
    history_.oddities.push_back(options_.name + " does not offer DSN and was told: " + line);
  if (session.in_transaction && options_.is_mailbox && is_gone(taken.address))
    ++history_.reports_refused;
  if (!session.in_transaction) co_return co_await say(session, "503 5.5.1 MAIL first");
  session.attempts.push_back(history_.attempts.size());
  history_.attempts.push_back({taken.address, options_.name, world_.clock.now(), 0, false});
  std::string reply = verdict_on(session, taken);
  const Mood now = reply.starts_with('2') ? mood() : Mood::usual;
  constexpr const char* refusal = "450 4.2.1 mailbox busy";
  if (now == Mood::usual || now == Mood::refuses)
    decide(taken.attempt, now == Mood::refuses ? refusal : reply);
  if (now == Mood::usual && reply.starts_with('2')) session.recipients.push_back(std::move(taken));
  co_return co_await say_in(now, session, std::move(reply), refusal);
}

io::Task<bool> NextHop::data(Session& session) {
  if (session.recipients.empty()) co_return co_await say(session, "554 5.5.1 no recipients");
  const Mood at_data = mood();
  if (at_data == Mood::refuses)
    for (const Taken& taken : session.recipients) decide(taken.attempt, "451");
  if (at_data != Mood::usual) {
    session.in_transaction = false;
    co_return co_await say_in(at_data, session, "354 go on", "451 4.3.0 not now");
  }
  if (!co_await say(session, "354 go on")) co_return false;
  auto content = co_await session.lines.content();
  if (!content) co_return false;
  session.in_transaction = false;
  const auto known = history_.mails.find(token_in(*content));
  const bool unwanted =
      !options_.is_mailbox && known != history_.mails.end() && known->second.unwanted;
  if (options_.lmtp) co_return co_await answer_each(session, *content, unwanted);
  const Mood now = mood();
  const std::string reply = unwanted ? "554 5.7.1 we do not want this" : "250 2.0.0 taken";
  constexpr const char* refusal = "452 4.3.1 no room";
  for (const Taken& taken : session.recipients) {
    decide(taken.attempt, now == Mood::refuses ? refusal : reply);
    if (!unwanted && now != Mood::refuses) take(session, taken, *content);
  }
  if (!unwanted && now != Mood::refuses) taken_();
  // In other moods it was taken, and the gateway does not hear of it: at once, or after it has
  // waited for long.
  co_return co_await say_in(now, session, reply, refusal);
}

// RFC 2033 section 4.2: one reply for each recipient that was taken, in their order.
io::Task<bool> NextHop::answer_each(Session& session, const std::string& content, bool unwanted) {
  for (const Taken& taken : session.recipients) {
    const Mood now = mood();
    std::string reply = unwanted                 ? "554 5.7.1 we do not want this"
                        : is_gone(taken.address) ? "550 5.2.1 mailbox closed"
                                                 : "250 2.0.0 taken";
    const std::string refusal = "450 4.2.1 mailbox busy";
    decide(taken.attempt, now == Mood::refuses ? refusal : reply);
    if (now != Mood::refuses && reply.starts_with('2')) take(session, taken, content);
    if (now == Mood::usual) taken_();
    if (!co_await say_in(now, session, std::move(reply), refusal)) co_return false;
  }
  co_return true;
}

void NextHop::take(Session& session, const Taken& taken, const std::string& content) {
  if (options_.is_mailbox) return take_report(session, taken, content);
  Arrival arrival;
  arrival.token = token_in(content);
  arrival.id = id_in(content);
  arrival.recipient = taken.address;
  arrival.reverse_path = session.reverse_path;
  arrival.host = options_.name;
  arrival.at = world_.clock.now();
  arrival.dsn = {options_.dsn, taken.notify, taken.original_recipient, session.dsn_return,
                 session.envelope_id};
  session.unread_arrivals.push_back(history_.arrivals.size());
  history_.arrivals.push_back(std::move(arrival));
}

void NextHop::take_report(Session& session, const Taken& taken, const std::string& content) {
  if (!session.reverse_path.empty() || !content.contains("multipart/report"))
    history_.oddities.push_back("not a report came to the sender's mailbox, from <" +
                                printable(session.reverse_path) + ">");
  Report report = read_report(content);
  report.to = taken.address;
  report.at = world_.clock.now();
  session.unread_reports.push_back(history_.reports.size());
  history_.reports.push_back(std::move(report));
}

}  // namespace postern::sim
