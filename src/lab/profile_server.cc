#include "lab/profile_server.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "lab/dialogue.h"
#include "mail/address.h"

namespace postern::lab {
namespace {

constexpr std::uint16_t smtp_port = 25;
constexpr std::size_t targets_max = 6;
constexpr Duration lookup_time = std::chrono::seconds(20);

std::string domain_of(std::string_view address) {
  return to_lower(mail::domain_of(address));
}

// "450 4.7.25 Client host rejected", of a reply of several lines the last.
std::string text_of(const DialogueReply& reply) {
  return reply.lines.empty() ? "" : reply.lines.back();
}

}  // namespace

ProfileServer::ProfileServer(const io::World& world, dns::Resolver& resolver,
                             ProfileServerOptions options, OnLetter on_letter,
                             OnHappening on_happening)
    : world_(world),
      resolver_(resolver),
      options_(std::move(options)),
      on_letter_(std::move(on_letter)),
      on_happening_(std::move(on_happening)),
      tasks_(world.executor, world.clock, messages_max),
      receiver_(
          world, options_.hostname,
          [this](const IpAddress& client, const std::string& address) {
            return check(client, address);
          },
          [this](Received received) { take(std::move(received)); }) {
  for (const std::string& mailbox : options_.mailboxes) domains_.insert(domain_of(mailbox));
}

bool ProfileServer::Message::done() const {
  return std::ranges::all_of(recipients, [](const Waiting& waiting) { return waiting.done; });
}

Result<> ProfileServer::start() {
  TRY_VOID(receiver_.start({options_.address, smtp_port}));
  return {};
}

bool ProfileServer::is_ours(const std::string& address) const {
  return domains_.contains(domain_of(address));
}

std::optional<smtp::Reply> ProfileServer::check(const IpAddress& client,
                                                const std::string& address) const {
  if (tasks_.full()) return smtp::Reply(452, {4, 3, 1}, "The queue is full");
  if (is_ours(address)) {
    if (options_.mailboxes.contains(to_lower(address))) return std::nullopt;
    return smtp::Reply(550, {5, 1, 1}, "<" + address + ">: there is no such mailbox here");
  }
  if (options_.relay_clients.contains(client)) return std::nullopt;
  return smtp::Reply(550, {5, 7, 1}, "<" + address + ">: relaying denied");
}

// RFC 5321 section 4.4: who passes a message on says so in a Received field.
std::string ProfileServer::trace_field(const Received& received) const {
  return fmt::format("Received: from {} ({})\r\n by {} with ESMTP; {}\r\n", received.helo,
                     received.client.literal(), options_.hostname,
                     format_rfc5322(world_.clock.wall_now()));
}

void ProfileServer::take(Received received) {
  std::string content = trace_field(received) + received.content;
  enqueue(std::move(received.reverse_path), std::move(received.recipients), std::move(content));
}

void ProfileServer::enqueue(std::string reverse_path, std::vector<std::string> recipients,
                            std::string content) {
  Message message{std::move(reverse_path), {}, std::move(content), world_.clock.now()};
  for (std::string& recipient : recipients) {
    if (is_ours(recipient))
      on_letter_({message.reverse_path, recipient, message.content});
    else
      message.recipients.push_back({std::move(recipient), {}, false});
  }
  if (!message.done()) tasks_.spawn("profile server message", keep_trying(std::move(message)));
}

io::Task<> ProfileServer::keep_trying(Message message) {
  const SteadyTime end = message.arrived + options_.profile.give_up;
  SteadyTime planned = message.arrived;
  while (true) {
    ++message.attempts;
    co_await attempt(message);
    settle(message);
    if (message.done()) co_return;
    const Duration pause = options_.profile.wait_after(message.attempts);
    if (world_.clock.now() >= end) break;
    planned = pause == Duration{} ? end : std::min(planned + pause + lateness(pause), end);
    co_await wait(message, planned);
  }
  for (Waiting& recipient : message.recipients)
    if (!recipient.done) fail(message, recipient);
}

// Its own address first, then those of the pool in their order, and again.
Outlet ProfileServer::outlet(const Message& message) const {
  const std::size_t turn = (message.attempts - 1) % (options_.pool.size() + 1);
  return turn == 0 ? Outlet{options_.address, options_.hostname} : options_.pool[turn - 1];
}

Duration ProfileServer::lateness(Duration pause) const {
  const Duration most = std::min(options_.late_max, pause / 2);
  if (most == Duration{}) return {};
  return Duration(static_cast<Duration::rep>(world_.entropy.next_u64() %
                                             static_cast<std::uint64_t>(most.count())));
}

// Until the next attempt; the user is told of the delay meanwhile, when it is time.
io::Task<> ProfileServer::wait(Message& message, SteadyTime next) {
  const Duration notice = options_.profile.delay_notice;
  const SteadyTime notice_at = message.arrived + notice;
  if (notice != Duration{} && world_.clock.now() < notice_at && notice_at <= next) {
    co_await world_.clock.sleep_until(notice_at);
    tell_delay(message);
  }
  co_await world_.clock.sleep_until(next);
}

io::Task<> ProfileServer::attempt(Message& message) {
  std::set<std::string> domains;
  for (const Waiting& recipient : message.recipients)
    if (!recipient.done) domains.insert(domain_of(recipient.address));
  for (const std::string& domain : domains) co_await attempt_domain(message, domain);
}

// RFC 5321 section 5.1: the hosts in the order of their preference; the next one is tried for those
// whom the one before has deferred.
io::Task<> ProfileServer::attempt_domain(Message& message, std::string domain) {
  std::string failure;
  const std::vector<Target> hosts = co_await targets(domain, failure);
  if (hosts.empty())
    refuse_all(message, domain, {Answer::Verdict::temporary, failure, "connect", "", ""});
  for (const Target& target : hosts) {
    co_await attempt_target(message, domain, target);
    const bool waits = std::ranges::any_of(message.recipients, [&domain](const Waiting& one) {
      return !one.done && domain_of(one.address) == domain &&
             one.answer.verdict == Answer::Verdict::temporary;
    });
    if (!waits) co_return;
  }
}

io::Task<std::vector<ProfileServer::Target>> ProfileServer::targets(std::string domain,
                                                                    std::string& failure) {
  std::vector<Target> found;
  if (options_.smarthost) {
    found.push_back({options_.smarthost->address.text(), options_.smarthost->address});
    co_return found;
  }
  const auto mx = co_await resolver_.lookup(domain, dns::Type::mx, world_.clock.in(lookup_time));
  std::vector<std::string> names;
  names.reserve(mx.mail_exchanges.size());
  for (const dns::Mx& exchange : mx.mail_exchanges) names.push_back(exchange.exchange);
  // RFC 5321 section 5.1: without an MX record the domain itself is the host.
  if (names.empty() && dns::is_determined(mx.status)) names.push_back(domain);
  for (const std::string& name : names) {
    const auto addresses =
        co_await resolver_.lookup(name, dns::Type::a, world_.clock.in(lookup_time));
    for (const IpAddress& address : addresses.addresses)
      if (found.size() < targets_max) found.push_back({name, address});
  }
  if (found.empty())
    failure = fmt::format("451 4.4.3 no host was found for {} in the DNS ({})", domain,
                          dns::status_name(mx.status));
  co_return found;
}

void ProfileServer::refuse_all(Message& message, const std::string& domain, const Answer& answer) {
  for (Waiting& recipient : message.recipients)
    if (!recipient.done && domain_of(recipient.address) == domain) recipient.answer = answer;
}

io::Task<> ProfileServer::attempt_target(Message& message, std::string domain, Target target) {
  refuse_all(message, domain,
             {.reply = fmt::format("451 4.4.1 no connection to {}", target.address.text()),
              .stage = "connect",
              .mx = target.name,
              .mx_ip = target.address.text()});
  co_await converse(message, domain, target);
}

// One mail transaction. What breaks it off leaves the recipients with what they were last told.
io::Task<> ProfileServer::converse(Message& message, std::string domain, Target target) {
  const Outlet from = outlet(message);
  auto opened = co_await Dialogue::open(world_, from.address, {target.address, smtp_port});
  if (!opened) co_return;
  Dialogue& dialogue = **opened;
  const auto answer = [&](const DialogueReply& reply, const char* stage) {
    const auto verdict = reply.code >= 500   ? Answer::Verdict::permanent
                         : reply.code >= 400 ? Answer::Verdict::temporary
                                             : Answer::Verdict::delivered;
    return Answer{verdict, text_of(reply), stage, target.name, target.address.text()};
  };
  const bool helo = options_.profile.greeting == upstream::Greeting::helo;
  const auto hello = co_await dialogue.command((helo ? "HELO " : "EHLO ") + from.name);
  if (!hello) co_return;
  const auto mail = co_await dialogue.command(fmt::format("MAIL FROM:<{}>", message.reverse_path));
  if (!mail) co_return;
  std::vector<Waiting*> accepted;
  if (mail->code != 250) refuse_all(message, domain, answer(*mail, "MAIL FROM"));
  for (Waiting& recipient : message.recipients) {
    if (mail->code != 250 || recipient.done || domain_of(recipient.address) != domain) continue;
    const auto reply = co_await dialogue.command(fmt::format("RCPT TO:<{}>", recipient.address));
    if (!reply) co_return;
    if (reply->code < 300)
      accepted.push_back(&recipient);
    else
      recipient.answer = answer(*reply, "RCPT TO");
  }
  if (!accepted.empty()) {
    auto reply = co_await dialogue.command("DATA");
    if (!reply) co_return;
    if (reply->code == 354) {
      reply = co_await dialogue.content(message.content);
      if (!reply) co_return;
    }
    for (Waiting* recipient : accepted) recipient->answer = answer(*reply, "end of DATA");
  }
  std::ignore = co_await dialogue.command("QUIT");
}

void ProfileServer::settle(Message& message) {
  for (Waiting& recipient : message.recipients) {
    if (recipient.done || recipient.answer.verdict == Answer::Verdict::temporary) continue;
    recipient.done = true;
    if (recipient.answer.verdict == Answer::Verdict::permanent) fail(message, recipient);
  }
}

void ProfileServer::fail(const Message& message, const Waiting& recipient) {
  // RFC 5321 section 6.1: never a report for a report.
  const bool tells = options_.profile.reports && !message.reverse_path.empty();
  on_happening_(tells ? Happening::Kind::gave_up : Happening::Kind::dropped, message.reverse_path,
                recipient.address, recipient.answer.reply);
  if (!tells) return;
  const bool refused = recipient.answer.verdict == Answer::Verdict::permanent;
  report(refused ? ReportKind::refusal : ReportKind::failure, message, recipient);
}

void ProfileServer::tell_delay(const Message& message) {
  if (message.reverse_path.empty() || !options_.profile.reports) return;
  for (const Waiting& recipient : message.recipients) {
    if (recipient.done) continue;
    on_happening_(Happening::Kind::reported, message.reverse_path, recipient.address,
                  recipient.answer.reply);
    report(ReportKind::delay, message, recipient);
  }
}

void ProfileServer::report(ReportKind kind, const Message& message, const Waiting& recipient) {
  ReportFacts facts;
  facts.kind = kind;
  facts.host = options_.hostname;
  facts.sender = message.reverse_path;
  facts.recipient = recipient.address;
  facts.reply = recipient.answer.reply;
  facts.stage = recipient.answer.stage;
  facts.mx = recipient.answer.mx;
  facts.mx_ip = recipient.answer.mx_ip;
  facts.unique = fmt::format("{:016x}", world_.entropy.next_u64());
  facts.now = world_.clock.wall_now();
  facts.waited = world_.clock.now() - message.arrived;
  facts.content = message.content;
  enqueue("", {message.reverse_path}, product_report(options_.profile, facts));
}

}  // namespace postern::lab
