#include "app/explain_client.h"

#include "app/configured_resolver.h"
#include "app/options.h"

namespace postern::app {
namespace {

constexpr Duration slack = std::chrono::seconds(5);

void take_verdict(const policy::UnknownIpVerdict& verdict, CheckedClient& client) {
  client.skipped_because = verdict.skipped_because;
  Explanation& told = client.told;
  told.state = verdict.state;
  told.action = verdict.action;
  told.iprev = *verdict.iprev;
  told.reply = verdict.reply;
  told.case_id = verdict.case_id;
  told.remedy = policy::remedy_for(verdict.state, *verdict.iprev, told.helo);
}

/// What would count if the calendar did not end it.
std::optional<policy::Override> expired_override(const policy::Overrides& overrides,
                                                 const Explanation& told, WallTime now) {
  std::vector<policy::Override> over;
  for (const policy::Override& rule : overrides.all())
    if (rule.expires && now >= *rule.expires) over.push_back(rule);
  const policy::Overrides expired(std::move(over));
  const std::string sender_domain = domain_of(told.sender);
  const std::string recipient_domain = domain_of(told.recipient);
  const policy::Override* found = expired
                                      .find({.iprev = told.iprev,
                                             .sender_domain = sender_domain,
                                             .recipient_domain = recipient_domain,
                                             .now = WallTime()})
                                      .rule;
  return found == nullptr ? std::nullopt : std::optional(*found);
}

io::Task<> check(policy::UnknownIpCheck& check, dns::Resolver& resolver, CheckedClient& client) {
  const auto pending = check.start(client.told.client);
  const policy::UnknownIpVerdict& verdict = *co_await pending->verdict();
  take_verdict(verdict, client);
  if (auto other = pending->override_for(client.told.answered_at, domain_of(client.told.sender),
                                         domain_of(client.told.recipient))) {
    client.override_name = std::move(other->name);
    client.told.action = other->action;
    client.told.reply = std::move(other->reply);
    client.told.case_id = std::move(other->case_id);
  }
  if (client.told.answered_at == policy::AnswerAt::connect && !client.told.reply.empty())
    client.told.reply = policy::greeting_refusal(client.told.reply);
  resolver.stop();
  co_await check.stop();
}

}  // namespace

Result<CheckedClient> check_client(io::RealShard& shard, const Configuration& configuration,
                                   Explanation asked) {
  CheckedClient client;
  client.told = std::move(asked);
  client.mode = configuration.unknown_ip.mode;
  TRY(const auto resolver, ConfiguredResolver::create(shard.world(), configuration.dns));
  policy::UnknownIpOptions options = unknown_ip_options(configuration.unknown_ip);
  // What it would do, also while it is off.
  options.mode = policy::UnknownIpMode::enforce;
  client.told.answered_at = options.answer_at;
  client.escalation = options.escalation;
  policy::UnknownIpCheck unknown_ip(shard.world(), resolver->resolver(), options);
  if (!shard.run_task(check(unknown_ip, resolver->resolver(), client), options.deadline + slack))
    return our_failure(Cause::timed_out, "the lookups did not end in their deadline");
  if (client.override_name.empty())
    client.expired_override =
        expired_override(options.overrides, client.told, shard.world().clock.wall_now());
  return client;
}

}  // namespace postern::app
