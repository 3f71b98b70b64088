#include "app/explain.h"

#include <cstdio>
#include <fmt/format.h>
#include <optional>

#include <boost/json/serialize.hpp>

#include "app/configuration.h"
#include "app/explain_case.h"
#include "app/explain_client.h"
#include "app/ledger_commands.h"
#include "base/text.h"
#include "io/real/shard.h"
#include "ledger/case_id.h"
#include "mail/address.h"

namespace postern::app {
namespace {

void print_error(std::string_view text) {
  fmt::print(stderr, "postern explain: {}\n", text);
}

ExitCode fail_with(const Error& error) {
  print_error(error.what);
  return ExitCode::failed;
}

void print_out(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

ExitCode print_letter(const Result<std::string>& letter) {
  if (!letter) return fail_with(letter.error());
  print_out(*letter);
  return ExitCode::ok;
}

bool take_address(std::string_view option, const std::string& given, std::string& into) {
  if (given.empty()) return true;
  if (given == "<>" && option == "--from") {
    into.clear();
    return true;
  }
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

ExitCode explain_client(const Arguments& arguments, io::RealShard& shard,
                        const Configuration& configuration) {
  auto asked = asked_about(arguments.explain);
  if (!asked) return ExitCode::wrong_usage;
  asked->first_attempt = asked->last_attempt = shard.world().clock.wall_now();
  asked->hostname = configuration.server.hostname;
  asked->postmaster = configuration.server.postmaster;
  auto upstreams = upstreams_of(arguments.explain.profile,
                                {.attempts = {asked->first_attempt}, .helo = asked->helo});
  if (!upstreams) {
    print_error(upstreams.error().what);
    return ExitCode::wrong_usage;
  }
  asked->upstreams = std::move(*upstreams);
  const auto client = check_client(shard, configuration, std::move(*asked));
  if (!client) return fail_with(client.error());
  if (arguments.explain.letter)
    return print_letter(client_letter(*client, shard.world().clock.wall_now()));
  print_out(arguments.json ? boost::json::serialize(client_json(*client)) + "\n"
                           : client_text(*client));
  return ExitCode::ok;
}

ExitCode explain_case(const Arguments& arguments, io::RealShard& shard,
                      const Configuration& configuration) {
  const std::string& typed = arguments.explain.case_id;
  if (ledger::case_ids_meant(typed).empty()) {
    print_error(IpAddress::parse(typed)
                    ? fmt::format("{0} is an address; write --client {0}", typed)
                    : fmt::format("{} is no case; it stands at the end of the reply: (case 4F7KQ2)",
                                  printable(typed, 40)));
    return ExitCode::wrong_usage;
  }
  auto archive = open_ledger(configuration);
  if (!archive) return fail_with(archive.error());
  auto found = find_case(*archive, typed);
  if (!found) return fail_with(found.error());
  if (found->empty()) {
    print_error(fmt::format("there is no case {} in {}; the log may name it still",
                            printable(typed, 40), ledger_path(configuration)));
    return ExitCode::failed;
  }
  auto recorded = recorded_case(*archive, std::move(*found), shard.world().clock.wall_now(),
                                arguments.explain.profile);
  if (!recorded) {
    print_error(recorded.error().what);
    return recorded.error().cause == Cause::not_found ? ExitCode::wrong_usage : ExitCode::failed;
  }
  recorded->told.hostname = configuration.server.hostname;
  recorded->told.postmaster = configuration.server.postmaster;
  if (arguments.explain.now) {
    auto today = check_client(shard, configuration, recorded->told);
    if (!today) return fail_with(today.error());
    recorded->today = std::move(*today);
  }
  if (arguments.explain.letter) return print_letter(case_letter(*recorded));
  print_out(arguments.json ? boost::json::serialize(case_json(*recorded)) + "\n"
                           : case_text(*recorded));
  return ExitCode::ok;
}

}  // namespace

ExitCode explain(const Arguments& arguments) {
  if (arguments.explain.case_id.empty() && arguments.explain.client.empty()) {
    print_error("which case, or which --client? (postern explain --help)");
    return ExitCode::wrong_usage;
  }
  const auto configuration = configuration_or_defaults(arguments.config, Arguments{}.config);
  if (!configuration) return ExitCode::failed;
  const auto shard = io::RealShard::create({.directory = "/"});
  if (!shard) return fail_with(shard.error());
  return arguments.explain.case_id.empty() ? explain_client(arguments, **shard, *configuration)
                                           : explain_case(arguments, **shard, *configuration);
}

}  // namespace postern::app
