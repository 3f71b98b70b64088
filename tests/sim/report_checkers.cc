// What must hold of reports.
#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "checkers.h"
#include "copies.h"

namespace postern::sim {
namespace {

/// RFC 3464 section 2.3.3: Action, and the class of its Status; RFC 3461 section 4.1: who asked.
struct Kind {
  const char* action;
  char status_class;
  bool (*wanted)(const mail::DsnNotify&);
};
constexpr Kind kinds[] = {
    {"failed", '5', [](const mail::DsnNotify& n) { return !n.specified || n.failure; }},
    {"delayed", '4', [](const mail::DsnNotify& n) { return !n.specified || n.delay; }},
    {"delivered", '2', [](const mail::DsnNotify& n) { return n.specified && n.success; }},
    {"relayed", '2', [](const mail::DsnNotify& n) { return n.specified && n.success; }},
};

/// Looks at one recipient of one report.
class ReportCheck {
 public:
  ReportCheck(const History& history, const Report& report, const Mail& mail, Findings& out)
      : history_(history), report_(report), mail_(mail), out_(out) {}

  void whole() const {
    if (mail_.reverse_path.empty()) wrong("the mail had the null reverse path");
    if (report_.to != mail_.reverse_path) wrong("not the reverse path " + mail_.reverse_path);
    if (report_.recipients.empty()) wrong("about no recipient");
    if (report_.envelope_id != mail_.envelope_id)
      wrong(fmt::format("names the envelope <{}> instead of <{}>", report_.envelope_id,
                        mail_.envelope_id));
    const bool failed = std::ranges::all_of(
        report_.recipients, [](const ReportedRecipient& r) { return r.action == "failed"; });
    // RFC 3461 section 4.3: RET speaks of reports of failure; what cannot be read cannot be sent.
    if (mail_.dsn_return == mail::DsnReturn::headers && report_.returns_body)
      wrong("returns the body, and RET=HDRS was asked");
    if (mail_.dsn_return == mail::DsnReturn::full && failed && !report_.returns_body &&
        history_.store_failures == 0)
      wrong("does not return the body, and RET=FULL was asked");
  }

  void recipient(const ReportedRecipient& said) const {
    const SentRecipient* sent = find(mail_, said.final_recipient);
    if (sent == nullptr) return wrong("about somebody else: " + said.final_recipient);
    if (said.original_recipient != sent->original_recipient)
      wrong(fmt::format("names the original recipient <{}> instead of <{}>",
                        said.original_recipient, sent->original_recipient));
    const bool in_doubt = mail_.unclear > 0 || mail_.deferred_content > 0;
    if (sent->fate != Fate::acknowledged && !in_doubt)
      wrong("it was never taken for " + sent->address);
    const auto kind = std::ranges::find(kinds, std::string_view(said.action), &Kind::action);
    if (kind == std::end(kinds)) return wrong("with the action " + said.action);
    if (!kind->wanted(sent->notify) || sent->notify.never)
      wrong(fmt::format("nobody asked to hear {} for {}", said.action, sent->address));
    const char expected =
        said.status == "4.4.7" && said.action == "failed" ? '4' : kind->status_class;
    if (!said.status.starts_with(expected))
      wrong(fmt::format("says {} with the status {}", said.action, said.status));
    reason(said, *sent);
  }

 private:
  void reason(const ReportedRecipient& said, const SentRecipient& sent) const {
    const std::string& address = sent.address;
    if (said.action == "failed") {
      const bool refused = mail_.unwanted || is_gone(address) || mail_.sent_back;
      const SteadyTime earliest =
          later(mail_.first_sent, history_.promises.lifetime - history_.clock_forward);
      if (!refused && report_.at < earliest) wrong("nobody refused it for " + address);
      return;
    }
    if (said.action == "delayed") {
      if (history_.promises.delay_notice == Duration::zero()) wrong("delays are not told");
      if (report_.at <
          later(mail_.first_sent, history_.promises.delay_notice - history_.clock_forward))
        wrong("told too early of a delay for " + address);
      if (!said.says_until_when) wrong("does not say until when it is tried for " + address);
      return;
    }
    const auto arrival = std::ranges::find_if(history_.arrivals, [&](const Arrival& a) {
      return a.recipient == address && !a.dsn.offered &&
             (a.host == "mx.three.example") == (said.action == "delivered");
    });
    if (arrival == history_.arrivals.end())
      wrong(fmt::format("says {} for {}, and it was not", said.action, address));
  }

  void wrong(std::string_view why) const {
    out_.push_back(fmt::format("report on {} to {}: {}", report_.token, report_.to, why));
  }

