#include "lab/flow_json.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/check.h"
#include "lab/json_times.h"
#include "lab/ledger_json.h"

namespace postern::lab {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

const char* kind_name(Happening::Kind kind) {
  switch (kind) {
    case Happening::Kind::sent:
      return "sent";
    case Happening::Kind::refused:
      return "refused";
    case Happening::Kind::gave_up:
      return "gave_up";
    case Happening::Kind::dropped:
      return "dropped";
    case Happening::Kind::kept:
      return "dead_letter";
    case Happening::Kind::reported:
      return "reported_delay";
    case Happening::Kind::world:
      return "world";
    case Happening::Kind::log:
      return "log";
  }
  CHECK(false);
}

const char* engine_name(Engine engine) {
  switch (engine) {
    case Engine::postern:
      return "postern";
    case Engine::profile:
      return "profile";
    case Engine::mailboxes:
      return "mailboxes";
  }
  CHECK(false);
}

array strings(const std::vector<std::string>& lines) {
  array out;
  for (const std::string& line : lines) out.emplace_back(line);
  return out;
}

array servers(const Scenario& scenario) {
  array out;
  for (const ScenarioServer& server : scenario.servers)
    out.push_back(object{{"id", server.id},
                         {"name", server.name},
                         {"address", server.address.text()},
                         {"engine", engine_name(server.engine)},
                         {"profile", server.profile}});
  return out;
}

array attempts(const History& history) {
  array out;
  for (const Attempt& attempt : history.attempts) {
    array recipients;
    for (const AttemptRecipient& recipient : attempt.recipients)
      recipients.push_back(object{{"address", recipient.address},
                                  {"reply", recipient.reply},
                                  {"accepted", recipient.accepted}});
    out.push_back(object{{"at", in_seconds(attempt.at)},
                         {"decided", in_seconds(attempt.decided)},
                         {"from", attempt.from_host},
                         {"to", attempt.to_host},
                         {"client", attempt.from_address.text()},
                         {"server", attempt.to_address.text()},
                         {"sender", attempt.has_sender ? value(attempt.sender) : value(nullptr)},
                         {"recipients", std::move(recipients)},
                         {"accepted", attempt.accepted()},
                         {"outcome", attempt.outcome()},
                         {"failure", attempt.failure},
                         {"dialogue", strings(attempt.dialogue)}});
  }
  return out;
}

array happenings(const History& history) {
  array out;
  for (const Happening& one : history.happenings)
    out.push_back(object{{"at", in_seconds(one.at)},
                         {"kind", kind_name(one.kind)},
                         {"host", one.host},
                         {"sender", one.sender},
                         {"recipient", one.recipient},
                         {"text", one.text}});
  return out;
}

array lookups(const History& history) {
  array out;
  for (const Lookup& lookup : history.lookups)
    out.push_back(object{{"at", in_seconds(lookup.at)},
                         {"host", lookup.host},
                         {"name", lookup.name},
                         {"type", lookup.type},
                         {"status", lookup.status}});
  return out;
}

array mails(const Account& account) {
  array out;
  for (const MailAccount& mail : account.mails) {
    array custody;
    for (const Custody& one : mail.custody)
      custody.push_back(object{{"from", in_seconds(one.from)},
                               {"to", optional_seconds(one.to)},
                               {"holder", one.holder}});
    out.push_back(object{{"sender", mail.sender},
                         {"recipient", mail.recipient},
                         {"subject", mail.subject},
                         {"custody", std::move(custody)},
                         {"end", mail.end}});
  }
  return out;
}

object report_object(const ReportAccount& report) {
  std::string text;
  array quoted;
  for (const ReportAccount::Line& line : report.text) {
    text += line.text + "\n";
    if (line.quoted) quoted.emplace_back(line.text);
  }
  return object{{"at", in_seconds(report.at)},
                {"written", in_seconds(report.written)},
                {"to", report.to},
                {"by", report.by},
                {"kind", report.kind},
                {"about", report.about},
                {"from", report.from},
                {"subject", report.subject},
                {"text", std::move(text)},
                {"reply", report.reply},
                {"quotes_reply", report.quotes_reply},
                {"quoted_lines", std::move(quoted)},
                {"way", strings(report.way)}};
}

array reports(const Account& account) {
  array out;
  for (const ReportAccount& report : account.reports) out.push_back(report_object(report));
  return out;
}

array users(const Account& account) {
  array out;
  for (const UserAccount& user : account.users) {
    array saw;
    for (const UserAccount::Sight& sight : user.saw)
      saw.push_back(object{{"at", in_seconds(sight.at)}, {"text", sight.text}});
    out.push_back(object{{"address", user.address}, {"saw", std::move(saw)}});
  }
  return out;
}

array verdicts(const FinishedFlow& finished) {
  array out;
  for (const Verdict& verdict : finished.verdicts)
    out.push_back(object{{"kept", verdict.kept}, {"what", verdict.what}, {"got", verdict.got}});
  return out;
}

array ledgers(const FinishedFlow& finished) {
  array out;
  for (const LedgerAccount& account : finished.ledgers) out.push_back(ledger_json(account));
  return out;
}

object document(const FinishedFlow& finished, const std::string& name, std::uint64_t seed) {
  const Flow& flow = *finished.flow;
  return object{{"scenario", name},
                {"title", flow.scenario().title},
                {"seed", seed},
                {"upstream", flow.scenario().upstream},
                {"profile", finished.upstream_profile},
                {"ok", finished.good()},
                {"ended", in_seconds(flow.history().now)},
                {"servers", servers(flow.scenario())},
                {"happenings", happenings(flow.history())},
                {"attempts", attempts(flow.history())},
                {"lookups", lookups(flow.history())},
                {"mails", mails(finished.account)},
                {"reports", reports(finished.account)},
                {"users", users(finished.account)},
                {"ledgers", ledgers(finished)},
                {"verdicts", verdicts(finished)}};
}

object row_object(const FlowRow& row) {
  return object{{"profile", row.profile},
                {"attempts", row.attempts},
                {"first_sign", optional_seconds(row.first_sign)},
                {"report", optional_seconds(row.report)},
                {"report_from", row.from},
                {"report_by", row.by},
                {"quotes_reply", row.quotes_reply},
                {"ok", row.good}};
}

}  // namespace

