#include "app/explain.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include "app/configuration.h"
#include "app/configured_resolver.h"
#include "app/options.h"
#include "base/text.h"
#include "io/real/shard.h"
#include "mail/address.h"
#include "settings/diagnostic.h"

namespace postern::app {
namespace {

constexpr Duration slack = std::chrono::seconds(5);
/// Of the servers that the client may be, how many are told of.
constexpr std::size_t upstreams_told_max = 3;

void print_error(std::string_view text) {
  fmt::print(stderr, "postern explain: {}\n", text);
}

bool take_address(std::string_view option, const std::string& given, std::string& into) {
  if (given.empty()) return true;
  if (!mail::parse_mailbox(given)) {
    print_error(
        fmt::format("{} {} is no address; write user@example.com", option, printable(given)));
    return false;
  }
  into = given;
  return true;
}

std::optional<Explanation> asked_about(const Arguments::Explain& asked) {
  Explanation explanation;
  const auto client = IpAddress::parse(asked.client);
  if (!client) {
    print_error(fmt::format("--client {} is no address; write 192.0.2.7 or 2001:db8::25",
                            printable(asked.client)));
    return std::nullopt;
  }
  explanation.client = *client;
  explanation.helo = asked.helo;
  if (!take_address("--from", asked.sender, explanation.sender) ||
      !take_address("--to", asked.recipient, explanation.recipient))
    return std::nullopt;
  return explanation;
}

/// The profile that was asked for, or those that fit a server with this name best.
bool take_upstreams(const std::string& profile, Explanation& explanation) {
  const upstream::Profiles& known = upstream::shipped_profiles_read();
  if (profile.empty()) {
    explanation.upstreams =
        upstream::recognize({.attempts = {explanation.now}, .helo = explanation.helo}, known);
    explanation.upstreams.resize(std::min(explanation.upstreams.size(), upstreams_told_max));
    return true;
  }
  const upstream::Profile* found = known.find(profile);
  if (found == nullptr) {
    const std::vector<std::string> names = known.names();
    const std::string_view meant = settings::nearest(profile, names);
    print_error(fmt::format("there is no profile {}; {}", printable(profile),
                            meant.empty() ? "`postern lab profiles` lists them"
                                          : fmt::format("did you mean {}?", meant)));
    return false;
  }
  explanation.upstreams = {{.profile = found, .probability = 1}};
  return true;
}

void take_verdict(const policy::UnknownIpVerdict& verdict, Explanation& explanation) {
  explanation.state = verdict.state;
  explanation.action = verdict.action;
  explanation.skipped_because = verdict.skipped_because;
  explanation.iprev = *verdict.iprev;
  explanation.reply = verdict.reply;
  explanation.remedy = policy::remedy_for(verdict.state, *verdict.iprev, explanation.helo);
}

std::string domain_of(const std::string& address) {
  const auto mailbox = mail::parse_mailbox(address);
  return mailbox ? mail::normalize_domain(mailbox->domain) : std::string();
}

io::Task<> check(policy::UnknownIpCheck& check, dns::Resolver& resolver, Explanation& explanation) {
  const auto pending = check.start(explanation.client);
  const policy::UnknownIpVerdict& verdict = *co_await pending->verdict();
  take_verdict(verdict, explanation);
  if (auto other = check.override_for(verdict, domain_of(explanation.sender),
                                      domain_of(explanation.recipient))) {
    explanation.override_name = std::move(other->name);
    explanation.action = other->action;
    explanation.reply = std::move(other->reply);
  }
  resolver.stop();
  co_await check.stop();
}

Result<> look_at(io::RealShard& shard, const Configuration& configuration,
                 Explanation& explanation) {
  TRY(const auto resolver, ConfiguredResolver::create(shard.world(), configuration.dns));
  policy::UnknownIpOptions options = unknown_ip_options(configuration.unknown_ip);
  explanation.mode = options.mode;
  // What it would do, also while it is off.
  options.mode = policy::UnknownIpMode::enforce;
  policy::UnknownIpCheck unknown_ip(shard.world(), resolver->resolver(), options);
  if (!shard.run_task(check(unknown_ip, resolver->resolver(), explanation),
                      options.deadline + slack))
    return our_failure(Cause::timed_out, "the lookups did not end in their deadline");
  return {};
}

}  // namespace

ExitCode explain(const Arguments& arguments) {
  auto explanation = asked_about(arguments.explain);
  if (!explanation) return ExitCode::wrong_usage;
  const auto configuration = configuration_or_defaults(arguments.config, Arguments{}.config);
  if (!configuration) return ExitCode::failed;
  const auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) {
    print_error(shard.error().what);
    return ExitCode::failed;
  }
  explanation->now = (*shard)->world().clock.wall_now();
  explanation->hostname = configuration->server.hostname;
  explanation->postmaster = configuration->server.postmaster;
  if (!take_upstreams(arguments.explain.profile, *explanation)) return ExitCode::wrong_usage;
  if (const auto looked = look_at(**shard, *configuration, *explanation); !looked) {
    print_error(looked.error().what);
    return ExitCode::failed;
  }
  if (arguments.explain.letter && explanation->reply.empty()) {
    print_error("this client is accepted: there is nothing to write to anybody about");
    return ExitCode::failed;
  }
  const std::string text = arguments.explain.letter ? explanation_letter(*explanation)
                           : arguments.json         ? explanation_json(*explanation) + "\n"
                                                    : explanation_text(*explanation);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return ExitCode::ok;
}

}  // namespace postern::app