  const History& history_;
  const Report& report_;
  const Mail& mail_;
  Findings& out_;
};

std::string asked(const mail::DsnNotify& notify) {
  if (!notify.specified) return "";
  if (notify.never) return "NEVER";
  std::string out;
  for (const auto& [on, name] :
       {std::pair{notify.success, "SUCCESS"}, std::pair{notify.failure, "FAILURE"},
        std::pair{notify.delay, "DELAY"}})
    if (on) out += (out.empty() ? "" : ",") + std::string(name);
  return out;
}

void check_passed(const Arrival& arrival, const Mail& mail, const SentRecipient& sent,
                  Findings& out) {
  const auto same = [&](std::string_view what, const std::string& got, const std::string& wanted) {
    if (got != wanted)
      out.push_back(fmt::format("{} came to {} for {} with {}=<{}> instead of <{}>", arrival.token,
                                arrival.host, arrival.recipient, what, got, wanted));
  };
  const std::string ret = mail.dsn_return == mail::DsnReturn::full      ? "FULL"
                          : mail.dsn_return == mail::DsnReturn::headers ? "HDRS"
                                                                        : "";
  same("NOTIFY", arrival.dsn.notify, asked(sent.notify));
  same("RET", arrival.dsn.dsn_return, ret);
  same("ENVID", arrival.dsn.envelope_id, mail.envelope_id);
  // RFC 3461 section 5.2.1: a relay may add ORCPT where there was none.
  const std::string original =
      sent.original_recipient.empty() ? arrival.recipient : sent.original_recipient;
  if (!sent.original_recipient.empty() || !arrival.dsn.original_recipient.empty())
    same("ORCPT", arrival.dsn.original_recipient, "rfc822;" + original);
}

/// Nothing came to the sender that says it was delivered, and no next hop was asked to say so.
bool success_untold(const History& history, const Mail& mail, const SentRecipient& sent) {
  bool arrived = false;
  for (const Arrival& arrival : history.arrivals) {
    if (arrival.recipient != sent.address) continue;
    if (arrival.dsn.offered) return false;
    arrived = true;
  }
  if (!arrived) return false;
  // The gateway need not know of the copy that arrived: its reply was lost, or what it made of it
  // was not recorded. Then it may give the message up in the end, and tell so.
  const bool every_copy_known = std::ranges::none_of(history.arrivals, [&](const Arrival& arrival) {
    return arrival.recipient == sent.address &&
           !excuse_of(history, {arrival.at, arrival.read, arrival.recipient, arrival.id}).empty();
  });
  for (const Report& report : history.reports)
    for (const ReportedRecipient& said : report.recipients)
      if (said.final_recipient == sent.address &&
          (said.action == "delivered" || said.action == "relayed" ||
           (said.action == "failed" && !every_copy_known)))
        return false;
  // The report itself did not find its way; or the message was given up.
  for (const char* action : {"delivered", "relayed"})
    if (history.report_is_dead_letter(mail, sent.address, action)) return false;
  return every_copy_known || std::ranges::none_of(history.outcomes, [&](const Outcome& outcome) {
           return outcome.kind == Outcome::Kind::bounced && outcome.recipient == sent.address;
         });
}

}  // namespace

Findings reported_wrongly(const History& history) {
  Findings out;
  for (const Report& report : history.reports) {
    const Mail* mail = history.mail_of(report.to);
    if (mail == nullptr || (!report.token.empty() && report.token != mail->token)) {
      out.push_back(
          fmt::format("report on {} to {}: about no mail of ours", report.token, report.to));
      continue;
    }
    const ReportCheck check(history, report, *mail, out);
    check.whole();
    for (const ReportedRecipient& recipient : report.recipients) check.recipient(recipient);
  }
  return out;
}

Findings dsn_neglected(const History& history) {
  Findings out;
  for (const Arrival& arrival : history.arrivals) {
    const Mail* mail = history.mail_of(arrival.recipient);
    const SentRecipient* sent = mail == nullptr ? nullptr : find(*mail, arrival.recipient);
    if (sent != nullptr && arrival.dsn.offered) check_passed(arrival, *mail, *sent, out);
  }
  for (const auto& [token, mail] : history.mails)
    for (const SentRecipient& sent : mail.recipients)
      if (sent.fate == Fate::acknowledged && sent.notify.success && !mail.reverse_path.empty() &&
          !mail.removed && success_untold(history, mail, sent))
        out.push_back(fmt::format("nobody tells of the success of {} for {}", token, sent.address));
  return out;
}

}  // namespace postern::sim
