#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "app/escalation_text.h"
#include "app/exemption.h"
#include "app/explain_client.h"
#include "base/text.h"
#include "ledger/lookups_json.h"

namespace postern::app {
namespace {

using boost::json::object;
using policy::UnknownIpMode;
using policy::UnknownIpState;

std::string seconds_text(Duration duration) {
  return fmt::format("{:.3f} s", std::chrono::duration<double>(duration).count());
}

std::string rule_text(const CheckedClient& client) {
  const UnknownIpState state = client.told.state;
  std::string text = fmt::format("State: {}", policy::state_name(state));
  if (state == UnknownIpState::skipped) text += fmt::format(": {}", client.skipped_because);
  text += fmt::format("\nAction: {}", policy::action_name(client.told.action));
  if (!client.override_name.empty())
    text += fmt::format(" ([[unknown_ip.override]] {})", printable(client.override_name));
  else if (state != UnknownIpState::skipped && state != UnknownIpState::pass)
    text += fmt::format(" ([unknown_ip.actions] {})", policy::state_name(state));
  text += "\n";
  if (const auto& over = client.expired_override)
    text += fmt::format("The override {} is over since {} and does not count.\n",
                        printable(over->name()), format_iso8601(*over->expires).substr(0, 10));
  switch (client.mode) {
    case UnknownIpMode::off:
      text +=
          "Mode: off, so that nothing is looked up or refused; this is what enforce would do.\n";
      break;
    case UnknownIpMode::observe:
      text += "Mode: observe, so that the client is accepted and this is only recorded.\n";
      break;
    case UnknownIpMode::enforce:
      text += "Mode: enforce.\n";
      break;
  }
  return text;
}

std::string_view step_words(policy::AnswerAt step) {
  switch (step) {
    case policy::AnswerAt::connect:
      return "in place of the greeting";
    case policy::AnswerAt::ehlo:
      return "at EHLO";
    case policy::AnswerAt::mail:
      return "at MAIL";
    case policy::AnswerAt::rcpt:
      return "at RCPT";
  }
  return "at RCPT";
}

std::string exemption_of(const CheckedClient& client) {
  const Explanation& told = client.told;
  return exemption(told.client, {}, cause_of(told.state, told.iprev), told.answered_at);
}

std::string_view mode_name(UnknownIpMode mode) {
  switch (mode) {
    case UnknownIpMode::off:
      return "off";
    case UnknownIpMode::observe:
      return "observe";
    case UnknownIpMode::enforce:
      return "enforce";
  }
  return "";
}

}  // namespace

std::string client_text(const CheckedClient& client) {
  const Explanation& told = client.told;
  std::string text =
      fmt::format("Client {}{}\n\n", told.client.text(),
                  told.helo.empty() ? std::string() : ", HELO " + printable(told.helo));
  if (told.state != UnknownIpState::skipped)
    text +=
        fmt::format("Lookups ({}):\n{}\n", seconds_text(told.iprev.took), lookups_text(told.iprev));
  text += rule_text(client);
  if (told.reply.empty()) return text + "\nIts mail is accepted.\n";
  text += fmt::format("\nIt reads {}, where the case is another each time:\n    {}\n",
                      step_words(told.answered_at), told.reply);
  text +=
      "\nThe sender's own server reports that the mail was not delivered; Postern never took it. "
      "If it is\n";
  text += servers_text(told) + report_text(told);
  if (client.override_name.empty())
    text += escalation_text(client.escalation, told.state, told.action, told.upstreams);
  text += remedy_text(told.remedy);
  // What is written first wins, and what is more specific.
  if (!client.override_name.empty())
    return text + fmt::format("\nTo let it in, change the override {}.\n",
                              printable(client.override_name));
  return text + "\nTo exempt it, in the configuration:\n\n" + indented(exemption_of(client));
}

object client_json(const CheckedClient& client) {
  const Explanation& told = client.told;
  object out{{"client", told.client.text()},
             {"helo", printable(told.helo)},
             {"from", printable(told.sender)},
             {"to", printable(told.recipient)},
             {"mode", mode_name(client.mode)},
             {"state", policy::state_name(told.state)},
             {"action", policy::action_name(told.action)},
             {"override", printable(client.override_name)},
             {"expired_override",
              client.expired_override ? printable(client.expired_override->name()) : std::string()},
             {"refused", !told.reply.empty()}};
  if (told.state == UnknownIpState::skipped) {
    out["skipped_because"] = client.skipped_because;
    return out;
  }
  for (auto& member : ledger::lookups_json(told.iprev)) out.insert(std::move(member));
  if (told.reply.empty()) return out;
  out["reply"] = told.reply;
  out["answer_at"] = policy::answer_at_name(told.answered_at);
  out["escalation"] =
      object{{"enabled", client.escalation.enabled},
             {"after_attempts", client.escalation.after_attempts},
             {"after_seconds", std::chrono::floor<seconds>(client.escalation.after).count()}};
  out["upstreams"] = upstreams_json(told);
  out["publish"] = strings_json(told.remedy.records);
  out["advice"] = strings_json(told.remedy.advice);
  if (client.override_name.empty()) out["exempt"] = exemption_of(client);
  return out;
}

Result<std::string> client_letter(const CheckedClient& client, WallTime now) {
  Explanation told = client.told;
  if (told.reply.empty())
    return operator_failure(Cause::other,
                            "this client is accepted: there is nothing to write to anybody about");
  // This check's own case is recorded nowhere: who asked us about it would ask in vain.
  const std::string unrecorded = fmt::format(" (case {})", told.case_id);
  if (const auto place = told.reply.find(unrecorded); place != std::string::npos)
    told.reply.erase(place, unrecorded.size());
  const std::string called =
      told.helo.empty() ? std::string() : "\n(it calls itself " + printable(told.helo) + ")";
  return letter(
      told, client.mode == UnknownIpMode::enforce ? Enforced::yes : Enforced::not_yet, now,
      fmt::format("Your mail server with the address\n{}{} sends mail to us, from\n{}\n"
                  "for instance.\n",
                  told.client.text(), called, told.sender.empty() ? "<>" : printable(told.sender)));
}

}  // namespace postern::app
