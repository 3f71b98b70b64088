#include "lab/flow_text.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "lab/ordered.h"

namespace postern::lab {
namespace {

constexpr std::size_t times_shown_max = 8;
/// "  12d 23:59:59  "
constexpr int time_width = 13;

std::string at_time(Duration time, std::string_view text) {
  return fmt::format("{:>{}}  {}\n", format_since(time), time_width, text);
}

std::string engine_text(const ScenarioServer& server, const upstream::Profiles& profiles) {
  switch (server.engine) {
    case Engine::postern:
      switch (server.postern.unknown_ip.mode) {
        case policy::UnknownIpMode::off:
          return "Postern, the option is off";
        case policy::UnknownIpMode::observe:
          return "Postern, mode observe";
        case policy::UnknownIpMode::enforce:
          return "Postern, mode enforce";
      }
      CHECK(false);
    case Engine::mailboxes:
      return "mailboxes only";
    case Engine::profile: {
      const upstream::Profile* profile = profiles.find(server.profile);
      return profile == nullptr ? server.profile
                                : fmt::format("{} (profile {})", profile->product, profile->name);
    }
  }
  CHECK(false);
}

std::string route_text(const Attempt& attempt, const Scenario& scenario) {
  return fmt::format("{} [{}] -> {} [{}]", name_of_host(scenario, attempt.from_host),
                     attempt.from_address.text(), name_of_host(scenario, attempt.to_host),
                     attempt.to_address.text());
}

std::string envelope_text(const Attempt& attempt) {
  if (!attempt.has_sender) return {};
  std::string to;
  for (const AttemptRecipient& recipient : attempt.recipients)
    to += fmt::format("{}<{}>", to.empty() ? "" : ", ", recipient.address);
  return fmt::format(", from <{}> to {}", attempt.sender, to);
}

/// An entry of the timeline: an attempt, or text.
struct Entry {
  Duration at{};
  const Attempt* attempt = nullptr;
  std::string text;
};

std::string happening_text(const Happening& one, const Scenario& scenario) {
  const std::string host = name_of_host(scenario, one.host);
  switch (one.kind) {
    case Happening::Kind::sent:
      return fmt::format("{} sends \"{}\" to {}, with {}", one.sender, one.text, one.recipient,
                         host);
    case Happening::Kind::refused:
      return fmt::format("{} tells {}: {}", host, one.sender, one.text);
    case Happening::Kind::gave_up:
      return fmt::format("{} gives up on {} and reports to {}", host, one.recipient, one.sender);
    case Happening::Kind::dropped:
      return fmt::format("{} gives up on {} and tells nobody", host, one.recipient);
    case Happening::Kind::kept:
      return fmt::format("{} gives up on {}, may tell nobody, and keeps it as a dead letter", host,
                         one.recipient);
    case Happening::Kind::reported:
      return fmt::format("{} tells {} of the delay", host, one.sender);
    case Happening::Kind::world:
      return "* " + std::string(trim(one.text));
    case Happening::Kind::log:
      return fmt::format("{} logs: {}", host, one.text);
  }
  CHECK(false);
}

std::vector<Entry> entries_of(const Flow& flow, Detail detail) {
  std::vector<Entry> entries;
  for (const Happening& one : flow.history().happenings)
    if (one.kind != Happening::Kind::log || detail == Detail::all)
      entries.push_back({one.at, nullptr, happening_text(one, flow.scenario())});
  for (const Attempt& attempt : flow.history().attempts)
    entries.push_back({attempt.at, &attempt, {}});
  for (const KeptLetter& letter : flow.history().letters)
    entries.push_back(
        {letter.at, nullptr,
         fmt::format("{} has {} for {}", name_of_host(flow.scenario(), letter.server),
                     letter.reverse_path.empty() ? "a report" : "the message", letter.recipient)});
  if (detail == Detail::all)
    for (const Lookup& lookup : flow.history().lookups)
      entries.push_back({lookup.at, nullptr,
                         fmt::format("{} has asked the DNS: {} {}: {}",
                                     name_of_host(flow.scenario(), lookup.host), lookup.name,
                                     lookup.type, lookup.status)});
  order_by(entries, [](const Entry& entry) { return entry.at; });
  return entries;
}

// What makes two attempts the same for a reader.
std::string likeness(const Attempt& attempt) {
  std::string key = attempt.from_host + "|" + attempt.to_host + "|" + attempt.failure + "|";
  if (attempt.accepted()) key += format_since(attempt.at);
  for (const std::string& line : attempt.dialogue) key += without_case(line) + "\n";
  return key;
}

/// Writes the timeline; remembers what it has shown, and sums up what comes again.
class Timeline {
 public:
  Timeline(const Scenario& scenario, Detail detail) : scenario_(scenario), detail_(detail) {}

  void add(const Entry& entry) {
    if (entry.attempt == nullptr) {
      flush();
      text_ += at_time(entry.at, entry.text);
      return;
    }
    std::string key = likeness(*entry.attempt);
    if (detail_ == Detail::summed_up && !shown_.insert(key).second) {
      again_[std::move(key)].push_back(entry.attempt);
      return;
    }
    flush();
    show(*entry.attempt);
  }

