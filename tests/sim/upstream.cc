#include "upstream.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/check.h"

namespace postern::sim {
namespace {

constexpr std::size_t tasks_max = 100;
/// RFC 5321 section 4.5.3.2.6: 10 minutes for the answer to the content; the longest of all.
constexpr Duration patience = std::chrono::minutes(10);
constexpr std::uint32_t attempts_of_refused_max = 4;
constexpr std::size_t mails_per_session_max = 4;
constexpr std::size_t large_content_bytes = 40'000;

/// RFC 3461 section 4: what is printable but "+" and "=" stands for itself.
std::string to_xtext(const std::string& text) {
  std::string out;
  for (const char c : text)
    out +=
        c == '+' || c == '=' || c <= ' ' || c > '~' ? fmt::format("+{:02X}", c) : std::string(1, c);
  return out;
}

std::string notify_text(const mail::DsnNotify& notify) {
  if (!notify.specified) return "";
  if (notify.never) return " NOTIFY=NEVER";
  std::string out;
  for (const auto& [on, name] :
       {std::pair{notify.success, "SUCCESS"}, std::pair{notify.failure, "FAILURE"},
        std::pair{notify.delay, "DELAY"}})
    if (on) out += (out.empty() ? " NOTIFY=" : ",") + std::string(name);
  return out;
}

std::string content_of(const Mail& mail) {
  std::string out = fmt::format(
      "From: <{}>\r\nSubject: simulated\r\nX-Token: {}\r\nMessage-ID: <{}@sender.example>\r\n"
      "Date: Tue, 24 Nov 2026 03:25:53 +0000\r\n\r\n",
      mail.reverse_path.empty() ? "daemon@sender.example" : mail.reverse_path, mail.token,
      mail.token);
  for (std::size_t line = 0; out.size() < mail.content_bytes; ++line)
    out += fmt::format("{}line {} of {}\r\n", line % 7 == 0 ? ".." : "", line, mail.token);
  return out;
}

}  // namespace

struct Upstream::Transaction {
  LineStream& lines;
  Mail& mail;
  bool dsn = false;  ///< the gateway offers it
  SteadyTime begun;
  std::string reply{};
  std::vector<std::size_t> taken{};  ///< recipients that the gateway took
  bool go_on = false;                ///< 354 came
};

Upstream::Upstream(io::SimHost& host, Endpoint gateway, const Plan& plan, History& history)
    : world_(host.world()),
      gateway_(gateway),
      plan_(plan),
      history_(history),
      dice_(plan.seed * 8 + 3),
      faults_end_(world_.clock.now() + plan.fault_time),
      tasks_(world_.executor, world_.clock, tasks_max) {
  make_mails();
}

IpAddress Upstream::address_of(ClientKind kind) {
  const auto last = static_cast<std::uint8_t>(10 + static_cast<int>(kind));
  return IpAddress::from_v4({203, 0, 113, last});
}

std::vector<IpAddress> Upstream::addresses() {
  return {address_of(ClientKind::confirmed), address_of(ClientKind::flaky),
          address_of(ClientKind::nameless), address_of(ClientKind::mismatched)};
}

Duration Upstream::slower(Duration duration) const {
  const auto longer =
      Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * plan_.pace()));
  const SteadyTime end = std::max(world_.clock.now(), faults_end_) + duration;
  return std::min(longer, end - world_.clock.now());
}

std::string Upstream::mail_command(const Mail& mail, bool dsn) const {
  std::string out = "MAIL FROM:<" + mail.reverse_path + ">";
  if (!dsn) return out;
  if (mail.dsn_return == mail::DsnReturn::full) out += " RET=FULL";
  if (mail.dsn_return == mail::DsnReturn::headers) out += " RET=HDRS";
  if (!mail.envelope_id.empty()) out += " ENVID=" + to_xtext(mail.envelope_id);
  return out;
}

std::string Upstream::rcpt_command(const SentRecipient& recipient, bool dsn) const {
  std::string out = "RCPT TO:<" + recipient.address + ">";
  if (!dsn) return out;
  out += notify_text(recipient.notify);
  if (!recipient.original_recipient.empty())
    out += " ORCPT=rfc822;" + to_xtext(recipient.original_recipient);
  return out;
}

