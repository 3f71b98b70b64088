#include "lab/scenario_postern.h"

#include "base/text.h"

namespace postern::lab {
namespace {

using policy::Action;
using policy::ReplyStyle;
using policy::UnknownIpMode;
using settings::object;
using settings::Parsed;
using settings::Section;

constexpr std::size_t list_max = 100;
constexpr Duration month = std::chrono::hours(24 * 30);

Parsed<std::string> parse_domain(std::string_view text) {
  if (!text.empty() && !text.contains(' ') && !text.contains('@')) return to_lower(text);
  return object("is not a domain", "write one such as \"company.example\"");
}

Parsed<IpNetwork> parse_network(std::string_view text) {
  if (const auto network = IpNetwork::parse(text)) return *network;
  return object("is not a network", "write one such as \"192.0.2.0/24\"");
}

Parsed<Duration> parse_wait(std::string_view text) {
  const auto wait = parse_duration(text);
  if (wait && *wait >= seconds(1) && *wait <= month) return *wait;
  return object("is not a time to wait", "write one such as \"5m\"");
}

void read_actions(Section& section, policy::UnknownIpOptions& options) {
  for (const auto& [key, action] :
       {std::pair{"no_ptr", &options.no_ptr}, std::pair{"bad_name", &options.bad_name},
        std::pair{"no_forward", &options.no_forward}, std::pair{"mismatch", &options.mismatch}})
    section.choice(key, *action,
                   {{"accept", Action::accept},
                    {"tag", Action::tag},
                    {"450", Action::reply_450},
                    {"451", Action::reply_451},
                    {"550", Action::reply_550}});
  // A lookup without an answer is never a permanent refusal.
  section.choice("temperror", options.temp_error,
                 {{"accept", Action::accept},
                  {"tag", Action::tag},
                  {"450", Action::reply_450},
                  {"451", Action::reply_451}});
  section.finish();
}

void read_escalation(Section section, policy::EscalationOptions& escalation) {
  section.flag("enabled", escalation.enabled);
  section.integer("after_attempts", escalation.after_attempts, 2, 1000);
  section.duration("after", escalation.after, std::chrono::minutes(30), std::chrono::hours(7 * 24));
  section.finish();
}

}  // namespace

void read_postern(Section& section, ScenarioServer& server) {
  policy::UnknownIpOptions& unknown_ip = server.postern.unknown_ip;
  unknown_ip.mode = UnknownIpMode::enforce;
  section.choice("mode", unknown_ip.mode,
                 {{"off", UnknownIpMode::off},
                  {"observe", UnknownIpMode::observe},
                  {"enforce", UnknownIpMode::enforce}});
  section.choice("reply_style", unknown_ip.reply_style,
                 {{"postern", ReplyStyle::postern}, {"postfix", ReplyStyle::postfix}});
  section.list("exempt_networks", unknown_ip.exempt_networks, list_max, parse_network);
  Section actions = section.section("actions");
  read_actions(actions, unknown_ip);
  read_escalation(section.section("escalation"), unknown_ip.escalation);
  section.list("relay_domains", server.postern.session.relay.domains, list_max, parse_domain);
  section.list("relay_networks", server.postern.session.relay.networks, list_max, parse_network);
  section.text("route", server.route);
  delivery::DeliveryOptions& delivery = server.postern.delivery;
  section.list("retry", delivery.retry, list_max, parse_wait, Section::Repeats::allowed);
  if (delivery.retry.empty())
    section.problem("retry", {"is empty", "write at least one time to wait"});
  section.duration("lifetime", delivery.lifetime, seconds(0), month);
  section.duration("report_lifetime", delivery.report_lifetime, seconds(0), month);
  std::vector<Duration> notice = {delivery.delay_notice};
  section.list("delay_notice", notice, 1, parse_wait);
  delivery.delay_notice = notice.empty() ? Duration::zero() : notice.front();
  section.finish();
}

}  // namespace postern::lab