  std::string take() {
    flush();
    return std::move(text_);
  }

 private:
  void show(const Attempt& attempt) {
    text_ += at_time(attempt.at, route_text(attempt, scenario_));
    for (const std::string& line : attempt.dialogue)
      text_ += fmt::format("{:{}}    {}\n", "", time_width, line);
    if (!attempt.failure.empty())
      text_ += fmt::format("{:{}}    ({})\n", "", time_width, attempt.failure);
  }

  void flush() {
    std::map<Duration, std::string> lines;
    for (const auto& [key, attempts] : again_) {
      std::string times;
      for (std::size_t i = 0; i < std::min(attempts.size(), times_shown_max); ++i)
        times += (i == 0 ? "" : ", ") + format_since(attempts[i]->at);
      if (attempts.size() > times_shown_max) times += ", ... " + format_since(attempts.back()->at);
      lines[attempts.front()->at] +=
          at_time(attempts.front()->at,
                  fmt::format("{}{}", route_text(*attempts.front(), scenario_),
                              envelope_text(*attempts.front()))) +
          fmt::format(
              "{:{}}    the same {}: {}\n{:{}}    at {}\n", "", time_width,
              attempts.size() == 1 ? "again" : fmt::format("{} times more", attempts.size()),
              without_case(attempts.front()->outcome()), "", time_width, times);
    }
    for (const auto& [at, line] : lines) text_ += line;
    again_.clear();
  }

  const Scenario& scenario_;
  Detail detail_;
  std::string text_;
  std::set<std::string> shown_;
  std::map<std::string, std::vector<const Attempt*>> again_;
};

std::string custody_text(const MailAccount& mail) {
  std::string text =
      fmt::format("  \"{}\" from {} to {}\n", mail.subject, mail.sender, mail.recipient);
  for (const Custody& custody : mail.custody)
    text += fmt::format("{:>{}} - {:>{}}  {}\n", format_since(custody.from), time_width,
                        custody.to ? format_since(*custody.to) : "", time_width, custody.holder);
  return text + fmt::format("{:{}}   {:{}}  {}\n", "", time_width, "", time_width, mail.end);
}

std::string report_text(const ReportAccount& report, const Scenario& scenario) {
  std::vector<std::string> way;
  way.reserve(report.way.size());
  for (const std::string& id : report.way) way.push_back(name_of_host(scenario, id));
  std::string text = fmt::format(
      "{}The report of {} that {} reads (written at {}; {}):\n\n"
      "    From:    {}\n    To:      {}\n    Subject: {}\n\n",
      "  ", report.kind, report.to, format_since(report.written), fmt::join(way, " -> "),
      report.from, report.to, report.subject);
  for (const ReportAccount::Line& line : report.text)
    text += fmt::format("  {} {}\n", line.quoted ? ">" : " ", printable(line.text, 500));
  if (report.quotes_reply)
    text += "\n  (> marks the words of the reply that its writer had got.)\n";
  else if (!report.reply.empty())
    text += fmt::format("\n  (It does not quote the reply: {})\n", report.reply);
  return text + "\n";
}

}  // namespace

std::string flow_heading(const Flow& flow, const upstream::Profiles& profiles) {
  const Scenario& scenario = flow.scenario();
  std::string text = fmt::format("{}\n\n{}\nWho is who\n", scenario.title, scenario.story);
  for (const ScenarioProgram& program : scenario.programs)
    text += fmt::format("  {:<24} {:<16} hands its mail to {}\n", program.id,
                        program.address.text(), name_of_host(scenario, program.server));
  for (const ScenarioServer& server : scenario.servers)
    text += fmt::format("  {:<24} {:<16} {}\n", server.name, server.address.text(),
                        engine_text(server, profiles));
  return text;
}

std::string flow_timeline(const Flow& flow, Detail detail) {
  Timeline timeline(flow.scenario(), detail);
  for (const Entry& entry : entries_of(flow, detail)) timeline.add(entry);
  return timeline.take();
}

std::string flow_account(const Flow& flow, const Account& account) {
  std::string text = "Who was responsible\n";
  for (const MailAccount& mail : account.mails) text += custody_text(mail);
  text += "\nReports\n";
  for (const ReportAccount& report : account.reports) text += report_text(report, flow.scenario());
  if (account.reports.empty()) text += "  There are none.\n\n";
  text += "What the users saw, and when\n";
  for (const UserAccount& user : account.users) {
    text += fmt::format("  {}\n", user.address);
    for (const UserAccount::Sight& sight : user.saw) text += at_time(sight.at, sight.text);
    if (user.saw.empty()) text += fmt::format("{:{}}  nothing\n", "", time_width);
  }
  return text;
}

std::string flow_verdicts(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict& verdict : verdicts)
    text += fmt::format("  {}  {}: {}\n", verdict.kept ? "kept  " : "BROKEN", verdict.what,
                        verdict.got);
  return text;
}

}  // namespace postern::lab