Mail Upstream::make_mail(std::size_t number) {
  Mail mail;
  mail.token = fmt::format("t{}x{}", plan_.seed, number);
  const std::uint64_t kind = dice_.below(10);
  mail.client = kind < 5   ? ClientKind::confirmed
                : kind < 8 ? ClientKind::flaky
                : kind < 9 ? ClientKind::nameless
                           : ClientKind::mismatched;
  if (!dice_.one_in(5))
    mail.reverse_path =
        fmt::format("{}-{}@sender.example", dice_.one_in(12) ? "gone" : "s", number);
  mail.unwanted = dice_.one_in(10);
  mail.content_bytes = 300 + dice_.below(2'000);
  if (plan_.large_contents && dice_.one_in(6)) mail.content_bytes = large_content_bytes;
  if (plan_.dsn_asked) {
    mail.dsn_return = static_cast<mail::DsnReturn>(dice_.below(3));
    if (dice_.one_in(2)) mail.envelope_id = fmt::format("e+{}=of {}", number, plan_.seed);
  }
  mail.recipients = make_recipients(number);
  return mail;
}

std::vector<SentRecipient> Upstream::make_recipients(std::size_t number) {
  std::vector<SentRecipient> out;
  const std::uint64_t count = 1 + (dice_.one_in(2) ? dice_.below(5) : 0);
  for (std::uint64_t i = 0; i < count; ++i) {
    SentRecipient recipient;
    constexpr std::array domains = {"one.example", "two.example", "three.example"};
    const char* domain =
        dice_.one_in(15) ? "elsewhere.example" : domains[dice_.below(domains.size())];
    const char* name = dice_.one_in(8) ? "gone" : dice_.one_in(10) ? "late" : "r";
    recipient.address = fmt::format("{}{}-{}@{}", name, i, number, domain);
    if (plan_.dsn_asked && !dice_.one_in(3)) {
      recipient.notify.specified = true;
      recipient.notify.never = dice_.one_in(4);
      const std::uint64_t kinds = 1 + dice_.below(7);
      recipient.notify.success = !recipient.notify.never && (kinds & 1) != 0;
      recipient.notify.failure = !recipient.notify.never && (kinds & 2) != 0;
      recipient.notify.delay = !recipient.notify.never && (kinds & 4) != 0;
    }
    if (plan_.dsn_asked && dice_.one_in(3))
      recipient.original_recipient = fmt::format("first+{}=x@old.example", i);
    out.push_back(std::move(recipient));
  }
  return out;
}

void Upstream::make_mails() {
  const Duration burst_at = dice_.between(Duration{}, plan_.fault_time / 2);
  for (std::size_t number = 0; number < plan_.mails; ++number) {
    Mail mail = make_mail(number);
    // Most come while the faults last, many of them at once.
    const Duration at = number < plan_.burst ? burst_at
                        : dice_.one_in(3)    ? Duration{}
                                             : dice_.between(Duration{}, plan_.fault_time * 4 / 5);
    errands_[mail.client].push_back({mail.token, world_.clock.now() + at});
    if (!mail.reverse_path.empty()) history_.tokens[mail.reverse_path] = mail.token;
    for (const SentRecipient& recipient : mail.recipients)
      history_.tokens[recipient.address] = mail.token;
    history_.mails.emplace(mail.token, std::move(mail));
  }
}

void Upstream::start() {
  for (const auto& [kind, errands] : errands_)
    for (std::size_t i = 0; i < plan_.sessions_per_client; ++i)
      CHECK(tasks_.spawn("upstream", work(kind, Dice(dice_.next()))));
}

bool Upstream::is_over(const Mail& mail) {
  return std::ranges::none_of(mail.recipients, [](const auto& r) { return r.fate == Fate::open; });
}

bool Upstream::done(ClientKind kind) const {
  const auto found = errands_.find(kind);
  return found == errands_.end() || std::ranges::all_of(found->second, [this](const Errand& e) {
           return !e.under_way && is_over(history_.mails.at(e.token));
         });
}

bool Upstream::done() const {
  return std::ranges::all_of(errands_, [this](const auto& entry) { return done(entry.first); });
}

Upstream::Errand* Upstream::next_due(ClientKind kind) {
  for (Errand& errand : errands_.at(kind))
    if (!errand.under_way && errand.due <= world_.clock.now() &&
        !is_over(history_.mails.at(errand.token)))
      return &errand;
  return nullptr;
}

SteadyTime Upstream::next_time(ClientKind kind) const {
  SteadyTime next = SteadyTime::max();
  for (const Errand& errand : errands_.at(kind))
    if (!errand.under_way && !is_over(history_.mails.at(errand.token)))
      next = std::min(next, errand.due);
  return next;
}

io::Task<> Upstream::work(ClientKind kind, Dice dice) {
  while (!done(kind)) {
    if (next_due(kind) != nullptr) co_await session(kind, dice);
    // What is under way in other sessions may come back at any time.
    const SteadyTime now = world_.clock.now();
    const SteadyTime due = std::min(next_time(kind), now + slower(seconds(5)));
    const Duration rest = dice.between(std::chrono::milliseconds(5), slower(seconds(5)));
    co_await world_.clock.sleep_until(std::max(due, now) + rest);
  }
}

void Upstream::put_back(Errand& errand, Dice& dice) {
  errand.under_way = false;
  errand.due = world_.clock.now() + dice.between(seconds(5), slower(seconds(90)));
  ++errand.attempts;
  Mail& mail = history_.mails.at(errand.token);
  if (is_welcome(mail.client) || errand.attempts < attempts_of_refused_max) return;
  for (SentRecipient& recipient : mail.recipients)
    if (recipient.fate == Fate::open) recipient.fate = Fate::given_up;
}

io::Task<> Upstream::session(ClientKind kind, Dice& dice) {
  const IpAddress from = address_of(kind);
  auto stream =
      co_await world_.network.connect(gateway_, world_.clock.in(std::chrono::minutes(1)), &from);
  if (!stream) co_return;
  LineStream lines(*std::move(stream), world_.clock, patience);
  const auto greeting = co_await lines.reply();
  bool usable = greeting && greeting->starts_with("220");
  usable = usable && (co_await lines.send("EHLO mail.sender.example\r\n")).has_value();
  bool dsn = false;
  if (usable) {
    const auto hello = co_await lines.reply();
    usable = hello && hello->starts_with("250");
    dsn = usable && hello->contains("DSN");
  }
  const Pace pace = plan_.pipelining && dice.one_in(2) ? Pace::pipelined : Pace::step_by_step;
  for (std::size_t count = 0; usable && count < mails_per_session_max; ++count) {
    Errand* errand = next_due(kind);
    if (errand == nullptr) break;
    errand->under_way = true;
    Transaction next{.lines = lines,
                     .mail = history_.mails.at(errand->token),
                     .dsn = dsn,
                     .begun = world_.clock.now()};
    usable = co_await transaction(next, pace);
    put_back(*errand, dice);
  }
  if (usable && (co_await lines.send("QUIT\r\n")).has_value()) co_await lines.reply();
  lines.close();
}

io::Task<bool> Upstream::command(Transaction& transaction, std::string line) {
  if (!line.empty() && !(co_await transaction.lines.send(line + "\r\n"))) co_return false;
  auto reply = co_await transaction.lines.reply();
  if (!reply) co_return false;
  transaction.reply = *std::move(reply);
  co_return !transaction.reply.starts_with("421");
}

void Upstream::refused(Transaction& transaction, const std::string& recipient) {
  history_.permanent_replies.push_back(
      {transaction.mail.client, transaction.mail.token, recipient, transaction.reply});
}

void Upstream::heard_rcpt(Transaction& transaction, std::size_t recipient) {
  SentRecipient& to = transaction.mail.recipients[recipient];
  if (transaction.reply.starts_with('2')) transaction.taken.push_back(recipient);
  // RFC 7372 section 3.3: what the check of the client's address says.
  if (transaction.reply.starts_with('4') && transaction.reply.contains(" 4.7.25 "))
    to.deferred.push_back(transaction.begun);
  if (!transaction.reply.starts_with('5')) return;
  to.fate = Fate::refused;
  refused(transaction, to.address);
}

io::Task<bool> Upstream::envelope_step_by_step(Transaction& transaction) {
  if (!co_await command(transaction, mail_command(transaction.mail, transaction.dsn)))
    co_return false;
  if (transaction.reply.starts_with('5')) refused(transaction, "");
  if (!transaction.reply.starts_with('2')) co_return true;
  for (std::size_t i = 0; i < transaction.mail.recipients.size(); ++i) {
    SentRecipient& recipient = transaction.mail.recipients[i];
    if (recipient.fate != Fate::open) continue;
    recipient.asked.push_back(transaction.begun);
    if (!co_await command(transaction, rcpt_command(recipient, transaction.dsn))) co_return false;
    heard_rcpt(transaction, i);
  }
  if (transaction.taken.empty()) co_return co_await command(transaction, "RSET");
  if (!co_await command(transaction, "DATA")) co_return false;
  transaction.go_on = transaction.reply.starts_with("354");
  if (transaction.go_on) co_return true;
  if (transaction.reply.starts_with('5')) refused(transaction, "");
  co_return co_await command(transaction, "RSET");
}

io::Task<bool> Upstream::envelope_pipelined(Transaction& transaction) {
  std::string bytes = mail_command(transaction.mail, transaction.dsn) + "\r\n";
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < transaction.mail.recipients.size(); ++i) {
    SentRecipient& recipient = transaction.mail.recipients[i];
    if (recipient.fate != Fate::open) continue;
    asked.push_back(i);
    recipient.asked.push_back(transaction.begun);
    bytes += rcpt_command(recipient, transaction.dsn) + "\r\n";
  }
  bytes += "DATA";
  if (!co_await command(transaction, std::move(bytes))) co_return false;
  if (transaction.reply.starts_with('5')) refused(transaction, "");
  const bool mail_taken = transaction.reply.starts_with('2');
  for (const std::size_t recipient : asked) {
    if (!co_await command(transaction, "")) co_return false;
    // After a refused MAIL the rest is out of order and says nothing of the recipient.
    if (mail_taken) heard_rcpt(transaction, recipient);
  }
  if (!co_await command(transaction, "")) co_return false;
  transaction.go_on = transaction.reply.starts_with("354");
  const bool wanted = !transaction.taken.empty();
  if (wanted && transaction.reply.starts_with('5')) refused(transaction, "");
  if (!transaction.go_on) co_return co_await command(transaction, "RSET");
  if (wanted) co_return true;
  // RFC 2920 section 3.1: a 354 without a recipient is to be answered with an empty content.
  transaction.go_on = false;
  co_return co_await command(transaction, ".");
}

