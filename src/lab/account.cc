#include "lab/account.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "lab/ordered.h"
#include "lab/report_reader.h"
#include "mail/header_reader.h"

namespace postern::lab {
namespace {

bool same(std::string_view a, std::string_view b) {
  return equal_ignoring_case(a, b);
}

bool accepted_for(const Attempt& attempt, std::string_view sender, std::string_view recipient) {
  return attempt.has_sender && same(attempt.sender, sender) &&
         std::ranges::any_of(attempt.recipients, [recipient](const AttemptRecipient& one) {
           return one.accepted && same(one.address, recipient);
         });
}

/// Something that moves responsibility.
struct Move {
  Duration at{};
  std::string to;   // an id; empty: nobody has it any more
  std::string end;  // then: why
};

std::vector<Move> moves_of(const Flow& flow, const std::string& sender,
                           const std::string& recipient) {
  const History& history = flow.history();
  std::vector<Move> moves;
  for (const Attempt& attempt : history.attempts)
    if (accepted_for(attempt, sender, recipient))
      moves.push_back({attempt.decided, attempt.to_host, ""});
  for (const KeptLetter& letter : history.letters)
    if (same(letter.reverse_path, sender) && same(letter.recipient, recipient))
      moves.push_back({letter.at, "", fmt::format("in the mailbox of {}", recipient)});
  for (const Happening& one : history.happenings) {
    if (!same(one.sender, sender)) continue;
    if (one.kind == Happening::Kind::refused)
      moves.push_back({one.at, "", "never taken: the user's program says so at once"});
    if (!same(one.recipient, recipient)) continue;
    if (one.kind == Happening::Kind::gave_up)
      moves.push_back({one.at, "",
                       fmt::format("given up; {} owes {} a report",
                                   name_of_host(flow.scenario(), one.host), sender)});
    if (one.kind == Happening::Kind::dropped)
      moves.push_back({one.at, "", "given up, and nobody is told"});
    if (one.kind == Happening::Kind::kept)
      moves.push_back({one.at, "",
                       fmt::format("a dead letter at {}, for its administrator",
                                   name_of_host(flow.scenario(), one.host))});
  }
  // At one time: first a server takes it, then it ends.
  order_by(moves, [](const Move& move) { return std::pair(move.at, move.to.empty()); });
  return moves;
}

MailAccount account_of_mail(const Flow& flow, const Happening& sent) {
  MailAccount account{sent.sender, sent.recipient, sent.text, {}, "still waits"};
  account.custody.push_back({sent.at, {}, sent.host});
  for (const Move& move : moves_of(flow, sent.sender, sent.recipient)) {
    if (account.custody.back().to) break;  // what comes later is another copy
    account.custody.back().to = move.at;
    if (move.to.empty())
      account.end = move.end;
    else
      account.custody.push_back({move.at, {}, name_of_host(flow.scenario(), move.to)});
  }
  return account;
}

bool is_report(const KeptLetter& letter) {
  return letter.reverse_path.empty();
}

// When and by whom: the last giving up (or telling) about this sender before the letter came.
void trace_report(const Flow& flow, const KeptLetter& letter, ReportAccount& report) {
  report.written = letter.at;
  for (const Happening& one : flow.history().happenings) {
    if (one.at > letter.at) break;
    const bool tells =
        one.kind == Happening::Kind::gave_up || one.kind == Happening::Kind::reported;
    if (tells && one.host == report.by && same(one.sender, letter.recipient))
      report.written = one.at;
  }
  report.way.push_back(report.by);
  for (const Attempt& attempt : flow.history().attempts)
    if (accepted_for(attempt, "", letter.recipient) && attempt.decided >= report.written &&
        attempt.decided <= letter.at + std::chrono::seconds(1) &&
        attempt.from_host == report.way.back())
      report.way.push_back(attempt.to_host);
  if (report.way.back() != letter.server) report.way.push_back(letter.server);
}

// The last refusal that the report's writer had got when it wrote.
std::string last_reply(const Flow& flow, const ReportAccount& report) {
  std::string reply;
  for (const Attempt& attempt : flow.history().attempts) {
    if (attempt.decided > report.written || attempt.from_host != report.by) continue;
    if (!same(attempt.sender, report.to)) continue;
    for (const AttemptRecipient& recipient : attempt.recipients)
      if (same(recipient.address, report.about) && !recipient.accepted) reply = recipient.reply;
  }
  return reply;
}

ReportAccount account_of_report(const Flow& flow, const KeptLetter& letter) {
  const ReadReport read = read_report(letter.content);
  ReportAccount report;
  report.at = letter.at;
  report.to = letter.recipient;
  report.kind = read.kind;
  report.about = read.about;
  report.from = read.from;
  report.subject = read.subject;
  for (const ScenarioServer& server : flow.scenario().servers)
    if (same(server.name, read.reporter)) report.by = server.id;
  for (const ScenarioMail& mail : flow.scenario().mails)
    for (const std::string& to : mail.to)
      if (report.about.empty() && same(mail.from, letter.recipient) && letter.content.contains(to))
        report.about = to;
  trace_report(flow, letter, report);
  report.reply = last_reply(flow, report);
  const QuotedText quoted = mark_quotes(read.text, report.reply);
  report.quotes_reply = quoted.found;
  for (std::size_t i = 0; i < quoted.lines.size(); ++i)
    report.text.push_back({quoted.lines[i], quoted.marked[i]});
  return report;
}

UserAccount& user(std::vector<UserAccount>& users, const std::string& address) {
  const auto found = std::ranges::find_if(
      users, [&](const UserAccount& one) { return same(one.address, address); });
  if (found != users.end()) return *found;
  users.push_back({address, {}});
  return users.back();
}

void add_sights(const Flow& flow, Account& account) {
  for (const ScenarioMail& mail : flow.scenario().mails) {
    user(account.users, mail.from);
    for (const std::string& to : mail.to) user(account.users, to);
  }
  for (const Happening& one : flow.history().happenings) {
    if (one.kind == Happening::Kind::sent)
      user(account.users, one.sender)
          .saw.push_back({one.at, fmt::format("sends \"{}\" to {}", one.text, one.recipient)});
    if (one.kind == Happening::Kind::refused)
      user(account.users, one.sender)
          .saw.push_back({one.at, "the mail program says: it was not sent: " + one.text});
  }
  for (const KeptLetter& letter : flow.history().letters)
    if (!is_report(letter))
      user(account.users, letter.recipient)
          .saw.push_back(
              {letter.at, fmt::format("gets \"{}\" from {}",
                                      mail::find_header(letter.content, "Subject").value_or(""),
                                      letter.reverse_path)});
  for (const ReportAccount& report : account.reports)
    user(account.users, report.to)
        .saw.push_back(
            {report.at, fmt::format("gets \"{}\" from {}, written by {}{}", report.subject,
                                    report.from, name_of_host(flow.scenario(), report.by),
                                    report.quotes_reply ? ", with the reply" : "")});
  for (UserAccount& one : account.users)
    order_by(one.saw, [](const UserAccount::Sight& sight) { return sight.at; });
}

}  // namespace

Account account_of(const Flow& flow) {
  Account account;
  for (const Happening& one : flow.history().happenings)
    if (one.kind == Happening::Kind::sent) account.mails.push_back(account_of_mail(flow, one));
  for (const KeptLetter& letter : flow.history().letters)
    if (is_report(letter)) account.reports.push_back(account_of_report(flow, letter));
  add_sights(flow, account);
  return account;
}

std::string name_of_host(const Scenario& scenario, const std::string& id) {
  const ScenarioServer* server = scenario.server(id);
  return server == nullptr ? id : server->name;
}

std::string format_since(Duration time) {
  const auto total = std::chrono::round<seconds>(time).count();
  const auto days = total / 86'400;
  const std::string clock =
      fmt::format("{}:{:02}:{:02}", total / 3'600 % 24, total / 60 % 60, total % 60);
  return days == 0 ? clock : fmt::format("{}d {}", days, clock);
}

std::string without_case(std::string_view text) {
  std::string out(text);
  constexpr std::string_view before = "(case ";
  if (const auto at = out.find(before); at != std::string::npos)
    if (const auto end = out.find(')', at); end != std::string::npos)
      out.replace(at + before.size(), end - at - before.size(), "...");
  return out;
}

}  // namespace postern::lab
