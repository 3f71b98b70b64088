#include "app/lab_commands.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>

#include "dns/zone_resolver.h"
#include "dns/zone_text.h"
#include "io/real/shard.h"
#include "io/real/signals.h"
#include "lab/demo.h"
#include "lab/little_world.h"
#include "queue/rocksdb_store.h"

namespace postern::app {
namespace {

/// The port that `play` prefers, so that what is typed can be typed again.
constexpr std::uint16_t play_port = 2525;
constexpr Duration play_time_max = std::chrono::hours(24 * 365);
constexpr Duration demo_time_max = std::chrono::minutes(2);

/// A folder of our own that goes when we go.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / "postern-XXXXXX") {
    std::string pattern = path_.string();
    made_ = ::mkdtemp(pattern.data()) != nullptr;
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
  bool made_ = false;
};

/// A little world in the real one: its folder, shard, store and zone.
class Stage {
 public:
  Result<> set_up(std::uint16_t port, Log& log) {
    if (!folder_.made())
      return operator_failure(Cause::no_permission,
                              "cannot make a folder in " + folder_.path() + "; set TMPDIR");
    TRY(shard_, io::RealShard::create({.directory = folder_.path()}));
    TRY(store_, queue::RocksdbStore::open(folder_.path() + "/queue"));
    TRY(dns::Zone zone, dns::Zone::parse(lab::LittleWorld::zone()));
    resolver_.emplace(shard_->world().clock, std::move(zone));
    little_world_.emplace(shard_->world(), log, *resolver_, *store_, folder_.path(), port);
    return {};
  }
  io::RealShard& shard() { return *shard_; }
  lab::LittleWorld& little_world() { return *little_world_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<io::RealShard> shard_;
  std::unique_ptr<queue::RocksdbStore> store_;
  std::optional<dns::ZoneResolver> resolver_;
  std::optional<lab::LittleWorld> little_world_;
};

void tell(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

io::Task<> demo_task(Stage& stage, Result<>& outcome) {
  outcome = co_await stage.little_world().start();
  if (outcome) outcome = co_await lab::tell_demo(stage.shard().world(), stage.little_world(), tell);
  co_await stage.little_world().stop();
}

std::string instructions(const lab::LittleWorld& little_world) {
  const Endpoint at = little_world.gateway();
  return fmt::format(
      "Postern listens on {0}; it relays for company.example, and the option enforces.\n"
      "The address that you come from decides what happens; type, in another terminal:\n\n"
      "  python3 -c 'import smtplib,sys; "
      "s=smtplib.SMTP(\"{1}\",{2},source_address=(sys.argv[1],0)); "
      "s.set_debuglevel(1); s.sendmail(\"{3}\",\"{4}\",\"Subject: "
      "hello\\r\\n\\r\\nHello.\\r\\n\")' {5}\n\n"
      "  {5}  has a confirmed name: accepted      {6}  has none: 450\n"
      "  {7}  has one that leads elsewhere: 450   {8}  its DNS does not answer: 451\n\n"
      "Send to {9} to see a report come back. Letters are shown here as they arrive.\n"
      "Control-C ends it.\n",
      at.text(), at.address.text(), at.port, lab::LittleWorld::sender, lab::LittleWorld::recipient,
      lab::LittleWorld::confirmed_client, lab::LittleWorld::nameless_client,
      lab::LittleWorld::mismatched_client, lab::LittleWorld::broken_dns_client,
      lab::LittleWorld::no_such_recipient);
}

void show_letter(const lab::Letter& letter) {
  tell(fmt::format("\n--- a letter for {}, from <{}>\n{}", letter.recipient, letter.reverse_path,
                   letter.content));
}

io::Task<> play_task(Stage& stage, Result<>& outcome) {
  io::Signals signals(stage.shard().world().executor);
  lab::LittleWorld& little_world = stage.little_world();
  little_world.company().on_letter(show_letter);
  little_world.partner().on_letter(show_letter);
  outcome = co_await little_world.start();
  if (outcome) {
    tell(instructions(little_world));
    while (true) {
      const auto signal = co_await signals.next();
      if (!signal || *signal == io::Signals::Kind::drain) break;
    }
  }
  co_await little_world.stop();
}

using StageTask = io::Task<> (*)(Stage&, Result<>&);

Result<> run_stage(std::uint16_t port, StageTask task, Duration time_max) {
  NoLog log;
  Stage stage;
  TRY_VOID(stage.set_up(port, log));
  Result<> outcome;
  if (!stage.shard().run_task(task(stage, outcome), time_max))
    return our_failure(Cause::timed_out, "it did not end in time");
  return outcome;
}

ExitCode told(const Result<>& outcome, std::string_view command) {
  if (outcome) return ExitCode::ok;
  fmt::print(stderr, "postern {}: {}\n", command, outcome.error().what);
  return ExitCode::failed;
}

}  // namespace

ExitCode demo(const Arguments&) {
  const Result<> outcome = run_stage(0, demo_task, demo_time_max);
  if (outcome)
    tell(
        "\nThat is the whole story. Next:\n"
        "  ./dev run     the same little world as a server to play with (postern play)\n"
        "  ./dev test    the proof, with real Postfix, Exim and Dovecot\n");
  return told(outcome, "demo");
}

ExitCode play(const Arguments&) {
  Result<> outcome = run_stage(play_port, play_task, play_time_max);
  if (!outcome && outcome.error().cause == Cause::in_use)
    outcome = run_stage(0, play_task, play_time_max);
  return told(outcome, "play");
}

}  // namespace postern::app