io::Task<bool> Upstream::content(Transaction& transaction) {
  Mail& mail = transaction.mail;
  const auto written = co_await transaction.lines.send(content_of(mail) + ".\r\n");
  ++mail.unclear;  // until the reply is here
  mail.first_sent = std::min(mail.first_sent, transaction.begun);
  if (!written) co_return false;
  sent_();
  const bool usable = co_await command(transaction, "");
  if (transaction.reply.starts_with("354")) co_return false;  // no reply came
  --mail.unclear;
  if (transaction.reply.starts_with('4')) ++mail.deferred_content;
  if (transaction.reply.starts_with('5')) refused(transaction, "");
  if (transaction.reply.starts_with('2')) {
    for (const std::size_t recipient : transaction.taken) {
      mail.recipients[recipient].fate = Fate::acknowledged;
      mail.recipients[recipient].acknowledged = world_.clock.now();
    }
  }
  co_return usable;
}

io::Task<bool> Upstream::transaction(Transaction& transaction, Pace pace) {
  const bool usable = pace == Pace::pipelined ? co_await envelope_pipelined(transaction)
                                              : co_await envelope_step_by_step(transaction);
  if (!usable || !transaction.go_on) co_return usable;
  co_return co_await content(transaction);
}

}  // namespace postern::sim