std::string flow_json(const FinishedFlow& finished, const std::string& name, std::uint64_t seed) {
  return boost::json::serialize(document(finished, name, seed));
}

std::string flows_json(const std::vector<FinishedFlow>& flows, const std::string& name,
                       std::uint64_t seed) {
  array rows;
  array runs;
  for (const FinishedFlow& finished : flows) {
    rows.push_back(row_object(row_of(finished)));
    runs.push_back(document(finished, name, seed));
  }
  const bool good = std::ranges::all_of(flows, &FinishedFlow::good);
  return boost::json::serialize(object{{"scenario", name},
                                       {"seed", seed},
                                       {"ok", good},
                                       {"profiles", std::move(rows)},
                                       {"runs", std::move(runs)}});
}

std::string profiles_json(const upstream::Profiles& profiles) {
  array out;
  for (const upstream::Profile& profile : profiles.all) {
    array retry;
    for (const Duration wait : profile.retry) retry.emplace_back(in_seconds(wait));
    out.push_back(object{{"name", profile.name},
                         {"product", profile.product},
                         {"retry", std::move(retry)},
                         {"then", in_seconds(profile.then)},
                         {"delay_notice", in_seconds(profile.delay_notice)},
                         {"give_up", in_seconds(profile.give_up)},
                         {"attempts", profile.attempts().size()},
                         {"reports", profile.reports},
                         {"quotes_reply", profile.quotes_reply},
                         {"report_from", profile.report_from},
                         {"report_subject", profile.report_subject},
                         {"confidence", upstream::confidence_name(profile.confidence)}});
  }
  return boost::json::serialize(out);
}

}  // namespace postern::lab
