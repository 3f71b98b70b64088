#include "next_hop.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace postern::sim {
namespace {

constexpr std::size_t tasks_max = 500;
/// Longer than the gateway waits for anything.
constexpr Duration patience = std::chrono::minutes(15);
constexpr Duration greylist_time = std::chrono::minutes(1);
// Of a thousand answers while flaky.
constexpr std::uint64_t hangs_per_mille = 15;
constexpr std::uint64_t breaks_per_mille = 40;
constexpr std::uint64_t refuses_per_mille = 120;

std::string after(const std::string& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + mark.size();
  return text.substr(begin, text.find_first_of("\r\n", begin) - begin);
}

/// What stands between the first "<" and the next ">".
std::string path_in(const std::string& line) {
  const std::size_t begin = line.find('<') + 1;
  return line.substr(begin, line.find('>') - begin);
}

}  // namespace

std::string token_in(const std::string& content) {
  return after(content, "X-Token: ");
}

struct NextHop::Session {
  LineStream lines;
  bool in_transaction = false;
  std::string reverse_path;
  std::vector<std::string> recipients;
  /// Arrivals and reports whose reply the gateway may not have read yet.
  std::vector<std::size_t> unread_arrivals;
  std::vector<std::size_t> unread_reports;
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
  Session session{LineStream(std::move(stream), world_.clock, patience), false, {}, {}, {}, {}};
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
  for (const std::size_t at : session.unread_arrivals) history_.arrivals[at].reply_was_read = true;
  for (const std::size_t at : session.unread_reports) history_.reports[at].reply_was_read = true;
  session.unread_arrivals.clear();
  session.unread_reports.clear();
}

NextHop::Mood NextHop::mood() {
  if (!flaky_) return Mood::usual;
  if (dice_.chance_per_mille(hangs_per_mille)) return Mood::hangs;
  if (dice_.chance_per_mille(breaks_per_mille)) return Mood::breaks;
  return dice_.chance_per_mille(refuses_per_mille) ? Mood::refuses : Mood::usual;
}

io::Task<bool> NextHop::say(Session& session, std::string reply) {
  const bool ends = reply.starts_with("221") || reply.starts_with("421");
  const auto sent = co_await session.lines.send(reply + "\r\n");
  co_return sent.has_value() && !ends;
}

io::Task<bool> NextHop::say_in(Mood now, Session& session, std::string reply, std::string refusal) {
  switch (now) {
    case Mood::usual:
      co_return co_await say(session, std::move(reply));
    case Mood::refuses:
      co_return co_await say(session, std::move(refusal));
    case Mood::hangs:
      while ((co_await session.lines.line()).has_value()) {
      }
      co_return false;
    case Mood::breaks:
      co_return false;
  }
  co_return false;
}

io::Task<bool> NextHop::act(Session& session, std::string line) {
  const std::string verb = to_lower(line.substr(0, 4));
  if (verb == "ehlo")
    co_return co_await say_in(
        mood(), session,
        "250-" + options_.name + "\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES",
        "421 4.3.2 not now");
  if (verb == "mail") {
    session.recipients.clear();
    session.reverse_path = path_in(line);
    const Mood now = mood();
    session.in_transaction = now == Mood::usual;
    co_return co_await say_in(now, session, "250 2.1.0 ok", "451 4.3.0 not now");
  }
  if (verb == "rcpt") co_return co_await recipient(session, path_in(line));
  if (verb == "data") co_return co_await data(session);
  if (verb == "rset") {
    session.recipients.clear();
    session.in_transaction = false;
    co_return co_await say(session, "250 2.0.0 ok");
  }
  if (verb == "quit") co_return co_await say(session, "221 2.0.0 bye");
  history_.oddities.push_back(options_.name + " was told: " + printable(line));
  co_return co_await say(session, "500 5.5.1 what?");
}

bool NextHop::greylisted(const std::string& reverse_path, const std::string& recipient) {
  if (!options_.greylisting) return false;
  const SteadyTime now = world_.clock.now();
  const auto [at, is_new] = first_seen_.emplace(std::pair{reverse_path, recipient}, now);
  return now - at->second < greylist_time;
}

io::Task<bool> NextHop::recipient(Session& session, std::string address) {
  if (session.in_transaction && options_.is_mailbox && address.starts_with("gone"))
    ++history_.reports_refused;
  if (!session.in_transaction) co_return co_await say(session, "503 5.5.1 MAIL first");
  if (address.starts_with("gone"))
    co_return co_await say(session, "550 5.1.1 <" + address + ">: no such mailbox");
  if (greylisted(session.reverse_path, address))
    co_return co_await say(session, "450 4.7.1 greylisted, come back");
  const Mood now = mood();
  if (now == Mood::refuses) co_return co_await say(session, "450 4.2.1 mailbox busy");
  if (now != Mood::usual) co_return false;
  session.recipients.push_back(std::move(address));
  co_return co_await say(session, "250 2.1.5 ok");
}

io::Task<bool> NextHop::data(Session& session) {
  if (session.recipients.empty()) co_return co_await say(session, "554 5.5.1 no recipients");
  if (mood() == Mood::refuses) co_return co_await say(session, "451 4.3.0 not now");
  if (!co_await say(session, "354 go on")) co_return false;
  auto content = co_await session.lines.content();
  if (!content) co_return false;
  const auto known = history_.mails.find(token_in(*content));
  if (!options_.is_mailbox && known != history_.mails.end() && known->second.unwanted)
    co_return co_await say(session, "554 5.7.1 we do not want this");
  const Mood now = mood();
  if (now == Mood::refuses) co_return co_await say(session, "452 4.3.1 no room");
  if (options_.is_mailbox)
    take_report(session, *content);
  else
    take(session, *content);
  taken_();
  session.recipients.clear();
  session.in_transaction = false;
  if (now == Mood::usual) co_return co_await say(session, "250 2.0.0 taken");
  // Taken, and the gateway does not hear of it: at once, or after it has waited for long.
  if (now == Mood::hangs) co_await world_.clock.sleep_for(patience);
  co_return false;
}

void NextHop::take(Session& session, const std::string& content) {
  for (const std::string& recipient : session.recipients) {
    session.unread_arrivals.push_back(history_.arrivals.size());
    history_.arrivals.push_back(
        {token_in(content), recipient, session.reverse_path, options_.name, false});
  }
}

void NextHop::take_report(Session& session, const std::string& content) {
  if (!session.reverse_path.empty() || !content.contains("multipart/report"))
    history_.oddities.push_back("not a report came to the sender's mailbox, from <" +
                                printable(session.reverse_path) + ">");
  Report report{session.recipients.front(), token_in(content), {}, false};
  constexpr std::string_view mark = "Final-Recipient:";
  for (std::size_t at = content.find(mark); at != std::string::npos;
       at = content.find(mark, at + mark.size())) {
    const std::string field = after(content.substr(at), mark);
    report.final_recipients.emplace_back(trim(std::string_view(field).substr(field.find(';') + 1)));
  }
  session.unread_reports.push_back(history_.reports.size());
  history_.reports.push_back(std::move(report));
}

}  // namespace postern::sim
