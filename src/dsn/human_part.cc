#include "dsn/human_part.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "base/text.h"
#include "dsn/status_part.h"
#include "dsn/text.h"
#include "mail/address.h"

namespace postern::dsn {
namespace {

constexpr std::size_t groups_max = 50;
/// With more groups than this, those of the same kind are put together.
constexpr std::size_t groups_wanted = 20;
/// So few recipients stand above their reason, one a line; more below it.
constexpr std::size_t few_recipients = 3;

bool any(const Report& report, Action action) {
  return std::ranges::any_of(report.recipients,
                             [action](const auto& r) { return r.action == action; });
}

// Which texts the report as a whole has.
std::string_view kind_of(const Report& report) {
  if (report.audience == Audience::postmaster) return "postmaster";
  if (any(report, Action::failed)) return "failed";
  return any(report, Action::delayed) ? "delayed" : "delivered";
}

std::string shown(std::string_view text, std::size_t bytes_max = field_text_max) {
  return one_line(text, bytes_max, Charset::utf8);
}

std::string shown_address(std::string_view address) {
  return fmt::format("<{}>", shown(address, 320));
}

// "2026-09-21 14:13 UTC": read alike in every language.
std::string shown_time(WallTime time) {
  std::string text = format_iso8601(time).substr(0, 16);
  text[10] = ' ';
  return text + " UTC";
}

Values message_values(const Report& report) {
  return {
      {"hostname", shown(report.reporting_mta, 255)},
      {"postmaster",
       shown(report.postmaster.empty() ? "postmaster@" + report.reporting_mta : report.postmaster,
             320)},
      {"sender", shown_address(report.audience == Audience::sender ? report.to : report.sender)},
      {"id", shown(report.queue_id, 100)},
      {"arrived", shown_time(report.arrived)}};
}

// A reply often names its recipient; without the name equal ones can be told.
std::string without_address(std::string_view reply, std::string_view address) {
  if (address.empty()) return std::string(reply);
  const std::string lower_reply = to_lower(reply);
  const std::string lower_address = to_lower(address);
  std::string out;
  std::size_t from = 0;
  for (auto at = lower_reply.find(lower_address); at != std::string::npos;
       at = lower_reply.find(lower_address, from)) {
    out += reply.substr(from, at - from);
    out += "...";
    from = at + address.size();
  }
  out += reply.substr(from);
  return out;
}

// Recipients with the same fate.
struct Group {
  std::vector<const RecipientResult*> members;
  bool alike = false;  // only of the same kind
};

enum class Grouping : std::uint8_t { same_reason, same_kind };

std::vector<Group> grouped(const Report& report, Grouping grouping) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t> index;
  for (const RecipientResult& r : report.recipients) {
    std::string key =
        fmt::format("{}\n{}\n{}", static_cast<int>(r.action), r.lifetime_over, told_status(r));
    if (grouping == Grouping::same_reason)
      key += fmt::format("\n{}\n{}\n{}", r.remote_name,
                         without_address(r.remote_reply, r.final_recipient), r.explanation);
    const auto [found, is_new] = index.try_emplace(std::move(key), groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].members.push_back(&r);
  }
  if (grouping == Grouping::same_kind)
    for (Group& group : groups) group.alike = group.members.size() > 1;
  return groups;
}

// A word that reads as a server's name in every language.
std::string remote_words(const RecipientResult& result) {
  return shown(result.remote_name.empty() ? mail::domain_of(result.final_recipient)
                                          : std::string_view(result.remote_name),
               255);
}

Values cause_values(const Report& report, const Group& group) {
  const RecipientResult& first = *group.members.front();
  const bool several = group.members.size() > 1 && !group.alike;
  const std::string reply =
      several ? without_address(first.remote_reply, first.final_recipient) : first.remote_reply;
  return {{"hostname", shown(report.reporting_mta, 255)},
          {"remote", remote_words(first)},
          {"reply", shown(reply)},
          {"reason", shown(first.explanation.empty() ? "no reason is known" : first.explanation)},
          {"status", told_status(first)},
          {"retry_until", shown_time(first.will_retry_until)},
          {"last_attempt", shown_time(first.last_attempt)}};
}

std::string cause(const RecipientResult& result, const Wording& wording, const Values& values) {
  const auto text = [&](std::string_view words) { return filled(words, values, "    "); };
  if (result.action == Action::delivered) return text(wording.text("cause.delivered"));
  if (result.action == Action::relayed) return text(wording.text("cause.relayed"));
  if (result.action == Action::expanded) return text(wording.text("cause.expanded"));
  const std::string status = told_status(result);
  std::string why(result.lifetime_over ? wording.text("cause.expired") : "");
  if (!why.empty()) why += ' ';
  why += wording.text(result.remote_reply.empty() ? "cause.local" : "cause.refused", status);
  if (result.action == Action::failed)
    return text(why) + text(result.lifetime_over ? wording.text("advice.expired")
                                                 : wording.text("advice", status));
  const bool end_is_known = result.will_retry_until != WallTime{};
  return text(why) + (end_is_known ? text(wording.text("cause.delayed")) : "");
}

class RecipientList {
 public:
  RecipientList(const Report& report, const Wording& wording, std::size_t bytes_max)
      : report_(report), wording_(wording), bytes_max_(bytes_max) {}

  std::string text() {
    std::vector<Group> groups = grouped(report_, Grouping::same_reason);
    if (groups.size() > groups_wanted) groups = grouped(report_, Grouping::same_kind);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (i >= groups_max || out_.size() >= bytes_max_)
        left_out_ += groups[i].members.size();
      else
        add(groups[i], i == 0 ? "" : "\r\n");
    }
    if (left_out_ > 0) out_ += "\r\n" + count_line("group.more", left_out_);
    return std::move(out_);
  }

 private:
  std::string count_line(std::string_view section, std::size_t count) {
    return filled(wording_.text(section), {{"count", fmt::format("{}", count)}});
  }

  void add(const Group& group, std::string_view gap) {
    out_ += gap;
    const std::string why = cause(*group.members.front(), wording_, cause_values(report_, group));
    const bool few = group.members.size() <= few_recipients && !group.alike;
    if (!few)
      out_ += count_line(group.alike ? "group.alike" : "group.many", group.members.size()) + why;
    const std::string_view indent = few ? "" : "  ";
    std::size_t listed = 0;
    for (const RecipientResult* member : group.members) {
      if (out_.size() >= bytes_max_) break;
      out_ += wrapped(shown_address(member->final_recipient), indent);
      ++listed;
    }
    left_out_ += group.members.size() - listed;
    if (few) out_ += why;
  }

  const Report& report_;
  const Wording& wording_;
  std::size_t bytes_max_;
  std::string out_;
  std::size_t left_out_ = 0;
};

}  // namespace

std::string human_part(const Report& report, const Wording& wording, const ComposeLimits& limits) {
  Values values = message_values(report);
  values.emplace_back("recipients", RecipientList(report, wording, limits.human_bytes_max).text());
  return filled(wording.text(kind_of(report)), values);
}

std::string subject(const Report& report, const Wording& wording) {
  return filled_line(wording.text(fmt::format("subject.{}", kind_of(report))),
                     message_values(report));
}

}  // namespace postern::dsn
